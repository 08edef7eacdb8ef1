"""The table of a plugin is checked like RAVE's own settings."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

from dataclasses import dataclass

import pytest

from rave_core.errors import ConfigurationError
from rave_core.settings import Count, Duration, PluginSettings, Settings


@dataclass(frozen=True, kw_only=True)
class Timing(PluginSettings):
    """What two plugins have in common."""

    plugin = "timing"
    pause: Duration = Duration(1.0)


@dataclass(frozen=True, kw_only=True)
class Lottery(Timing):
    """A table whose values have to fit each other."""

    plugin = "lottery"
    least: Count = Count(1)
    most: Count = Count(49)

    def check(self, origin: str) -> None:
        """The range is not empty."""
        if self.most < self.least:
            raise ConfigurationError(f"{origin}: most is below least")


def lottery(**table: object) -> Lottery:
    """The settings that a table gives."""
    return Lottery.of(Settings(plugins={"lottery": table, "other": {"most": 0}}))


def test_a_table_is_converted_and_has_defaults() -> None:
    """Also in the settings of a base class; the tables of other plugins do not count."""
    assert lottery() == Lottery()
    found = lottery(pause="2m", most="7")
    assert (found.pause, found.least, found.most) == (120.0, 1, 7)
    assert found.origins["least"] == "default"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"mst": 7}, "unknown setting 'mst': did you mean 'most'"),
        ({"pause": "soon"}, "'pause' is 'soon'"),
        ({"least": 0}, "1 at least"),
        ({"least": 50}, "most is below least"),
    ],
)
def test_a_wrong_table_is_refused_by_name(table: dict[str, object], told: str) -> None:
    """The message says where it stands, and what would be right."""
    with pytest.raises(ConfigurationError, match=rf"^given \[plugins\.lottery\]: .*{told}"):
        lottery(**table)
