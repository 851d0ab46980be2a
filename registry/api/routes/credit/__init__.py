"""Addresses under /enterprises and /credit."""
