"""A service whose operations refuse, leave, and never end: whatever they do, the workers answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

Service = Any  # RunningService of the conftest

LAB = """\
import argparse, logging, os, threading
from rave_core import OperationError, op, progress, typemap
from rave_core.errors import ArgumentError

vars(logging).setdefault("statistics", {})["Lab"] = {
    "Stuck": lambda scope: threading.Event().wait(), "Left": lambda scope: exit(3), "Fine": lambda scope: 7,
}


def parsed(text):
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int)
    return parser.parse_args(["--n", str(text)]).n


class Odd:
    def __init__(self, text):
        self.text = str(text)
        raise {"exit": SystemExit, "interrupt": KeyboardInterrupt, "generator": GeneratorExit, "key": KeyError,
               "stop": StopIteration, "recursion": RecursionError}[self.text]("odd")


def stuck(text):
    threading.Event().wait()


def left(request):
    raise {1: SystemExit, 2: KeyboardInterrupt, 3: GeneratorExit}[request.arguments["n"]]("strategy")


class Unkeepable:
    def __reduce__(self):
        raise SystemExit(3)


@op
@typemap(int, int)
def window(first, last):
    if last < first:
        raise OperationError("it ends before it starts", errors=[{"parameter": "last", "detail": "before first"}])
    return list(range(first, last))


@op
@typemap(int)
def refuse(n=1):
    raise ArgumentError("n is not good", parameter="n")


@op
@typemap(int)
def missing(status=404):
    raise OperationError("there is no such day", status=status)


@op
@typemap(parsed)
def number(n):
    return n


@op
@typemap(Odd)
def odd(how):
    return how


@op
@typemap(stuck)
def waits(x):
    return x


@op(expires=left)
@typemap(int)
def strategy(n):
    return n


@op
def unkeepable():
    return Unkeepable()


@op
def unwritable(how="raises"):
    '''Its very description has half of a surrogate pair in it: \\udcff.'''
    progress(1, 2, "reads caf\\udce9.txt")
    if how == "refuses":
        raise OperationError("no caf\\udce9.txt", errors=[{"parameter": "how", "detail": "\\udce9"}])
    raise FileNotFoundError("no caf\\udce9.txt")


@op(expires="nocache")
def worker():
    return os.getpid()


__export__ = {each.function.__name__: each for each in (
    window, refuse, missing, number, odd, waits, strategy, unkeepable, unwritable, worker)}
