"""Writers: what was committed is handed on, again until it is taken; alarms by mail and into a journal."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from email import message_from_string
from typing import Any

import pytest
from rave_monitor import Sample, target
from rave_monitor.checkpoint import Notice
from rave_monitor.configuration import MonitorConfig, MonitorConfigError
from rave_monitor.webhook import WebhookSender
from rave_monitor.writers.mail import MailWriter
from rave_monitor.writers.printed import PrintWriter

from rave_core import Runtime

NOTICE = {
    "monitor": "m", "alarm": "many", "state": "firing", "severity": "warning", "when": "count.n > 2",
    "since": 1_000_000_000.0, "samples": {"count": {"n": 3}},
}  # fmt: skip


class MailServer:
    """An SMTP server that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        mails = self.mails

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline():
                    if line.upper().startswith(b"DATA"):
                        self.wfile.write(b"354 go on\r\n")
                        mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                    self.wfile.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A server for mail."""
    made = MailServer()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def test_a_writer_gets_each_sample_once_in_order_over_refusals_and_restarts(place: Any, start: Any, hook: Any) -> None:
    """All that were committed, from where it was."""
    place.configure(place.counting + f'[[writers]]\nkind = "http"\nname = "out"\nurl = "{hook.url}"\n')

    def handed_on() -> list[tuple[float, Any]]:
        bodies = [json.loads(body) for _, body in hook.taken]
        return [(each["time"], each["values"]) for body in bodies for each in body["samples"]]

    for lines in (2, 4):
        monitor = start()
        place.append("1", "2")
        place.wait(lambda lines=lines: any(values["n"] == lines for _, values in handed_on()))
        place.wait(lambda: place.status()["writers"] == [{"name": "out", "trouble": ""}])
        monitor.stop()
    committed = [(each.time, each.values) for each in place.store.samples("count", 0, 1e12)][::-1]
    assert handed_on() == committed[: len(handed_on())]
    assert hook.refused == 1


def test_an_alarm_is_mailed_and_kept_in_a_journal(place: Any, start: Any, mail_server: MailServer) -> None:
    """By the writers that it names: once each."""
    place.configure(
        place.counting
        + '[[alarms]]\nname = "many"\nwhen = "count.n > 2"\nclear = "count.n > 4"\nnotify = ["ops", "log"]\n'
        + '[[writers]]\nkind = "journal"\nname = "log"\n'
        + f'[[writers]]\nkind = "mail"\nname = "ops"\nserver = "{mail_server.address}"\n'
        + 'to = ["a@example.org", "b@example.org"]\nsender = "rave@example.org"\n'
    )
    start()
    place.append("1", "2", "3")
    place.wait(lambda: len(mail_server.mails) == 1)
    place.append("4", "5")
    place.wait(lambda: len(mail_server.mails) == 2)
    fired, cleared = (message_from_string(each) for each in mail_server.mails)
    assert fired["subject"] == "[warning] monitor: many firing"
    assert (fired["to"], cleared["subject"][-7:]) == ("a@example.org, b@example.org", "cleared")
    assert "It fires when: count.n > 2" in fired.get_payload()
    with Runtime(place.settings) as runtime:
        place.wait(lambda: len(list(runtime.documents.history("journal:alarm-log", "many"))) == 2)
        newest = runtime.documents.get("journal:alarm-log", "many")
    assert json.loads(newest.payload)["state"] == "cleared"


def test_a_mail_names_the_alarm_and_stays_the_same_when_it_is_sent_again(mail_server: MailServer) -> None:
    """So that a client can tell that it is one."""
    writer = MailWriter(to=["a@example.org"], sender="rave@example.org", server=mail_server.address)
    for _ in range(2):
        writer.tell(NOTICE)
    first, second = (message_from_string(each) for each in mail_server.mails)
    assert first.items() == second.items()
    assert first["message-id"] == "<m.many.firing.1000000000.000@rave>"


def notices(url: str, *about: tuple[str, str]) -> list[Notice]:
    """Notices for a target, each of an alarm and a state."""
    now = time.time()
    return [Notice(f"{url}.{name}.{state}", url, now, {"alarm": name, "state": state}) for name, state in about]


def test_a_writer_that_hangs_delays_no_other(place: Any, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one whose mail server does not answer. That is told."""
    monkeypatch.setattr(target, "_PATIENCE", 0.0)
    hook.refuses, answers = 0, threading.Event()
    with Runtime(place.settings) as runtime:
        sender = WebhookSender(runtime, None)
        sender.use(None, {"ops": lambda _: answers.wait(30) and None})
        hanging, quick = notices("ops", ("a", "firing")), notices(hook.url, ("a", "firing"))
        place.wait(lambda: sender.send([*hanging, *quick]) == {quick[0].id})
        assert "ops has taken longer" in place.wait(lambda: sender.trouble)
        answers.set()
        place.wait(lambda: len(sender.send([*hanging, *quick])) == 2)
        assert sender.trouble is None
        sender.close()


def test_an_alarm_is_told_in_order(place: Any, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it cleared waits for that it fired to be taken; other alarms do not."""
    monkeypatch.setattr(target, "_FIRST_PAUSE", 0.02)
    with Runtime(place.settings) as runtime:
        sender = WebhookSender(runtime, None)
        all_of_them = notices(hook.url, ("a", "firing"), ("a", "cleared"), ("b", "other"))
        place.wait(lambda: len(sender.send(all_of_them)) == 3)
        sender.close()
    assert hook.states() == ["other", "firing", "cleared"]


def test_print_writes_a_line_of_json_for_each_sample_and_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    """For other programs to read."""
    writer = PrintWriter()
    writer.write([Sample("count", 1.0, {"n": 1})])
    writer.tell(NOTICE)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert printed == [{"processor": "count", "time": 1.0, "values": {"n": 1}}, NOTICE]


def test_mistakes_of_writers_are_named_with_their_lines(place: Any) -> None:
    """And an alarm can name only a writer that there is."""
    (place.directory / "word").write_text("x")
    (place.directory / "word").chmod(0o644)
    place.configure(
        place.counting
        + '[[writers]]\nkind = "http"\nname = "a"\nurl = "ftp://x"\n'
        + '[[writers]]\nkind = "mail"\nname = "a"\nto = ["a"]\nsender = "b@c"\n'
        + '[[writers]]\nkind = "mail"\nname = "b"\nto = ["a@b"]\nsender = "b@c"\nuser = "u"\n'
        + '[[writers]]\nkind = "mail"\nname = "c"\nto = ["a@b"]\nsender = "b@c"\npassword_file = "word"\n'
        + '[[writers]]\nkind = "print"\n'
        + '[[alarms]]\nname = "a"\nwhen = "count.n > 2"\nnotify = ["d"]\n'
    )
    with pytest.raises(MonitorConfigError) as caught:
        MonitorConfig.load(place.config)
    told = [each.partition(":")[2] for each in caught.value.mistakes]
    wanted = [
        "11: http: url is 'ftp://x'",
        "15: mail: to and sender have ['a']",
        "17: the name 'a' is taken",
        "20: mail: user is given",
        f"26: mail: {place.directory / 'word'} can be read by others: chmod 600",
        "32: a writer has no name",
        "37: notify has 'd'",
    ]
    assert [each[: len(right)] for each, right in zip(told, wanted, strict=True)] == wanted
