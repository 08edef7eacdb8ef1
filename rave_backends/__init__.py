"""The cache backends that come with RAVE. RAVE's core finds them through the entry point ``rave.plugins``."""
