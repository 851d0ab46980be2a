"""Delivery of changes to subscribers, as far as it is rules: addresses, signatures, events, retries."""
