"""What lenders get with a consent."""
