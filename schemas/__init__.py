"""The shared language of the hub: versioned JSON Schemas, code lists, identifiers, validation, compatibility."""
