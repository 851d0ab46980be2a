"""Subscriptions, as the API answers them."""
