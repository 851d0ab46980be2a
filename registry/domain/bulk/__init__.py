"""Reading much at once: what leaves as a table, and counts that tell of nobody in particular."""
