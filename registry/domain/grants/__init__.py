"""Grants 授权: what lets a client read a dataset, and what it then sees."""
