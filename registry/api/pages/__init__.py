"""Pages for people: the verification page. Everything it needs is here; nothing is loaded from elsewhere."""
