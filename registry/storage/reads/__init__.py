"""What readers ask of the registry, over an asynchronous pool of read-only connections."""
