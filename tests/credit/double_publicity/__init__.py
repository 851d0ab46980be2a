"""Permits and penalties made public, both editions out."""
