"""From a query or a body to a call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core import Runtime, list_of, op, typemap
from rave_core.model import Call
from rave_http.description.request_arguments import FORM, JSON, Asked, bind, read_body, read_query
from rave_http.protocol.problems import Problem


@op(name="args/typed")
@typemap(int, list_of(str), bool)
def typed(n: int, words: list[str] = [], flag: bool = False) -> Any:  # noqa: B006  # never changed
    """Arguments of several types."""
    return n, words, flag


@op(name="args/free")
def free(value: Any, *rest: Any, **more: Any) -> Any:
    """Any arguments."""
    return value, rest, more


def doubled(value: Any) -> int:
    """A converter that must not be asked twice."""
    CONVERTED.append(value)
    return int(value) * 2


def metres(value: Any) -> int:
    """A converter that refuses what it gives."""
    if not isinstance(value, str):
        raise TypeError("expected text")
    return int(value.removesuffix("km")) * 1000


@op(name="args/scaled")
@typemap(doubled, list_of(doubled), metres)
def scaled(n: int, many: Any = (), distance: Any = "1km") -> Any:
    """Converted arguments."""
    return n, many, distance


CONVERTED: list[Any] = []


@pytest.fixture(autouse=True)
def _in_use(runtime: Runtime) -> None:
    """Every call here is bound in a runtime of the test's own."""


def called(query: str, operation: Any = typed) -> tuple[Any, ...]:
    """What the body would be called with."""
    call = bind(read_query("args/op", query).asked, operation, operation.resolved())
    return (*call.args, call.kwargs) if call.kwargs else call.args


def refused(slug: str, *arguments: Any) -> Problem:
    """The problem of reading a body like this."""
    with pytest.raises(Problem) as caught:
        read_body("args/op", *arguments)
    assert caught.value.slug == slug
    return caught.value


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("n=3", (3, [], False)),
        ("n=3&words=a,b", (3, ["a", "b"], False)),
        ("n=3&words=a&words=b", (3, ["a", "b"], False)),
        ("n=3&words=x+y&flag=true", (3, ["x y"], True)),
        ("n=%33&words=%C3%A9", (3, ["é"], False)),
    ],
)
def test_a_query_is_read_by_the_typemap(query: str, expected: tuple[Any, ...]) -> None:
    """Texts become what the typemap says, lists by commas or by repetition."""
    assert called(query) == expected


def test_without_a_typemap_a_text_is_json_or_itself() -> None:
    """Nested values are written as JSON; what is no JSON is a text."""
    assert called('value={"a":[1,2]}', free) == ({"a": [1, 2]},)
    assert called("value=hello", free) == ("hello",)


def test_items_of_args_and_kwargs_are_given_by_name() -> None:
    """``*rest`` takes its repeated name, and ``**more`` every other."""
    assert called("value=1&rest=2&rest=3&other=4", free) == (1, 2, 3, {"other": 4})


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("n=x", "n", "wanted int"),
        ("n=1&wrods=a", "wrods", "did you mean 'words'?"),
        ("n=1&n=2", "n", "given 2 times"),
        ("n=1&rave.fresh=1", "rave.fresh", "did you mean 'rave.refresh'?"),
        ("n=1&rave.refresh=1&rave.refresh=1", "rave.refresh", "twice"),
        ("n=1&rave.refresh=maybe", "rave.refresh", "true or false"),
    ],
)
def test_a_wrong_parameter_is_named(query: str, parameter: str, words: str) -> None:
    """The problem names the parameter, and says what would be right."""
    with pytest.raises(Problem) as caught:
        called(query)
    assert caught.value.slug == "bad-arguments"
    assert caught.value.errors[0]["parameter"] == parameter
    assert words in caught.value.detail


def test_a_refused_argument_comes_with_its_schema() -> None:
    """The client learns what would fit without looking it up."""
    with pytest.raises(Problem) as caught:
        called("n=x")
    assert caught.value.errors[0]["schema"]["type"] == "integer"


def test_a_missing_argument_is_a_problem_that_lists_them_all() -> None:
    """What is missing is named."""
    with pytest.raises(Problem, match="n"):
        called("")


@pytest.mark.parametrize("query", ["n=%ff", "%ff=1", "&".join(f"a{i}=1" for i in range(1001))])
def test_a_query_that_cannot_be_read_is_a_bad_request(query: str) -> None:
    """Bytes that are no UTF-8, and too many parameters, are refused."""
    with pytest.raises(Problem) as caught:
        read_query("args/op", query)
    assert caught.value.slug == "bad-request"


