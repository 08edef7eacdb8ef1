"""The command line ``rave``. Imported only when it runs."""
