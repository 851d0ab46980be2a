"""Addresses of licences, issuers, status lists and verification."""
