"""Rules of public credit data, pure: what may be shown, until when, and what follows from it."""
