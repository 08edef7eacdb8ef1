"""Alarms: when they fire and clear, and that people hear of each once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from rave_monitor.alarm import Alarm
from rave_monitor.checkpoint import AlarmState
from rave_monitor.condition import Condition, ConditionError
from rave_monitor.configuration import MonitorConfig, MonitorConfigError
from rave_monitor.webhook import WebhookSender

KEY = "0123456789abcdef0123"
LATEST = {"count": {"n": 5, "rate": 0.5}, "state": {"is": "up", "ok": True, "top": [["a", 7]]}}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("count.rate < 1", True),
        ("count.rate<1 and count.n >= 6", False),
        ("count.rate > 1 or count.n == 5", True),
        ("state.is == 'up'", True),
        ("state.ok != true", False),
        ("state.top.0.1 > 6.5", True),
        ("count.none < 1", None),
        ("other.n < 1", None),
        ("state.is < 1", None),
        ("count.n == 5 or other.n < 1", True),
        ("count.n == 6 or other.n < 1", None),
        ("count.n == 6 and other.n < 1", False),
    ],
)
def test_a_condition_holds_or_not_or_can_not_be_known(text: str, holds: bool | None) -> None:
    """A missing value is neither."""
    assert Condition.read(text).holds(LATEST) is holds


@pytest.mark.parametrize("text", ["", "count < 1", "count.n", "count.n < many", "count.n < 1 and", "count.n ~ 1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    """With an example of what would be right."""
    with pytest.raises(ConditionError, match="expected"):
        Condition.read(text)


def alarm(**given: Any) -> Alarm:
    """An alarm on the count."""
    clear = Condition.read(given["clear"]) if "clear" in given else None
    muted = given.get("muted_until", 0.0)
    return Alarm("a", Condition.read("count.n > 3"), clear, given.get("seconds", 0.0), "warning", (), muted)


def course(rule: Alarm, *counts: int | None) -> list[str]:
    """The states after samples one second apart, ``None`` for none, each with what people hear."""
    state, found = AlarmState(), []
    for time, count in enumerate(counts):
        state = rule.next(state, {} if count is None else {"count": {"n": count}}, float(time))
        news = rule.news(state, float(time))
        if news is not None:
            state = AlarmState(state.state, state.since, news == "firing")
        found.append(f"{state.state}!{news}" if news else state.state)
    return found


def test_an_alarm_fires_once_its_condition_has_held_for_long_enough() -> None:
    """A break begins the time again; what is not known changes nothing."""
    rule = alarm(seconds=2.0)
    assert course(rule, 4, 4, 1, 4, 4, 4, None, 5, 1, 1) == [
        "pending", "pending", "ok", "pending", "pending", "firing!firing", "firing", "firing", "ok!cleared", "ok",
    ]  # fmt: skip


def test_an_alarm_clears_by_a_condition_of_its_own() -> None:
    """Between the two it goes on."""
    assert course(alarm(clear="count.n < 2"), 4, 3, 2, 1, 3) == [
        "firing!firing",
        "firing",
        "firing",
        "ok!cleared",
        "ok",
    ]


def test_an_alarm_fires_in_time_after_the_clock_went_back() -> None:
    """It does not wait until the clock is where it was."""
    rule, states = alarm(seconds=2.0), [AlarmState("pending", since=3600.0)]
    for time in (10.0, 11.0, 12.0):
        states.append(rule.next(states[-1], {"count": {"n": 4}}, time))
    assert [each.state for each in states[1:]] == ["pending", "pending", "firing"]


def test_a_muted_alarm_is_silent() -> None:
    """People hear afterwards what still is so; what came and went meanwhile, they never hear."""
    assert course(alarm(muted_until=2.0), 4, 4, 4, 1) == ["firing", "firing", "firing!firing", "ok!cleared"]
    assert course(alarm(muted_until=2.0), 4, 1, 1, 1) == ["firing", "ok", "ok", "ok"]


def test_an_alarm_fires_once_and_clears_once_over_restarts(place: Any, start: Any, hook: Any) -> None:
    """A webhook that is refused is posted again, under the same identifier; each is signed."""
    (place.directory / "key").write_text(KEY)
    (place.directory / "key").chmod(0o600)
    rule = f'[[alarms]]\nname = "many"\nwhen = "count.n > 2"\nclear = "count.n > 4"\nnotify = ["{hook.url}"]\n'
    place.configure('webhook_key_file = "key"\n' + place.counting + rule)
    first = start()
    place.append("1", "2", "3")
    place.wait(lambda: hook.states() == ["firing"])
    place.wait(lambda: place.status()["alarms"][0]["state"] == "firing")
    first.stop()
    second = start()
    place.append("4")
    place.counts(4)
    place.append("5")
    place.wait(lambda: hook.states() == ["firing", "cleared"])
    place.counts(5)
    second.stop()
    start()
    place.append("6")
    place.counts(6)
    assert hook.states() == ["firing", "cleared"]
    assert hook.refused == 1
    for headers, body in hook.taken:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{wanted}"
    told = json.loads(hook.taken[0][1])
    assert (told["alarm"], told["severity"], told["samples"]["count"]["n"]) == ("many", "warning", 3)


def test_what_is_told_while_a_monitor_stops_is_not_told_again(
    place: Any, start: Any, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its receiver answers only after the last sample."""
    close = WebhookSender.close
    monkeypatch.setattr("rave_monitor.webhook._TIMEOUT", 60.0)
    monkeypatch.setattr(WebhookSender, "close", lambda sender: hook.answers.set() or close(sender))
    hook.refuses = 0
    hook.answers.clear()
    place.configure(f'{place.counting}[[alarms]]\nname = "any"\nwhen = "count.n > 0"\nnotify = ["{hook.url}"]\n')
    first = start()
    place.append("1")
    place.wait(lambda: hook.states() == ["firing"])
    first.stop()
    start()
    place.append("2")
    place.counts(2)
    assert hook.states() == ["firing"]


def test_mistakes_of_alarms_are_named_with_their_lines(place: Any) -> None:
    """All at once."""
    place.configure(
        place.counting
        + '[[alarms]]\nname = "a"\nwhen = "cound.n > 2"\nfor = "soon"\nnotify = ["ftp://x"]\ncolour = 1\n'
        + '[[alarms]]\nname = "a"\nmuted_until = "tomorrow"\n'
    )
    with pytest.raises(MonitorConfigError) as caught:
        MonitorConfig.load(place.config)
    told = [each.partition(":")[2] for each in caught.value.mistakes]
    wanted = [
        "13: when: there is no processor 'cound'; did you mean 'count'?",
        "14: for: bad duration",
        "15: notify has",
        "16: unknown key 'colour'",
        "17: an alarm has no condition",
        "18: the name 'a' is taken",
        "19: muted_until",
    ]
    assert [each[: len(right)] for each, right in zip(told, wanted, strict=True)] == wanted
