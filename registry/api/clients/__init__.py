"""Clients of the API: what proves who they are, and how often they may fail at it."""
