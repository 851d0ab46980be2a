"""Access tokens: the hub's own and the keys that sign them, and those of a trusted issuer elsewhere."""
