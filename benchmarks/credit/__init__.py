"""``make bench-credit``: evaluating a city's enterprises, following their changes, reading their files over HTTP."""
