"""Grants on the registry: given, changed, revoked, asked for and decided, reported."""
