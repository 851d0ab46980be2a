"""The access log on the database: appended to, proven, signed, checked."""
