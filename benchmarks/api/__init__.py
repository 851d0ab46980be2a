"""How fast the registry API answers, beside a bare handler, and what becomes of it when far too much is asked."""
