"""A Valkey server as the shared cache and lease service of RAVE: ``valkey://host:port/database``."""
