"""The cache backends that come with RAVE. The core finds them through the entry point ``rave.plugins``."""
