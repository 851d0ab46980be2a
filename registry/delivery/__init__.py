"""Delivery of changes: the feed as a grant shows it, subscriptions, and the service that sends to them."""
