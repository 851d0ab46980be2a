"""Reading much at once."""
