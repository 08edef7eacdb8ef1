"""``flow/timeline``: a real picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from matplotlib.image import imread
from rave_flow.errors import NothingFoundError
from rave_flow.pictures.operations import __export__ as pictures
from rave_flow.pictures.plots import draw_timeline, has_peak
from rave_flow.pictures.styling import COLOURS, new_figure, save

from rave_core import Runtime

timeline: Any = pictures["timeline"]
Serve = Callable[[Path], Runtime]


def colours_of(path: Path) -> set[str]:
    """The colours of more than a hundred pixels, as #RRGGBB."""
    pixels = (imread(path)[:, :, :3] * 255).round().astype("uint8").reshape(-1, 3)
    found, counts = numpy.unique(pixels, axis=0, return_counts=True)
    return {"#" + bytes(colour).hex().upper() for colour in found[counts > 100]}


@pytest.mark.parametrize("by", ["bytes", "packets", "flows"])
def test_a_timeline_is_a_picture_of_the_protocols(sharing: Serve, generated: Path, by: str) -> None:
    """A PNG of 1320 by 600 pixels, with the colours of TCP and UDP in it."""
    sharing(generated)
    path = Path(timeline(by, scale="linear"))
    assert path.suffix == ".png"
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert imread(path).shape[:2] == (600, 1320)
    assert {COLOURS["tcp"], COLOURS["udp"], "#FFFFFF"} <= colours_of(path)


@pytest.mark.parametrize(
    ("totals", "is_peak"),
    [([1, 2, 3, 2, 1], False), ([100, 101, 99, 100, 9000], True), ([5], False), ([0, 0, 7], False)],
)
def test_a_peak_makes_the_scale_logarithmic(totals: list[int], is_peak: bool) -> None:
    """Where it is more than thirty times the median of bins with flows; of protocols together."""
    assert has_peak({"tcp": totals}) is is_peak
    assert has_peak({"tcp": totals, "udp": [0] * len(totals)}) is is_peak


def test_a_timeline_of_zeros_is_a_picture_too(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """On a logarithmic scale as well: there is a flow, and it had no bytes."""
    serving(zeek([line(sent=0).replace("\t2\t50", "\t0\t0")]))
    for scale in ("auto", "log", "linear"):
        assert Path(timeline(scale=scale)).stat().st_size > 5000


def test_the_scale_is_chosen(sharing: Serve, generated: Path) -> None:
    """The backup at night is a peak: by itself the scale is logarithmic; linear is another picture."""
    sharing(generated)
    pictures = {scale: Path(timeline(scale=scale)).read_bytes() for scale in ("auto", "log", "linear")}
    assert pictures["auto"] == pictures["log"] != pictures["linear"]


def test_a_timeline_is_kept(serving: Serve, generated: Path) -> None:
    """The second time it is the same file, without drawing; another window is another file."""
    serving(generated)
    first = timeline.resolve(start="2024-05-14T08:00", end="2024-05-14T09:00")
    assert timeline.resolve(start="2024-05-14T08:00Z", end="2024-05-14T09:00Z").status == "hit"
    assert Path(timeline(start="2024-05-14T08:00", end="2024-05-14T10:00")) != Path(first.value)


def test_a_timeline_is_the_same_every_time(sharing: Serve, generated: Path, tmp_path: Path) -> None:
    """Equal flows give equal bytes."""
    sharing(generated)
    one, two = (Path(timeline(bin="30m", rave_tofile=tmp_path / name)).read_bytes() for name in ("1.png", "2.png"))
    assert one == two


def test_a_timeline_of_nothing_is_an_error(sharing: Serve, generated: Path) -> None:
    """An empty picture would look like a quiet day."""
    sharing(generated)
    with pytest.raises(NothingFoundError, match="no flows"):
        timeline(end="2020-01-01")


def test_many_protocols_are_drawn_as_five_and_others(tmp_path: Path) -> None:
    """Nine protocols of one bin each: the smaller ones are grey."""
    import pyarrow
    from rave_flow.model.windows import Bins

    names = ["tcp", "udp", "icmp", "sctp", "ospf", "vrrp", "pim", "ax", "ay"]
    amounts = [2 ** (20 - place) for place in range(9)]
    series = pyarrow.table({"proto": names, "bin": [0] * 9, "bytes": amounts, "packets": amounts, "flows": [5] * 9})
    figure = new_figure()
    draw_timeline(figure, series, Bins(1715644800, 3600, 1), "flows", "45 flows")
    save(figure, tmp_path / "many.png")
    assert {"#999999", "#56B4E9", COLOURS["icmp"]} <= colours_of(tmp_path / "many.png")
