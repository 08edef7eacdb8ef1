"""The URLs that the service gives out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

RESULTS: Final = "/-/ui/r/"
"""What the paths of pages about products begin with; the key follows."""


@dataclass(frozen=True, slots=True)
class Links:
    """Builds URLs from paths.

    Attributes:
        base: the prefix of every path, without a slash at its end; empty for none.
    """

    base: str = ""

    def to(self, path: str) -> str:
        """The URL of a path of the service, which begins with a slash."""
        return f"{self.base}{path}"

    def to_operation(self, name: str) -> str:
        """The URL of an operation, by ``namespace/operation``."""
        return f"{self.base}/{quote(name)}"

    def to_product(self, key: str) -> str:
        """The URL of a product, by the text of its key."""
        return f"{self.base}/-/products/{key}"

    def to_result(self, key: str, query: str = "") -> str:
        """The URL of the page about a product.

        Args:
            key: the text of its key.
            query: begins with a question mark, unless it is empty.
        """
        return f"{self.base}{RESULTS}{key}{query}"

    def of_product(self, key: str, query: str = "") -> dict[str, str]:
        """The URLs of a product and of what belongs to it, by their relation.

        Args:
            key: the text of its key.
            query: begins with a question mark, unless it is empty.
        """
        path = self.to_product(key)
        views = {view: f"{path}/{view}{query}" for view in ("events", "meta", "job")}
        return {"product": f"{path}{query}", **views, "page": self.to_result(key, query)}
