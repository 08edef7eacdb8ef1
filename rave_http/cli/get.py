"""The command ``rave-get``: asks a service for a product, waits for it, and writes it.

It uses only the client, so it starts quickly and runs where the rest of RAVE is not installed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn, cast

import click

from rave_http.cli.get_bar import Bar, Screen, is_terminal, note, one_line, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rave_http.client import Client, ClientError, Options, Product
    from rave_http.client.sinks import Facts

FAILED: Final = 1
"""The operation or the service failed, or the waiting time was over."""
USAGE: Final = 2
"""Bad usage or arguments."""
NOTHING: Final = 3
"""Only a kept result was wanted, and there is none."""
INTERRUPTED: Final = 130
UNREAD: Final = 141
"""The reader of the output stopped reading; as if by the signal SIGPIPE."""

_STDOUT: Final = "-"
_FORMS: Final = {".csv": "csv", ".parquet": "parquet", ".json": "json"}
"""The forms that suffixes of files stand for."""
_UNKNOWN: Final = frozenset({".xls", ".xlsx", ".ods", ".docx"})
"""Suffixes of forms that the service does not make, though they are often wanted."""
_TEXTUAL: Final = ("application/json", "application/xml", "application/yaml", "application/x-ndjson")


class Left(click.exceptions.Exit):
    """The command was left early."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("url")
@click.argument("arguments", metavar="[NAME=VALUE ...]", nargs=-1)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write to FILE, and replace it atomically; in a directory, to a name made of the operation and the "
    "media type. '-' is standard output, even if that is a terminal.",
)
@click.option(
    "--wait", metavar="S", type=click.FloatRange(min=0), help="Wait S seconds for the product, then print its ticket."
)
@click.option("--max-time", metavar="S", type=click.FloatRange(min=0), help="Take S seconds at most for everything.")
@click.option("--accept", metavar="TYPE", help="Ask for a media type, as in text/csv.")
@click.option("--format", "form", metavar="NAME", help="Ask for a form by its short name, as in csv.")
@click.option("--refresh", is_flag=True, help="Compute it even if a result is kept.")
@click.option("--deep-refresh", is_flag=True, help="Compute it and every operation that it calls.")
@click.option(
    "--only-cached", "--dry-run", is_flag=True, help="Get the stored result, or exit with 3; compute nothing."
)
@click.option("-H", "--header", "headers", metavar="'N: V'", multiple=True, help="Send a header; may be repeated.")
@click.option("--key", metavar="KEY", help="API key. Others can see it in the list of processes; prefer --key-file.")
@click.option("--key-file", metavar="FILE", type=click.File(), help="Read the API key from FILE; '-' is stdin.")
@click.option("--no-resume", is_flag=True, help="Do not resume a download, and leave nothing to resume.")
@click.option("--json", "as_json", is_flag=True, help="Print facts of the product as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Write nothing but errors to standard error.")
@click.option("-v", "--verbose", is_flag=True, help="Show each request and its outcome.")
@click.version_option(package_name="rave-framework", prog_name="rave-get", message="%(prog)s %(version)s")
def rave_get(url: str, arguments: tuple[str, ...], **switches: Any) -> None:
    """Get the product of an analysis from a RAVE service.

    URL is that of an operation, as in http://host:8888/flow/top?n=5, or of a ticket. Arguments may also be given as
    NAME=VALUE, which is encoded for you; a repeated NAME makes a list.

    The command waits for a product that is not ready, with a progress bar on a terminal, even if the service restarts.
    The product goes to standard output, or with -o to a file. An interrupted download resumes where it stopped, even
    when you run the same command again.

    The API key comes from --key, --key-file or the variable RAVE_KEY. Only the host of URL receives it. Facts
    (--json) go to standard output if there is an -o FILE, else to standard error.

    Exit codes: 0 done, 1 the operation or the service failed or --wait was over, 2 bad usage or arguments, 3
    --only-cached found nothing.
    """
    if switches["only_cached"] and (switches["refresh"] or switches["deep_refresh"]):
        raise click.UsageError("--only-cached computes nothing, so it can't refresh; leave one out")
    texts = [_pair(text) for text in arguments]
    _check_output(switches["output"])
    switches["form"] = switches["form"] or _form_for(url, texts, switches)
    bar = Bar(url, is_quiet=switches["quiet"])
    if switches["verbose"]:
        bar.show_log()
    try:
        with bar:
            product = _get(url, texts, switches, bar)
        _tell(product, switches, bar)
    except KeyboardInterrupt:
        note("interrupted")
        bar.tell_ticket()
        raise Left(INTERRUPTED) from None
    except BrokenPipeError:
        _discard_output()
        raise Left(UNREAD) from None


def main() -> NoReturn:
    """Runs the command with the arguments of this process, and exits."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs the command with ``arguments``; its exit code."""
    try:
        code = rave_get.main(list(arguments), prog_name="rave-get", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        note(f"error: the package {error.name} is missing, which rave-get needs: pip install 'rave-framework[http]'")
        return FAILED
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = "; see 'rave-get --help'" if context is not None else ""
        note(f"error: {one_line(error.format_message()).rstrip('.')}{hint}")
        return error.exit_code
    return code if isinstance(code, int) else 0


def _get(url: str, texts: list[tuple[str, str]], switches: dict[str, Any], bar: Bar) -> Product:
    """Writes the product to its target. On an error, prints it and exits with its code."""
    from rave_http.client import ClientError

    try:
        with _client(url, switches) as client:
            product = client.open_url(
                url, _target(switches["output"]), _options(switches, bar), texts=texts, check=_Check(switches, bar)
            )
        sys.stdout.flush()
        return product
    except BrokenPipeError:
        raise
    except ClientError as error:
        _fail(str(error), bar)
        code = _code_of(error)
        if code == FAILED:
            bar.tell_ticket()
        raise Left(code) from None
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), bar)
        raise Left(FAILED) from None


