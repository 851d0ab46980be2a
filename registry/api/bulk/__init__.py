"""Answers to those who read much at once: exports in parts, look-ups of many keys, counts."""
