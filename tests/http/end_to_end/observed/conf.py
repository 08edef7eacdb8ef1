"""gunicorn's configuration for the application of this folder."""

from __future__ import annotations

from typing import Any

from rave_http.workers.metrics_files import share, worker_died
from rave_http.workers.run_directory import RunDirectory

workers = 2
worker_class = "asgi"
wsgi_app = "app:create()"
control_socket_disable = True
graceful_timeout = 5
asgi_disconnect_grace_period = 0


def on_starting(server: Any) -> None:
    """Makes the board, which belongs to the server: these lines are read anew at each HUP."""
    server.run_directory = RunDirectory.create()
    share(server.run_directory)


def child_exit(server: Any, worker: Any) -> None:
    """Clears away after a worker."""
    worker_died(server.run_directory, worker.pid)


def on_exit(server: Any) -> None:
    """Removes the board."""
    server.run_directory.remove()
