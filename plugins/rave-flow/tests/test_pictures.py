"""The pictures: real files, with what they are to show, the same every time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import pytest
from matplotlib.image import imread
from rave_flow.arguments.converters import to_source
from rave_flow.arguments.silk_converters import CONVERTERS
from rave_flow.errors import NothingFoundError
from rave_flow.generate import hosts
from rave_flow.model.windows import Bins, Window
from rave_flow.pictures import operations, styling
from rave_flow.pictures.operations import PICTURES
from rave_flow.sql import picture_tables
from rave_flow.steps import parquet_of

from rave_core import Runtime, ThreadPool

Serve = Callable[[Path], Runtime]
Row = dict[str, Any]
EXPORTS = operations.__export__


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_png_and_an_svg(sharing: Serve, generated: Path, name: str) -> None:
    """Of its size, with more in it than a frame."""
    sharing(generated)
    png, svg = Path(EXPORTS[name]()), Path(EXPORTS[f"{name}/svg"]())
    width, height = PICTURES[name].size
    pixels = imread(png)
    assert pixels.shape[:2] == (round(height * 120), round(width * 120))
    assert len(numpy.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20
    assert ElementTree.fromstring(svg.read_text()).tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"<dc:date>", svg.read_text())


@pytest.mark.parametrize("name", [name for name in EXPORTS if not name.endswith("/table")])
def test_a_picture_is_the_same_every_time(sharing: Serve, generated: Path, tmp_path: Path, name: str) -> None:
    """Equal flows give equal bytes, also where several are drawn at once."""
    sharing(generated)
    suffix = ".svg" if name.endswith("svg") else ".png"
    targets = [tmp_path / f"{number}{suffix}" for number in range(3)]
    draw: Any = EXPORTS[name]
    draw(rave_tofile=targets[0])
    with ThreadPool(2) as pool:
        list(pool.map(lambda target: paint(name, target), targets[1:]))
    assert len({target.read_bytes() for target in targets}) == 1


def paint(name: str, target: Path) -> None:
    """Draws with the defaults, without a cache of the picture."""
    from rave_flow.arguments.converters import to_source

    base = name.removesuffix("/svg")
    operations.paint(
        base, target, {**PICTURES[base].options, "start": None, "end": None, "source": to_source("default")}
    )


def test_one_flow_is_a_picture_too(serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]) -> None:
    """Of every kind."""
    serving(zeek([line()]))
    for name in PICTURES:
        assert Path(EXPORTS[name]()).stat().st_size > 5000


def test_no_flow_is_an_error(sharing: Serve, generated: Path) -> None:
    """Not an empty picture."""
    sharing(generated)
    for name in PICTURES:
        with pytest.raises(NothingFoundError):
            EXPORTS[name](end="2020-01-01")


def test_what_is_left_out_is_said_in_each_picture(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """Lines, files and copies, with the reasons: below the picture, and in the metadata of its file."""
    logs = zeek([line(), "1715680800.5\tcut"])
    (logs / "conn.$\u4e2d\x01.log").write_text("")
    serving(logs)
    for name in PICTURES:
        drawn, painted = (Path(EXPORTS[each]()).read_bytes() for each in (f"{name}/svg", name))
        for said in (b"1 line left out: 1 cut, of another number of fields", rb"conn.$\u4e2d\x01.log (is empty"):
            assert said in drawn
            assert said in painted


def test_what_is_missing_stands_below_a_picture() -> None:
    """As wide as it is, and as it is written; of much the beginning."""
    figure = styling.new_figure()
    styling.admit(figure, [])
    assert figure.get_supxlabel() == ""
    styling.admit(figure, ["1 line left out: $x$ " + "very " * 60 + "long", "2 files not read"])
    said = figure.get_supxlabel().splitlines()
    assert said[0].startswith("1 line left out: $x$ very")
    assert said[-1] == "2 files not read"
    assert max(map(len, said)) <= 157
    styling.admit(figure, [f"{number} words" for number in range(20)])
    assert figure.get_supxlabel().splitlines()[-2:] == ["6 words", "… the rest stands in the table"]


@pytest.fixture(scope="session")
def parquet(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The generated day as Parquet."""
    from rave_flow.formats.chunks import pieces_of
    from rave_flow.formats.source_directory import Repository
    from rave_flow.formats.to_parquet import to_parquet

    folder = tmp_path_factory.mktemp("parquet")
    targets = []
    for number, file in enumerate(Repository.scan(generated).files):
        targets.append(folder / f"{number}.parquet")
        (piece,) = pieces_of(file)
        to_parquet(piece, targets[-1])
    return targets


BINS = Bins(1715644800.0, 3600.0, 24)


