"""No answer without an entry in the access log: receipts, checkpoints, signed answers."""