def test_a_json_object_is_taken_as_it_is() -> None:
    """Values of a body are JSON's own, converted by the typemap."""
    request = read_body("args/op", "rave.f=json", JSON, b'{"n": 4, "words": ["a"]}')
    assert bind(request.asked, typed, typed.resolved()).args == (4, ["a"], False)
    assert request.controls.form == "json"


def test_a_form_is_read_like_a_query() -> None:
    """What a browser's form sends means the same as a query."""
    request = read_body("args/op", "", f"{FORM}; charset=utf-8", b"n=4&words=a%2Cb&rave.refresh=1")
    assert bind(request.asked, typed, typed.resolved()).args == (4, ["a", "b"], False)
    assert request.controls.refresh


def test_an_empty_body_is_no_arguments() -> None:
    """A POST without a body asks without arguments."""
    assert read_body("args/op", "", None, b"").asked == Asked(operation="args/op", document={})


def test_a_query_a_form_json_and_python_convert_once_and_agree() -> None:
    """The converter is asked once for each value, and all have one key and one value."""
    query = "n=3&many=1&many=2&distance=3km"
    document = json.dumps({"n": 3, "many": [1, 2], "distance": "3km"}).encode()
    ways: tuple[Callable[[], Call], ...] = (
        lambda: bind(read_query("args/scaled", query).asked, scaled, scaled.resolved()),
        lambda: bind(read_body("args/scaled", "", FORM, query.encode()).asked, scaled, scaled.resolved()),
        lambda: bind(read_body("args/scaled", "", JSON, document).asked, scaled, scaled.resolved()),
        lambda: scaled.bind(3, [1, 2], "3km"),
    )
    calls, counts = [], []
    for ask in ways:
        CONVERTED.clear()
        calls.append(ask())
        counts.append(len(CONVERTED))
    assert counts == [3] * 4
    assert {call.key for call in calls} == {scaled.key(3, [1, 2], "3km")}
    assert [call.args for call in calls] == [(6, [2, 4], 3000)] * 4


@pytest.mark.parametrize("body", [b'{"n": 1, "n": 2}', b'{"a": [{"n": 1, "n": 1}]}', b'{"n": 1, "\\u006e": 2}'])
def test_a_member_that_is_there_twice_is_a_bad_request_that_names_it(body: bytes) -> None:
    """Readers differ in which of the two counts, so neither does; at any depth, however it is written."""
    assert "'n' twice" in refused("bad-request", "", JSON, body).detail


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"{\xff}", b'{"rave.refresh": true}', b'{"n": NaN}'])
def test_a_bad_json_body_is_a_bad_request(body: bytes) -> None:
    """Broken JSON, and what is no object of arguments, is told from wrong arguments."""
    refused("bad-request", "", JSON, body)


@pytest.mark.parametrize("body", [rb'{"n": "\ud800"}', rb'{"\udcff": 1}', rb'{"n": [{"a": ["x\uDFFF"]}]}'])
def test_half_of_a_surrogate_pair_is_no_text(body: bytes) -> None:
    """No answer, ticket or log could write it in UTF-8; a pair is one character."""
    refused("bad-request", "", JSON, body)
    whole = read_body("args/op", "", JSON, rb'{"n": "\ud83d\ude00 \\ud800"}')
    assert whole.asked.document == {"n": "\U0001f600 \\ud800"}


def test_json_may_not_nest_without_end() -> None:
    """A body that nests too deep is refused before anybody recurses into it."""
    refused("bad-request", "", JSON, b'{"n":' + b"[" * 100 + b"]" * 100 + b"}")
    refused("bad-request", "", JSON, b'{"n":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_another_media_type_is_told_what_is_understood() -> None:
    """415 lists the types that are read."""
    problem = refused("unsupported-media-type", "", "text/csv", b"n,1")
    assert JSON in problem.headers["Accept-Post"]


def test_a_body_and_arguments_in_the_query_contradict_each_other() -> None:
    """A POST takes its arguments from one place."""
    assert "n" in refused("bad-arguments", "n=1", JSON, b"{}").detail


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: "." not in name), st.text(), max_size=5))
def test_every_query_keeps_its_names_and_texts(pairs: dict[str, str]) -> None:
    """Whatever is percent-encoded comes back as it was."""
    try:
        query = urlencode(pairs)
    except UnicodeEncodeError:
        return
    assert dict(read_query("args/op", query).asked.texts) == pairs


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5)))
def test_any_json_object_gives_a_call_or_a_problem(document: dict[str, Any]) -> None:
    """No object makes anything else than a call or a problem."""
    status = 200
    try:
        bind(read_body("args/op", "", JSON, json.dumps(document).encode()).asked, typed, typed.resolved())
    except Problem as problem:
        status = problem.status
    assert status in (200, 400)
