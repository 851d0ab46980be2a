"""Addresses of the catalogue of datasets."""
