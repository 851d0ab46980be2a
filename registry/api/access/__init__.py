"""Who may do what, and the record of every access: clients, tokens, rules of routes, the access log."""
