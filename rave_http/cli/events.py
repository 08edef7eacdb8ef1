"""``rave events``: prints what happens in a service."""

from __future__ import annotations

from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

import click
import msgspec

from rave_core.cli.output import note, one_line, say
from rave_http.cli.service_choice import chosen_client, service_options

if TYPE_CHECKING:
    from rave_http.client import ServiceEvent

_OPEN: Final = "events.open"
_LOST: Final = "events.lost"


@click.command()
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
@click.option("--count", metavar="N", type=click.IntRange(min=1), help="Leave after N events.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print each event as JSON in a line: {topic, time, origin, data}."
)
@service_options
def events(
    topics: tuple[str, ...], count: int | None, as_json: bool, url: str | None, key_file: IO[str] | None
) -> None:
    """Print what happens in a service, from now on.

    TOPIC is a topic such as job.finished, or a pattern in which * stands for any text, such as 'namespace.*'. Without
    one all topics are printed. You see the events of namespaces that you may view.

    A line on standard error says when the stream is open, and how many events are missing where some are.
    """
    printed = 0
    with chosen_client(url, key_file) as client:
        for event in client.events(*topics):
            if event.topic == _OPEN:
                note(f"listening to {' '.join(topics) or '*'} at {client.url}")
                continue
            if event.topic == _LOST:
                missing = "some" if event.data.get("count") is None else event.data["count"]
                note(f"warning: {missing} events are missing: {one_line(str(event.data.get('reason')))}")
            if event.topic != _LOST or as_json:
                _print(event, as_json=as_json)
            printed += event.topic != _LOST
            if printed == count:
                return


def _print(event: ServiceEvent, *, as_json: bool) -> None:
    if as_json:
        document = {"topic": event.topic, "time": event.time, "origin": event.origin, "data": event.data}
        click.echo(msgspec.json.encode(document).decode())
        return
    when = datetime.fromtimestamp(event.time).astimezone().isoformat(" ", "milliseconds")
    facts = " ".join(f"{name}={_shown(value)}" for name, value in event.data.items() if value is not None)
    say(f"{when}  {event.topic}  {one_line(facts, 10_000)}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if text and " " not in text else f'"{text}"'
