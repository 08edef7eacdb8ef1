"""Rules of alarms in a journal: followed while the monitor runs; a mistake is told, and the rule before goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from rave_monitor.commands import monitor
from rave_monitor.configuration import MonitorConfig, MonitorConfigError
from rave_monitor.rule_journal import rule_of

from rave_core import Runtime, using

OTHER = '[[alarms]]\nname = "other"\nwhen = "count.n < 0"\n'


class Journal:
    """The journal of the rules."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.documents = runtime, runtime.documents

    def commit(self, key: str, text: str | None) -> None:
        """Commits the next version; ``None`` deletes."""
        newest = self.documents.get("journal:alarms", key)
        version = 0 if newest is None else newest.metadata.version
        payload = None if text is None else text.encode()
        self.documents.save("journal:alarms", key, payload, expect=version, author="somebody")


@pytest.fixture
def journal(place: Any) -> Iterator[Journal]:
    """The journal in the documents of the settings, where the monitor finds it."""
    with Runtime(place.settings) as runtime:
        yield Journal(runtime)


def alarms(place: Any) -> dict[str, str]:
    """The states of the alarms, by name."""
    return {each["name"]: each["state"] for each in place.status().get("alarms", [])}


def test_rules_in_a_journal_are_followed(place: Any, start: Any, journal: Journal, hook: Any) -> None:
    """A muted one is silent; one with a mistake goes on as it was; one that is deleted is gone."""
    hook.refuses = 0
    rule = f'when = "count.n > 2"\nnotify = ["{hook.url}"]\n'
    journal.commit("many", rule + "muted_until = 2100-01-01T00:00:00Z\n")
    place.configure('rules = "alarms"\n' + place.counting + OTHER)
    start()
    place.append("1", "2", "3")
    place.counts(3)
    place.wait(lambda: alarms(place) == {"other": "ok", "many": "muted"})
    place.append("4")
    place.counts(4)
    assert hook.taken == []
    journal.commit("many", rule)
    place.wait(lambda: hook.states() == ["firing"])
    journal.commit("many", "when = 3")
    place.wait(lambda: place.status()["rules"])
    told = place.status()["rules"]
    assert ["rule 'many': when: " in each for each in told] == [True, False]
    assert told[1] == "rule 'many': version 2 goes on"
    assert alarms(place) == {"other": "ok", "many": "firing"}
    with using(journal.runtime):
        shown = CliRunner().invoke(monitor, ["status", str(place.config)])
    assert (shown.exit_code, [line for line in told if line not in shown.output]) == (1, [])
    assert "  alarm many: firing\n" in shown.output
    journal.commit("many", None)
    place.wait(lambda: alarms(place) == {"other": "ok"} and not place.status()["rules"])
    assert hook.states() == ["firing"]


def test_an_alarm_of_a_journal_fires_once_over_a_restart(place: Any, start: Any, journal: Journal, hook: Any) -> None:
    """Its state is kept, whatever is read first."""
    hook.refuses = 0
    journal.commit("many", json.dumps({"when": "count.n > 0", "notify": [hook.url], "muted_until": "2001-01-01"}))
    place.configure('rules = "alarms"\n' + place.counting)
    place.append("1")
    first = start()
    place.wait(lambda: hook.states() == ["firing"] and alarms(place) == {"many": "firing"})
    first.stop()
    start()
    place.append("2")
    place.counts(2)
    place.wait(lambda: alarms(place) == {"many": "firing"})
    assert hook.states() == ["firing"]


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("many", "when =", "it is neither TOML nor JSON"),
        ("many", "{", "it is neither TOML nor JSON"),
        ("many", 'when = "count.n > 1"\nclear = "cound.n < 1"', "clear: there is no processor 'cound'"),
        ("many", '{"when": "count.n > 1", "muted_until": "soon"}', "muted_until: "),
        ("many", 'when = "count.n > 1"\nseverity = "a\\nb"', "severity is 'a\\nb': expected a word"),
        ("other", 'when = "count.n > 1"', "the configuration has an alarm of this name"),
        ("a b", 'when = "count.n > 1"', "its key can't be the name of an alarm"),
    ],
)
def test_a_document_that_is_no_rule_is_told(place: Any, journal: Journal, key: str, text: str, told: str) -> None:
    """And is no alarm."""
    place.configure(place.counting + OTHER)
    journal.commit(key, text)
    alarm, mistakes = rule_of(journal.documents.get("journal:alarms", key), MonitorConfig.load(place.config))
    assert alarm is None
    assert mistakes[0].startswith(told)


def test_rules_have_to_name_a_journal(place: Any) -> None:
    """By a text."""
    place.configure("rules = 3\n" + place.counting)
    with pytest.raises(MonitorConfigError, match="rules is 3: expected the name of a journal"):
        MonitorConfig.load(place.config)