def _code_of(error: ClientError) -> int:
    from rave_http.client import BadRequest, BadURL, NotKept

    if isinstance(error, NotKept):
        return NOTHING
    return USAGE if isinstance(error, (BadRequest, BadURL)) else FAILED


def _fail(message: str, bar: Bar) -> None:
    bar.stop()
    note(f"error: {one_line(message)}")


def _client(url: str, switches: dict[str, Any]) -> Client:
    from rave_http.client import Client
    from rave_http.client.credentials import origin_of

    return Client(origin_of(url), _key(switches), headers=dict(map(_header, switches["headers"])))


def _options(switches: dict[str, Any], bar: Bar) -> Options:
    from rave_http.client import Options

    return Options(
        refresh=switches["refresh"],
        deep_refresh=switches["deep_refresh"],
        only_cached=switches["only_cached"],
        format=switches["form"],
        accept=switches["accept"],
        timeout=switches["wait"],
        total_timeout=switches["max_time"],
        on_progress=bar.show,
        resume=not switches["no_resume"],
    )


def _key(switches: dict[str, Any]) -> str:
    key, file = switches["key"], switches["key_file"]
    if key is not None and file is not None:
        raise click.UsageError("--key and --key-file both give a key; leave one out")
    found: str = os.environ.get("RAVE_KEY", "") if key is None else key
    return found.strip() if file is None else str(file.read()).strip()


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.UsageError(f"--header {text!r}: expected 'NAME: VALUE'")
    return name.strip(), value.strip()


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.UsageError(f"argument {text!r}: expected NAME=VALUE")
    return name, value


def _check_output(output: str | None) -> None:
    """Refuses a file that can't be written, before the first request."""
    if output is None or output == _STDOUT:
        return
    target = os.path.realpath(output)
    parent = target if os.path.isdir(target) else os.path.dirname(target)
    if output.endswith("/") and not os.path.isdir(target):
        parent = target
    if not os.path.isdir(parent):
        raise click.UsageError(f"-o {output}: there is no directory {parent}")
    if not os.access(parent if parent == target or not os.path.exists(target) else target, os.W_OK):
        raise click.UsageError(f"-o {output}: it can't be written: permission denied")


def _form_for(url: str, texts: list[tuple[str, str]], switches: dict[str, Any]) -> str | None:
    """The form that the suffix of the output file stands for, unless the user asks for one in another way."""
    suffix = os.path.splitext(switches["output"] or "")[1].lower()
    is_asked = switches["accept"] or "rave.f" in url or any(name == "rave.f" for name, _ in texts)
    if is_asked or os.path.isdir(switches["output"] or ""):
        return None
    if suffix in _UNKNOWN:
        raise click.UsageError(
            f"-o {switches['output']}: no result has the form {suffix}; write to a .csv or .parquet file, or ask for a "
            "form of your own by --format or --accept"
        )
    return _FORMS.get(suffix)


def _target(output: str | None) -> Path | IO[bytes]:
    if output is None and is_terminal(sys.stdout):
        return cast("IO[bytes]", Screen(sys.stdout.buffer))
    return sys.stdout.buffer if output is None or output == _STDOUT else Path(output)


class _Check:
    """Looks at a product before any of it goes to standard output."""

    def __init__(self, switches: dict[str, Any], bar: Bar) -> None:
        self._may_be_binary = switches["output"] == _STDOUT or not is_terminal(sys.stdout)
        self._bar = bar

    def __call__(self, facts: Facts) -> None:
        """Refuses a product that a terminal can't show, unless the user explicitly wants it there."""
        kind = facts.media_type.partition(";")[0].strip().lower()
        if is_terminal(sys.stdout):
            self._bar.stop()  # they share the screen
        if not self._may_be_binary and not _is_text(kind):
            raise click.UsageError(
                f"the product is {kind or 'binary'}, which a terminal can't show: write it to a file with -o FILE, "
                "or insist with -o -"
            )


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") or kind in _TEXTUAL or kind.endswith(("+json", "+xml"))


def _tell(product: Product, switches: dict[str, Any], bar: Bar) -> None:
    """Reports the outcome."""
    if switches["as_json"]:
        click.echo(json.dumps(_facts(product, bar), indent=2), err=product.path is None)
    elif not switches["quiet"] and (switches["verbose"] or (is_terminal(sys.stderr) and product.path is not None)):
        written = f"; wrote {product.path}" if product.path is not None else ""
        note(f"{'hit' if product.is_hit else 'made'}, {size(product.size)} in {bar.seconds:.1f} s{written}")


def _facts(product: Product, bar: Bar) -> dict[str, Any]:
    return {
        "url": product.url,
        "path": None if product.path is None else str(product.path),
        "key": product.key or None,
        "etag": product.etag or None,
        "media_type": product.media_type,
        "bytes": product.size,
        "cache_status": product.cache_status or None,
        "expires_in": product.expires_in,
        "seconds": round(bar.seconds, 3),
    }


def _discard_output() -> None:
    """Drops what is still buffered, so that Python does not complain about it at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until the process ends


if __name__ == "__main__":
    main()
