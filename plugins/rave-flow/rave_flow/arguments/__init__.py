"""Arguments of flow operations: converters by name."""
