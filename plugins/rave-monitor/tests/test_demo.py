"""What ``make demo`` watches: a day that is written again, a page of it, and an alarm."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

from rave_monitor.arguments import MonitorChoice
from rave_monitor.page_tags import PageTags
from rave_monitor.page_template import render_page

EXAMPLES = Path(__file__).parents[3] / "examples"
HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tid.orig_h\tduration\tconn_state\n#types\ttime\taddr\tinterval\tstring\n"
)
NIGHT = 1_715_644_800
LINES = 2000


def write_day(folder: Path) -> None:
    """Two hours; in the second one, nobody answers."""
    folder.mkdir()
    for hour, state in enumerate(("SF", "S0")):
        lines = (f"{NIGHT + hour * 3600 + 1.75 * n}\t10.0.0.{n % 7}\t0.{n}\t{state}\n" for n in range(LINES))
        text = f"{HEADER}{''.join(lines)}#close\t2024-05-14-00-00-00\n"
        (folder / f"conn.{hour:02d}:00:00-{hour + 1:02d}:00:00.log.gz").write_bytes(gzip.compress(text.encode()))


def test_the_demo_counts_each_flow_of_the_day_and_tells_of_the_scan(place: Any, start: Any) -> None:
    """Over the rotations; each tag of its page is filled in."""
    write_day(place.directory / "day")
    place.config.write_text((EXAMPLES / "monitor.toml").read_text().replace('"1s"', '"0.05s"'))
    start()
    place.wait(lambda: place.latest("flows"))
    play = [sys.executable, EXAMPLES / "live_day.py", place.directory / "day", place.directory / "live" / "conn.log"]
    subprocess.run([*play, "--minutes", "0.01", "--after", place.config], check=True)
    place.wait(lambda: place.latest("flows")["n"] == 2 * LINES)
    assert place.latest("unanswered")["n"] == LINES
    rates = [each.values["rate"] for each in place.store.samples("unanswered", 0, 1e12)]
    assert max(rate for rate in rates if rate is not None) > 100
    choice = MonitorChoice("monitor", f"sqlite:///{place.directory}/monitor.sqlite")
    text = (EXAMPLES / "monitor_page.md").read_text()
    page = render_page(text, PageTags(choice, "", NIGHT, place.status()["alarms"]))
    assert "tag-error" not in page
    assert f"<td>{2 * LINES}</td>" in page
    assert "scan: " in page
