"""The command ``rave``: its subcommands, which are imported on use, and how it ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from rave_core.cli.ending import DONE, FAILED, INTERRUPTED, UNREAD, USAGE, Left, OperationFailed
from rave_core.cli.output import note, one_line
from rave_core.errors import (
    ArgumentError,
    ConfigurationError,
    DecorationError,
    InvalidDocumentError,
    OperationError,
    OptionError,
    RaveError,
    UnknownNameError,
)

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("rave_core.cli.run:run", "Run an operation, or print its kept result."),
    "list": ("rave_core.cli.catalog:list_operations", "List the installed operations."),
    "describe": (
        "rave_core.cli.catalog:describe",
        "Describe an operation: its parameters, its result, and how long results are kept.",
    ),
    "explain": ("rave_core.cli.explain:explain", "Show why a call would hit or miss."),
    "plan": ("rave_core.cli.explain:plan", "Show what a call would have to run, and for how long."),
    "cache": ("rave_core.cli.cache:cache", "Inspect the caches and clean them up."),
    "documents": ("rave_core.cli.documents:documents", "Look at documents, and move them."),
    "new": ("rave_core.cli.new:new", "Write a package for a namespace."),
    "plugins": ("rave_core.cli.plugins:plugins", "Show the plugins, what they add, and their problems."),
    "services": ("rave_core.cli.services:services", "List and run what plugins run beside the workers."),
    "config": ("rave_core.cli.config:config", "Show every setting, and where its value comes from."),
    "doctor": ("rave_core.cli.doctor:doctor", "Check that everything is in order."),
    "shell": ("rave_core.cli.shell:shell", "Start a Python prompt in which calls go to the configured caches."),
    "completion": ("rave_core.cli.completion:completion", "Print the completion script of a shell."),
}
"""Each built-in command: where it is defined, and its line in the help."""

_MISUSE = (
    ArgumentError,
    ConfigurationError,
    DecorationError,
    InvalidDocumentError,
    OperationError,
    OptionError,
    UnknownNameError,
)


class Rave(click.Group):
    """The group of all commands: built-in ones and those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Built-in commands in the order of the help, then those of plugins."""
        return [*COMMANDS, *sorted(self._shown(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now.

        Raises:
            RaveError: the settings are wrong, so that nobody knows the commands of plugins.
        """
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            found: click.Command = getattr(import_module(module), attribute)
            return found
        return (self._shown(ctx) if ctx.resilient_parsing else self._of_plugins(ctx)).get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing the built-in ones."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
        added = self._shown(ctx)
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, added[name].get_short_help_str(90)) for name in sorted(added)])

    def _shown(self, ctx: click.Context) -> dict[str, click.Command]:
        """The commands of plugins, to list them; none, with a warning, if the settings are wrong."""
        try:
            return self._of_plugins(ctx)
        except RaveError as error:
            note(f"warning: the commands of plugins are left out: {error}")
            return {}

    def _of_plugins(self, ctx: click.Context) -> dict[str, click.Command]:
        """The commands that plugins registered; problems with them are reported, but not fatal.

        Raises:
            RaveError: the settings are wrong.
        """
        from rave_core.cli.session import session_of
        from rave_core.plugins.discovery import Plugins

        registry = Plugins.installed(session_of(ctx).settings.disabled_plugins).commands
        usable = {}
        for name, command in registry.items():
            wrong = _what_is_wrong(name, command)
            if wrong:
                note(f"warning: command {name!r} of plugin {registry.origin(name)} is left out: {wrong}")
            else:
                usable[name] = command
        return usable

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> NoReturn:
        """Runs the command line, and exits."""
        extra |= {"prog_name": "rave", "standalone_mode": False}
        try:
            code = super().main(args, **extra)
        except click.Abort:
            code = INTERRUPTED
        except click.ClickException as error:
            code = _told(error)
        sys.exit(code if isinstance(code, int) else DONE)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As in any group; if parsing ends with the help, closes here what showing it has opened."""
        try:
            return super().parse_args(ctx, args)
        except Exception:
            ctx.close()
            raise

    def invoke(self, ctx: click.Context) -> None:
        """Runs the chosen command, and turns every way that it can end into an exit code and a single line."""
        try:
            super().invoke(ctx)
            sys.stdout.flush()
        except (KeyboardInterrupt, click.Abort):
            note("interrupted")
            raise Left(INTERRUPTED) from None
        except BrokenPipeError:
            _discard_output()
            raise Left(UNREAD) from None
        except (RaveError, OSError) as error:
            _show_traceback(ctx)
            note(f"error: {one_line(_words(error))}")
            raise Left(USAGE if isinstance(error, _MISUSE) else FAILED) from None
        except OperationFailed:
            _show_traceback(ctx)
            raise
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001  # people get one line for any error, and the rest if they ask
            _show_traceback(ctx)
            note(f"error: unexpected {type(error).__name__}: {one_line(str(error))}; 'rave -v' shows where")
            raise Left(FAILED) from None


def _what_is_wrong(name: str, command: object) -> str | None:
    if name in COMMANDS:
        return "rave has a command of that name"
    if not isinstance(command, click.Command):
        return f"{command!r} is not a click command"
    return None


def _told(error: click.ClickException) -> int:
    """Reports a usage error or a failed operation in one line; returns its exit code."""
    if isinstance(error, OperationFailed):
        note(error.message)
        return FAILED
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    hint = f"; see '{context.command_path} --help'" if context is not None else ""
    note(f"error: {one_line(error.format_message()).rstrip('.')}{hint}")
    return error.exit_code


def _words(error: Exception) -> str:
    """The message; for a system error, the file and the reason, without the number."""
    if isinstance(error, OSError) and error.filename and error.strerror and not isinstance(error, RaveError):
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _show_traceback(ctx: click.Context) -> None:
    if ctx.find_root().params.get("verbose"):
        traceback.print_exc(file=sys.stderr)


def _discard_output() -> None:
    """Discards what is still buffered, so that Python does not complain about it at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until the process ends


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import platform
        from importlib.metadata import version

        click.echo(f"rave {version('rave-framework')} (Python {platform.python_version()})")
        ctx.exit()


@click.group(cls=Rave, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="Settings file to use.")
@click.option("--set", "given", metavar="NAME=VALUE", multiple=True, help="Override a setting; may be repeated.")
@click.option("-v", "--verbose", count=True, help="Log to standard error, with tracebacks; twice for everything.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def rave(config: str | None, given: tuple[str, ...], verbose: int) -> None:  # noqa: ARG001  # read by the session
    """Run cached analysis operations, and manage what they keep.

    Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 the operation failed, 2 bad
    usage or arguments, 3 a dry run found nothing.
    """
    from rave_core.cli.session import current_session

    current_session()


def main() -> NoReturn:
    """Runs the command line with the arguments of this process, and exits."""
    rave.main()


if __name__ == "__main__":
    main()
