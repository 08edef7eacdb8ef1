"""``raved``: the service as a daemon, with its traditional switches."""

from __future__ import annotations

import logging
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from rave_core.cli.ending import DONE, INTERRUPTED, USAGE
from rave_core.cli.output import one_line
from rave_core.errors import ConfigurationError, RaveError
from rave_core.settings.sources import user_directory

if TYPE_CHECKING:
    from rave_http.cli.start import Prepared
    from rave_http.process.launch import Launch
    from rave_http.process.pid_file import PidFile

_FILE = click.Path(exists=True, dir_okay=False)
_DIRECTORY = click.Path(exists=True, file_okay=False)
_HOST, _PORT = "127.0.0.1", 8888
_RENAMED = {
    "data_expire_after": "data_expire_after",
    "data_purge_every": "data_purge_every",
    "vis_expire_after": "products_expire_after",
    "vis_purge_every": "products_purge_every",
}
_SERVICE = (
    "threads",
    "workers",
    "namespace_config",
    "namespace_root",
    "load_error_fatal",
    "url_base",
    "allow_anonymous",
)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--listen-addr", metavar="ADDR", help=f"Listen at this address.  [{_HOST}]")
@click.option("--listen-port", metavar="PORT", type=int, help=f"Listen at this port.  [{_PORT}]")
@click.option("--data-dir", metavar="DIR", type=click.Path(file_okay=False), help="Keep analysis data there.")
@click.option("--data-expire-after", metavar="TIME", help="Age at which data without a strategy of its own expires.")
@click.option("--data-purge-every", metavar="TIME", help="How often expired data is removed.  [2h]")
@click.option("--output-dir", metavar="DIR", type=click.Path(file_okay=False), help="Keep visualizations there.")
@click.option("--vis-expire-after", metavar="TIME", help="The same as --data-expire-after, for visualizations.")
@click.option("--vis-purge-every", metavar="TIME", help="How often expired visualizations are removed.  [2h]")
@click.option("--threads", metavar="N", type=int, help="Operations that each worker runs at once.  [5]")
@click.option("--namespace-config", metavar="FILE", type=_FILE, help="INI file with a section [namespaces].")
@click.option("--namespace-root", metavar="DIR", type=_DIRECTORY, help="Value of %(nsroot)s in it.")
@click.option("--log-config", metavar="FILE", type=_FILE, help="Logging configuration: INI, TOML or JSON.")
@click.option("--load-error-fatal", is_flag=True, default=None, help="Do not start if a namespace does not load.")
@click.option("--url-base", metavar="URL", help="Prefix of every URL that the service gives out.")
@click.option("--no-daemon", is_flag=True, help="Stay in the foreground, and log to standard error.")
@click.option("--working-dir", metavar="DIR", type=_DIRECTORY, default="/", help="Of the daemon.  [/]")
@click.option("--pidfile", metavar="FILE", type=click.Path(dir_okay=False), help="Write the process ID there.")
@click.option("--workers", metavar="N", type=int, help="Processes that answer requests.  [2]")
@click.option("--config", metavar="FILE", type=_FILE, help="Settings file to use.")
@click.option("--allow-anonymous", is_flag=True, default=None, help="Serve an outside address without authentication.")
@click.version_option(version("rave-framework"), prog_name="raved", message="%(prog)s %(version)s")
def raved(no_daemon: bool, pidfile: str | None, **switches: Any) -> None:
    """Serve the operations of all namespaces over HTTP, as a daemon.

    A TIME is a number of seconds, or written like 2h30m. Everything without a switch here is a setting in rave.toml.
    The command returns when the service is ready, or reports why it is not. SIGTERM stops the daemon and lets running
    jobs finish, SIGHUP reloads it, SIGUSR1 makes it reopen its log files. Without --log-config it logs to the system's
    log, if there is one.
    """
    from rave_http.cli.start import prepare
    from rave_http.process.pid_file import PidFile

    launch = _launch(switches, no_daemon)
    file = PidFile(pidfile) if pidfile else None
    if file is not None:
        file.check()
    prepared = prepare(launch, warn=lambda text: _say(f"warning: {text}"))
    if no_daemon:
        launch.log.start()
        prepared.run(pid_file=file, on_ready=lambda: _say(prepared.banner()))
    if prepared.service.access_log == "-":
        _say("warning: requests are logged nowhere: access_log is '-', and a daemon has no standard output")
    _run_as_daemon(prepared, file)


