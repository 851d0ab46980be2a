"""What is answered about enterprises, their public credit data, consents and reports."""
