"""``rave serve``: the service in the foreground.

``rave`` finds the command by loading all plugins, and with them namespaces. A process that forks workers must not hold
those: the workers would never see newer code. So the command re-executes this module in the same process without them.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rave_core.cli.main import COMMANDS, main
from rave_core.cli.output import note
from rave_core.cli.session import overrides

if TYPE_CHECKING:
    from rave_http.process.launch import Launch

_FILE = click.Path(exists=True, dir_okay=False)
_DIRECTORY = click.Path(exists=True, file_okay=False)


def _namespaces(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """Names and absolute directories of ``--namespace NAME=DIR``."""
    found = {}
    for text in value:
        name, sign, directory = text.partition("=")
        if not sign or not name or not os.path.isdir(os.path.expanduser(directory)):
            wrong = "there is no such directory" if sign and name else "expected NAME=DIR"
            raise click.BadParameter(f"{text!r}: {wrong}", context, parameter)
        found[name] = os.path.abspath(os.path.expanduser(directory))
    return found


def _start_over() -> None:
    """Re-executes the process with the same arguments and nothing loaded; does nothing if another program called us."""
    if Path(sys.argv[0]).stem in ("rave", "main") and "serve" in sys.argv:
        sys.stdout.flush()
        sys.stderr.flush()
        # Until the new program can end in a line of its own, Ctrl-C waits: it would show where an import stands.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.execv(sys.executable, [sys.executable, "-P", "-m", __name__, *sys.argv[1:]])  # noqa: S606  # it is ourselves


@click.command()
@click.option("--bind", metavar="ADDR:PORT", help="Listen there; also [IPv6]:PORT or unix:/PATH.  [127.0.0.1:8888]")
@click.option("--workers", metavar="N", type=int, help="Processes that answer requests.  [2]")
@click.option("--threads", metavar="N", type=int, help="Operations that each of them runs at once.  [5]")
@click.option("--executor", metavar="NAME", help="Where operations run: threads, processes, or a plugin's.  [threads]")
@click.option("--url-base", metavar="URL", help="Prefix of every URL that the service gives out.")
@click.option("--namespace", metavar="NAME=DIR", multiple=True, callback=_namespaces, help="Serve a directory; repeat.")
@click.option("--namespace-config", metavar="FILE", type=_FILE, help="INI file with a section [namespaces].")
@click.option("--namespace-root", metavar="DIR", type=_DIRECTORY, help="Value of %(nsroot)s in it.")
@click.option("--release", metavar="FILE", type=_FILE, help="Start the plugins that its table [release] names.")
@click.option("--wait", metavar="TIME", help="How long a plain request waits before it gets a ticket.  [20s]")
@click.option("--allow-anonymous", is_flag=True, default=None, help="Serve an outside address without authentication.")
@click.option("--access-log", metavar="DEST", help="Log requests as JSON: to a file, or - for standard output.")
@click.option("--log-config", metavar="FILE", type=_FILE, help="Logging configuration: INI, TOML or JSON.")
@click.option("--load-error-fatal", is_flag=True, default=None, help="Do not start if a namespace does not load.")
@click.option("--pidfile", metavar="FILE", type=click.Path(dir_okay=False), help="Write the process ID there.")
def serve(
    namespace: dict[str, str], release: str | None, log_config: str | None, pidfile: str | None, **switches: Any
) -> None:
    """Serve the operations of all namespaces over HTTP, in the foreground.

    Each switch overrides the setting of the same name in the table [service] of rave.toml. SIGHUP reloads, SIGTERM
    stops and lets running jobs finish, Ctrl-C stops at once. The log goes to standard error.
    """
    if "serve" not in COMMANDS:
        _start_over()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from rave_http.cli.start import prepare
    from rave_http.process.pid_file import PidFile

    launch = _launch(namespace, release, log_config, switches)
    file = PidFile(pidfile) if pidfile else None
    if file is not None:
        file.check()
    prepared = prepare(launch, warn=lambda text: note(f"warning: {text}"))
    launch.log.start()
    prepared.run(pid_file=file, on_ready=lambda: note(f"{prepared.banner()}; Ctrl-C stops it"))


def _launch(
    namespaces: dict[str, str], release: str | None, log_config: str | None, switches: dict[str, Any]
) -> Launch:
    from rave_http.cli.start import given
    from rave_http.process.launch import Launch, absolute, environment, here
    from rave_http.process.log_setup import Log

    root = click.get_current_context().find_root().params
    settings = overrides(root.get("given") or ())
    settings["namespaces"] = {**settings.get("namespaces", {}), **namespaces}
    if release is not None:
        settings["release"] = absolute(release)
    directory = here()
    return Launch(
        directory=directory,
        working_directory=directory,
        environ=environment(root.get("config")),
        settings=settings,
        service=given(switches),
        log=Log(absolute(log_config) if log_config else None),
    )


if __name__ == "__main__":
    COMMANDS["serve"] = ("rave_http.cli.serve:serve", "Serve the operations of all namespaces over HTTP.")
    main()
