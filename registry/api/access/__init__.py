"""Who may do what, how fast, and who has to wait."""
