"""The registry's read API: how other systems read what the departments' records say."""
