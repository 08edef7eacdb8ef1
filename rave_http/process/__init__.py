"""The service as processes: gunicorn, the arbiter, sockets, logs, the daemon."""
