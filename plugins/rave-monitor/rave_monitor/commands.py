"""``rave monitor``: the command line of monitors."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from rave_core import current_runtime
from rave_core.errors import StoreAwayError, describe_error
from rave_monitor.configuration import MonitorConfig, MonitorConfigError

if TYPE_CHECKING:
    from rave_monitor.sample_store import SampleStore

_FAILED: Final = 1
_USAGE: Final = 2
_STALE: Final = 10.0
"""Seconds without a sign of a leader after which it counts as gone; more for a long sample period."""
_END: Final = {signal.SIGTERM, signal.SIGINT}
_RELOAD: Final = {signal.SIGUSR1, signal.SIGHUP}

config_argument = click.argument("config", type=click.Path(path_type=Path))
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def monitor() -> None:
    """Watch streams: run processors over what readers read, and sample them each period.

    CONFIG is a TOML file that names the sample period, the readers and the processors.
    """


@monitor.command()
@config_argument
@as_json_option
def check(config: Path, as_json: bool) -> None:
    """Check a configuration, and name all of its mistakes."""
    try:
        found = MonitorConfig.load(config)
    except MonitorConfigError as error:
        if as_json:
            click.echo(json.dumps({"mistakes": error.mistakes}, indent=2))
        else:
            _complain(error)
        raise click.exceptions.Exit(_USAGE) from None
    if as_json:
        click.echo(json.dumps({"mistakes": []}, indent=2))
    else:
        names = ", ".join(each.name for each in found.processors)
        click.echo(f"{config}: monitor {found.name!r} samples {names} every {found.sample_period:g} s")


@monitor.command()
@config_argument
def run(config: Path) -> None:
    """Run a monitor in the foreground, until Ctrl-C or SIGTERM.

    SIGUSR1 and SIGHUP load the configuration and its code again. Several may run; one of them leads, and another goes
    on from its last sample when it is gone.
    """
    with _told(), _waited_for(_END | _RELOAD):
        from rave_monitor.monitor import Monitor  # with SQLAlchemy, which other commands do without

        running = Monitor(config, current_runtime())
        failures: list[BaseException] = []
        thread = threading.Thread(target=_kept, args=(running.run, failures), name="rave-monitor")
        thread.start()
        while thread.is_alive():
            received = signal.sigtimedwait(_END | _RELOAD, 0.2)
            if received is None:
                continue
            if received.si_signo in _RELOAD:
                running.reload()
            else:
                running.stop()
        if failures:
            raise failures[0]


@monitor.command()
@config_argument
@as_json_option
def status(config: Path, as_json: bool) -> None:
    """Show how a monitor is, as its leader wrote last. Exits with 1 if nobody leads, or if anything is wrong."""
    found, store = _opened(config)
    now = current_runtime().clock.now()
    written = store.status()
    is_led = written is not None and now - written["written"] < max(_STALE, 5 * found.sample_period)
    if as_json:
        click.echo(json.dumps({"monitor": found.name, "is_led": is_led, **(written or {})}, indent=2))
    elif written is None:
        click.echo(f"monitor {found.name}: has never run")
    else:
        _print_status(found.name, written, is_led)
    if not is_led or _is_wrong(written or {}):
        raise click.exceptions.Exit(_FAILED)


@monitor.command()
@config_argument
@click.option("--wait", "seconds", default=10.0, show_default=True, help="Seconds to wait for the leader's answer.")
def reload(config: Path, seconds: float) -> None:
    """Have the leader load its configuration and code again, wherever it runs. If that fails, the old goes on."""
    _, store = _opened(config)
    clock, waiting = current_runtime().clock, threading.Event()
    number, until = store.ask_reload(), clock.monotonic() + seconds
    while (answer := store.reload_request()).done < number:
        if clock.monotonic() > until:
            click.echo(
                f"rave: error: no answer within {seconds:g} s: does anybody lead it? See rave monitor status", err=True
            )
            raise click.exceptions.Exit(_FAILED)
        clock.wait(waiting, 0.1)
    if answer.error:
        for line in answer.error.splitlines():
            click.echo(f"rave: error: {line}", err=True)
        raise click.exceptions.Exit(_FAILED)
    click.echo("reloaded")


@contextmanager
def _waited_for(numbers: set[signal.Signals]) -> Iterator[None]:
    """Has no handler run for signals that `signal.sigtimedwait` takes; threads that start within inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _opened(config: Path) -> tuple[MonitorConfig, SampleStore]:
    with _told():
        found = MonitorConfig.load(config)
        from rave_monitor.monitor import store_of

        return found, store_of(found, current_runtime())


def _kept(act: Any, failures: list[BaseException]) -> None:
    try:
        act()
    except BaseException as error:  # noqa: BLE001  # the main thread raises it
        failures.append(error)


@contextmanager
def _told() -> Iterator[None]:
    """Names each mistake of a configuration in a line of its own."""
    try:
        yield
    except MonitorConfigError as error:
        _complain(error)
        raise click.exceptions.Exit(_USAGE) from None
    except StoreAwayError as error:
        raise click.ClickException(describe_error(error)) from error


def _complain(error: MonitorConfigError) -> None:
    for mistake in error.mistakes:
        click.echo(f"rave: error: {mistake}", err=True)


def _is_wrong(written: dict[str, Any]) -> bool:
    parts = [*written.get("readers", []), *written.get("processors", []), *written.get("writers", [])]
    failed = any(each.get("trouble") or each.get("error") for each in parts)
    return failed or bool(written.get("reload_error") or written.get("rules"))


def _print_status(name: str, written: dict[str, Any], is_led: bool) -> None:
    last = datetime.fromtimestamp(written["written"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    state = "led" if is_led else "led by nobody; was led"
    click.echo(f"monitor {name}: {state} by {written['host']}/{written['pid']}, {written['events']} events, {last} UTC")
    for each in written["readers"]:
        click.echo(f"  reader {each['name']}: {each['events']} events  {each['trouble']}".rstrip())
    for each in written["processors"]:
        click.echo(f"  processor {each['name']}: {each['error'] or each['notice'] or 'works'}")
    for each in written["writers"]:
        click.echo(f"  writer {each['name']}: {each['trouble'] or 'works'}")
    for each in written["alarms"]:
        click.echo(f"  alarm {each['name']}: {each['state']}")
    for mistake in written["rules"]:
        click.echo(f"  {mistake}")
    if written["notify_trouble"]:
        click.echo(f"  can't notify: {written['notify_trouble']}")
    for notice in written["notices"]:
        click.echo(f"  told: {notice}")
    if written["reload_error"]:
        click.echo(f"  last reload failed: {written['reload_error']}")
