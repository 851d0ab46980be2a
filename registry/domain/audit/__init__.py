"""The access log that can be checked: its entries, the tree over all of them, and the checkpoints that sum it up."""
