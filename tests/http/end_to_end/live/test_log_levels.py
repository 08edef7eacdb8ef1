"""``/-/log``: levels of loggers, from the settings and while the service runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

Service = Any  # RunningService of the conftest

MORE = '''
import logging


@op
@expires(nocache)
@mime_type("text/plain")
def talk(word: str = "x") -> str:
    """Logs a line at each level."""
    logging.getLogger("lab.talk").debug("debug %s", word)
    logging.getLogger("lab.talk").error("error %s", word)
    return str(os.getpid())


__export__ |= {"talk": talk}
'''
ALL = ["view", "run", "metrics", "admin"]


def talk_in_each(service: Service, word: str) -> None:
    """Lets each worker answer once: the others are stopped meanwhile, so that they take no connection."""
    workers = service.workers()
    for worker in workers:
        others = [each for each in workers if each != worker]
        for each in others:
            os.kill(each, signal.SIGSTOP)
        try:
            assert service.get(f"/lab/talk?word={word}").text == str(worker)
        finally:
            for each in others:
                os.kill(each, signal.SIGCONT)


def test_a_level_is_set_in_every_worker_and_taken_back(start_service: Callable[..., Service]) -> None:
    """Also in one that starts later; a wrong level is refused, and so is a client without the permission."""
    service = start_service(more=MORE, anonymous=ALL)
    talk_in_each(service, "before")
    assert "error before" in service.log
    assert "debug before" not in service.log
    answer = service.ask("POST", "/-/log", json={"logger": "lab.talk", "level": "DEBUG"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"logger": "lab.talk", "level": "DEBUG", "silent": []}
    assert service.get("/-/log").json()["levels"]["lab.talk"] == "DEBUG"
    talk_in_each(service, "during")
    lines = [line for line in service.log.splitlines() if "debug during" in line]
    assert len({line.split()[3] for line in lines}) == 2
    assert service.ask("POST", "/-/log", json={"logger": "lab.talk", "level": "LOUD"}).status_code == 400
    assert service.ask("POST", "/-/log", json={"logger": "lab.talk"}).status_code == 400
    assert service.ask("POST", "/-/log", json={"logger": "lab.talk", "level": "DEFAULT"}).status_code == 200
    talk_in_each(service, "after")
    assert "debug after" not in service.log


def test_a_worker_that_starts_later_has_the_level_too(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Because the service remembers it until it stops."""
    service = start_service(more=MORE, anonymous=ALL, workers=1)
    assert service.ask("POST", "/-/log", json={"logger": "lab.talk", "level": "DEBUG"}).status_code == 200
    before = service.get("/lab/talk?word=one").text
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: service.get("/lab/talk?word=two").text != before, seconds=40)
    wait_until(lambda: "debug two" in service.log.rpartition(before)[2])
    assert service.get("/-/log").json()["levels"]["lab.talk"] == "DEBUG"


def test_levels_need_the_permission(shared_service: Service) -> None:
    """Which nobody has by default."""
    answer = shared_service.ask("POST", "/-/log", json={"logger": "lab.talk", "level": "DEBUG"})
    assert answer.status_code in (401, 403)
    assert shared_service.get("/-/log").status_code in (401, 403)
