"""The resources: one for each kind of URL."""
