"""The measured claims, one command each (``make bench-*``): a table for people, then one line of JSON."""
