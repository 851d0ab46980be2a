"""Public credit data: services on the registry's database."""
