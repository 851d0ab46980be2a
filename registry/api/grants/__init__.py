"""What grants mean to a request: the purpose it states, the quota it uses, the version it gets."""
