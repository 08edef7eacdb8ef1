"""The command line ``rave``, and the commands of a notebook. Imported only when they run."""
