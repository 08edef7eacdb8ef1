"""The catalog as Shoji: a client that knows nothing but the first URL finds every operation, and runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
import uritemplate

SHOJI = {"Accept": "application/shoji+json"}


def follow(url: str) -> dict[str, Any]:
    """A document, whose ``self`` is where it was found."""
    answer = requests.get(url, headers=SHOJI, timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/shoji+json"), url
    document: dict[str, Any] = answer.json()
    assert document["self"] == url
    assert datetime.fromisoformat(document["updated"]) < datetime.now(UTC)
    return document


def test_every_link_leads_to_a_document(shared_service: Any) -> None:
    """From the root to the namespace, to the operation, and to its result."""
    root = follow(f"{shared_service.url}/")
    assert root["element"] == "shoji:catalog"
    assert isinstance(root["catalogs"], dict)
    lab = follow(urljoin(root["self"], root["catalogs"]["lab"]))
    entities = [follow(urljoin(lab["self"], each)) for each in lab["entities"]]
    [square] = [each for each in entities if each["title"] == "lab/square"]
    assert square["element"] == "shoji:entity"
    run = uritemplate.expand(square["body"]["run"], n=7)
    assert requests.get(urljoin(square["self"], run), timeout=30).json() == {"n": 7, "square": 49}
    assert requests.get(urljoin(root["self"], root["views"]["openapi"]), timeout=30).status_code == 200


def test_a_search_is_a_template_and_goes_on_page_by_page(shared_service: Any) -> None:
    """``next`` leads to the rest, under the same question."""
    root = follow(f"{shared_service.url}/")
    found = follow(urljoin(root["self"], uritemplate.expand(root["catalogs"]["operations by text"], text="square")))
    assert "/-/ops/lab/square" in found["entities"]
    assert "/-/ops/lab/slow" not in found["entities"]
    page = follow(f"{shared_service.url}/-/ops?namespace=lab&limit=2")
    seen = list(page["entities"])
    while "next" in page["catalogs"]:
        page = follow(urljoin(page["self"], page["catalogs"]["next"]))
        seen += page["entities"]
    assert seen == follow(f"{shared_service.url}/lab")["entities"]


@pytest.mark.parametrize("path", ["/", "/lab", "/-/ops", "/-/ops/lab/square"])
def test_the_form_has_a_name_and_is_given_to_nobody_else(shared_service: Any, path: str) -> None:
    """``rave.f=shoji``; JSON and pages stay what they are."""
    named = shared_service.get(f"{path}?rave.f=shoji")
    assert named.headers["Content-Type"] == "application/shoji+json"
    assert named.json()["self"] == f"{shared_service.url}{path}"
    assert shared_service.get(path).headers["Content-Type"] == "application/json"
    assert "Accept" in named.headers["Vary"]