def test_the_heat_map_shows_sums(parquet: list[Path], parsed: Callable[[Path], list[Row]], generated: Path) -> None:
    """Of each port and hour, against lines read one by one; all other ports together."""
    rows = [row for row in parsed(generated) if 0 <= row["us"] - 1715644800e6 < 86400e6]
    ports = Counter[tuple[int, str]]()
    for row in rows:
        if row["proto"] in ("tcp", "udp"):
            ports[row["dst_port"], row["proto"]] += row["bytes"]
    largest = set(sorted(ports, key=lambda port: (-ports[port], port))[:6])
    expected = Counter[tuple[Any, int]]()
    for row in rows:
        port = (row["dst_port"], row["proto"])
        expected[port if port in largest else (None, None), int((row["us"] - 1715644800e6) // 3600e6)] += row["bytes"]
    window = Window.of_hour(BINS.starts()[0])
    day = Window(window.start, BINS.starts()[-1] + (BINS.starts()[1] - BINS.starts()[0]))
    table = picture_tables.heat(parquet, day, BINS, "bytes", 6).to_pylist()
    assert {((row["port"], row["proto"]), row["bin"]): row["amount"] for row in table} == expected


def test_the_fan_out_shows_the_scanner(
    parquet: list[Path], parsed: Callable[[Path], list[Row]], generated: Path
) -> None:
    """First, with as many targets as its lines have."""
    table = picture_tables.fanout(parquet, Window(), BINS, 3).to_pylist()
    assert table[0]["src"] == hosts.SCANNER
    targets = {(row["dst"], row["proto"], row["dst_port"]) for row in parsed(generated) if row["src"] == hosts.SCANNER}
    assert table[0]["whole"] == len(targets)


def test_the_space_is_that_of_the_addresses(
    parquet: list[Path], parsed: Callable[[Path], list[Row]], generated: Path
) -> None:
    """The flows of each /16, and of IPv6."""
    expected = Counter[int | None]()
    for row in parsed(generated):
        octets = row["src"].split(".")
        expected[None if ":" in row["src"] else int(octets[0]) * 256 + int(octets[1])] += 1
    table = picture_tables.space(parquet, Window(), "flows", "src", 16).to_pylist()
    assert {row["net"]: row["amount"] for row in table} == expected


@pytest.mark.parametrize("order", [1, 2, 4, 8])
def test_hilberts_curve_goes_everywhere_in_single_steps(order: int) -> None:
    """Each place once, and neighbours are neighbours."""
    places = [picture_tables.hilbert(order, place) for place in range(4**order)]
    assert len(set(places)) == 4**order
    assert all(abs(x - u) + abs(y - v) == 1 for (x, y), (u, v) in pairwise(places))
    assert places[0] == (0, 0)
    assert places[-1] == (2**order - 1, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("flow_few", 51), ("flow_few", 0), ("flow_end", "both"), ("flow_prefix", 15), ("flow_prefix", 32)],
)
def test_what_can_not_be_drawn_is_refused(name: str, value: object) -> None:
    """As an argument."""
    with pytest.raises((TypeError, ValueError)):
        CONVERTERS[name].convert(value)


def test_many_hosts_do_not_overlap(serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]) -> None:
    """With fifty bars, and long addresses, each label has a place of its own."""
    from rave_flow.pictures.operations import plots
    from rave_flow.pictures.operations import styling as figures

    serving(zeek([line(src=f"2001:db8:1111:2222:3333:4444:5555:{number:x}", sent=number) for number in range(1, 60)]))
    assert Path(EXPORTS["talkers"](n=50)).stat().st_size > 5000
    figure = figures.new_figure(11, 6)
    from rave_flow.arguments.converters import to_source
    from rave_flow.inventory import Inventory
    from rave_flow.steps import top

    selection = Inventory.of(to_source("default").repository).select(Window())
    plots.draw_talkers(figure, top(selection.window, selection.slices, 50, "bytes", "src"), "src", "bytes", "")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    gaps = [above.y0 - below.y1 for above, below in pairwise(boxes)]
    assert min(gaps) > -2


def test_a_host_that_pings_reaches_no_ports(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """However many hosts it pings: ICMP is not in the fan-out."""
    pings = [
        line(src="10.0.0.9", proto="icmp").replace("192.0.2.80", f"192.0.2.{number}").replace("\t443\t", "\t0\t")
        for number in range(20)
    ]
    serving(zeek([*pings, line(src="10.0.0.1")]))
    inventory, selection = operations.selected(to_source("default"), None, None)
    bins = operations.Ground.of(inventory, selection).bins(96)
    table = picture_tables.fanout(parquet_of(selection.slices), selection.window, bins, 8)
    assert table["src"].to_pylist() == ["10.0.0.1"]