def _launch(switches: dict[str, Any], no_daemon: bool) -> Launch:
    from rave_http.cli.start import given
    from rave_http.process.launch import Launch, absolute, environment, here
    from rave_http.process.log_setup import Log, of_daemon

    environ = environment(switches["config"])
    if switches["log_config"]:
        log = Log(absolute(switches["log_config"]))
    else:
        log = Log() if no_daemon else of_daemon(user_directory("cache", environ))
    directory = here()
    return Launch(
        directory=directory,
        working_directory=directory if no_daemon else os.path.abspath(switches["working_dir"]),
        environ=environ,
        settings=_settings(switches),
        service=given({name: switches[name] for name in _SERVICE} | {"bind": _bind(switches)}),
        log=log,
    )


def _settings(switches: dict[str, Any]) -> dict[str, Any]:
    """The settings of the core that the switches give."""
    from rave_http.process.launch import absolute

    settings = {new: switches[old] for old, new in _RENAMED.items() if switches[old] is not None}
    if switches["data_dir"]:
        settings["cache"] = ["memory://", Path(absolute(switches["data_dir"]))]
    if switches["output_dir"]:
        settings["products"] = [Path(absolute(switches["output_dir"]))]
    return settings


def _bind(switches: dict[str, Any]) -> str | None:
    """Where to listen; ``None`` if the settings say so."""
    host, port = switches["listen_addr"], switches["listen_port"]
    if host is None and port is None:
        return None
    host = _HOST if host is None else host
    return f"{f'[{host}]' if ':' in host else host}:{_PORT if port is None else port}"


def _run_as_daemon(prepared: Prepared, file: PidFile | None) -> NoReturn:
    from rave_http.process.daemon import detach

    launch = prepared.launch
    parent = detach(launch.working_directory, keep=[prepared.listener.descriptor], say=_say)

    def ready() -> None:
        parent.ready(f"{prepared.banner()}, as pid {os.getpid()}; the log is {launch.log}")

    try:
        launch.log.start()
        parent.listen()
        prepared.run(pid_file=file, on_ready=ready, on_serving=parent.leave)
    except Exception as error:
        parent.listen()
        logging.getLogger("rave.server").error("%s", error, exc_info=None if isinstance(error, RaveError) else error)
        raise SystemExit(1) from None


def _say(text: str) -> None:
    """One line to standard error, marked as ours."""
    click.echo(f"raved: {text}", err=True)


def _leave_directory() -> None:
    """Starts over with a Python that imports nothing from the working directory; nor will the processes that it starts.

    Each of those would begin with that directory in its path, and run whatever is called like a module of Python there.
    """
    program = getattr(sys.modules["__main__"], "__file__", None) or ""
    if not sys.flags.safe_path and Path(program).stem == "raved":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until its imports are over
        os.execv(sys.executable, [sys.executable, "-P", "-m", "rave_http.cli.raved", *sys.argv[1:]])  # noqa: S606  # it is ourselves


def main() -> NoReturn:
    """Runs ``raved`` with the arguments of this process, and exits."""
    _leave_directory()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        raved.main(prog_name="raved", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        _say(f"error: {one_line(error.format_message()).rstrip('.')}; see 'raved --help'")
        sys.exit(USAGE)
    except (RaveError, OSError) as error:
        _say(f"error: {one_line(str(error))}")
        sys.exit(USAGE if isinstance(error, ConfigurationError) else 1)
    sys.exit(DONE)


if __name__ == "__main__":
    main()
