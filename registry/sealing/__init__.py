"""Personal values are sealed where they are stored: the keys, and the records that are sealed with them."""