"""


@pytest.fixture(scope="module", name="hostile")
def _hostile(tmp_path_factory: pytest.TempPathFactory, launch_service: Callable[..., Any]) -> Any:
    place = tmp_path_factory.mktemp("hostile")
    (place / "lab").mkdir()
    (place / "lab" / "__init__.py").write_text(LAB)
    running = launch_service(place, service={"workers": 1, "time_limit": 2})
    yield running
    running.end()


def slug(answer: requests.Response) -> str:
    """Of the problem that an answer is."""
    return str(answer.json()["type"]).rpartition("/")[2]


def test_a_refusal_names_the_parameter(hostile: Service) -> None:
    """422 with the words of the operation, not kept as a failure, and no traceback anywhere."""
    for _ in range(2):
        answer = hostile.get("/lab/window?first=3&last=1")
        assert (answer.status_code, slug(answer)) == (422, "refused")
        assert answer.json()["detail"] == "it ends before it starts"
        assert answer.json()["errors"] == [{"parameter": "last", "detail": "before first"}]
    assert "lab/window failed" not in hostile.log
    lines = hostile.get("/-/metrics").text.splitlines()
    failures = [line for line in lines if line.startswith("rave_computations_failed_total") and "lab/window" in line]
    assert all(line.endswith(" 0.0") for line in failures)


def test_a_refusal_has_the_way_back_to_the_form(hostile: Service) -> None:
    """A browser gets a page that links the form, filled with what was asked."""
    page = hostile.get("/lab/window?first=3&last=1", headers={"Accept": "text/html"})
    assert page.status_code == 422
    assert "/-/ui/lab/window?first=3&amp;last=1" in page.text
    assert "before first" in page.text


def test_a_ticket_of_a_refusal_says_so(hostile: Service) -> None:
    """What was promised and refused is 422 at the ticket, too."""
    answer = hostile.get("/lab/window?first=4&last=1", headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    told = hostile.get(answer.headers["Location"], headers={"Prefer": "wait=10"})
    assert (told.status_code, slug(told)) == (422, "refused")


@pytest.mark.parametrize(("path", "status"), [("refuse", 400), ("missing", 404), ("missing?status=401", 422)])
def test_a_refusal_has_its_status(hostile: Service, path: str, status: int) -> None:
    """``ArgumentError`` is 400; 401 would speak of credentials."""
    assert hostile.get(f"/lab/{path}").status_code == status


@pytest.mark.parametrize("how", ["exit", "interrupt", "generator", "key", "stop", "recursion"])
def test_a_converter_that_fails_refuses_the_argument(hostile: Service, how: str) -> None:
    """In whatever way it fails: the worker lives, and the answer is 400."""
    before = hostile.get("/lab/worker").text
    for method in ("GET", "POST"):
        options = {"json": {"how": how}} if method == "POST" else {"params": {"how": how}}
        answer = hostile.ask(method, "/lab/odd", **options)
        assert (answer.status_code, slug(answer)) == (400, "bad-arguments")
    assert hostile.get("/lab/worker").text == before


def test_argparse_in_a_converter_is_harmless(hostile: Service) -> None:
    """It leaves the program, and takes no worker along."""
    before = hostile.get("/lab/worker").text
    answer = hostile.get("/lab/number?n=x")
    assert answer.status_code == 400
    assert hostile.get("/lab/number?n=5").text == "5"
    assert hostile.get("/lab/worker").text == before


@pytest.mark.parametrize("path", ["strategy?n=1", "strategy?n=2", "strategy?n=3", "unkeepable"])
def test_a_strategy_or_codec_that_leaves_costs_its_own_request(hostile: Service, path: str) -> None:
    """It is a problem, or the answer without being kept; the worker lives."""
    before = hostile.get("/lab/worker").text
    assert hostile.get(f"/lab/{path}").status_code in (200, 406, 500)
    assert hostile.get("/lab/worker").text == before


def test_converters_that_never_end_leave_the_others_alone(hostile: Service) -> None:
    """Twenty clients of a converter that waits for ever; everybody else is answered meanwhile."""
    before = hostile.get("/lab/worker").text

    def ask(n: int) -> None:
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.get(f"{hostile.url}/lab/waits?x={n}", timeout=3)

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask, n) for n in range(20)]
        for n in range(10):
            assert hostile.get(f"/lab/window?first=0&last={n}", timeout=2).status_code == 200
        for each in asked:
            each.result()
    assert hostile.get("/lab/worker").text == before


def test_a_callable_that_never_ends_spoils_its_own_cell(hostile: Service) -> None:
    """The statistics come, again and again, with every other cell."""
    for _ in range(20):
        document = hostile.get("/-/statistics", timeout=5).json()
        (cells,) = (each["Lab"] for each in document["workers"].values())
        assert cells["Fine"] == 7
        assert cells["Stuck"].startswith("error: ")
        assert cells["Left"].startswith("error: ")
    assert hostile.get("/lab/window?first=0&last=2").status_code == 200


def test_texts_that_utf_8_cannot_write_cost_no_answer(hostile: Service, wait_until: Callable[..., Any]) -> None:
    """Names of files may be such: what fails says so, its ticket too, and one operation does not hide the others."""
    failed = hostile.get("/lab/unwritable")
    assert (failed.status_code, failed.json()["detail"]) == (500, "FileNotFoundError: no caf?.txt")
    refused = hostile.get("/lab/unwritable?how=refuses")
    assert (refused.status_code, refused.json()["errors"]) == (422, [{"parameter": "how", "detail": "?"}])
    ticket = hostile.get("/lab/unwritable?how=async", headers={"Prefer": "respond-async"}).headers["Location"]
    wait_until(lambda: hostile.get(ticket).json().get("detail") == "FileNotFoundError: no caf?.txt", what="its failure")
    for path in ("/", "/lab", "/-/ops", "/-/ops/lab/unwritable", "/-/openapi.json", "/-/jobs"):
        for form in ("application/json", "text/html"):
            assert hostile.get(path, headers={"Accept": form}).status_code == 200, (path, form)
