"""The failure tests, by the fault that each brings about, run and told of."""

import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from mvstylizer.errors import InputError

FAULTS = {
    "F2": "the edge is killed (-9) while key frames are under way",
    "F5": "whoever publishes a release is killed between its files and the pointer",
    "F6": "the disk is full",
    "F7": "an upload breaks off",
    "F8": "clients that drip bytes, stall, or only hold connections",
    "F9": "bodies too long, chunked without end, or compressed bombs",
    "F10": "pictures of a few bytes with billions of pixels",
    "F12": "garbage: random bytes, and every truncation of a picture",
    "F13": "the release is swapped 30 times under load",
    "F14": "releases that are truncated, altered, of another kind, or give NaN",
    "F17": "the same request twice, and another one under its key",
    "F18": "a network that is slow, cut, silent or garbled; an edge that restarts",
    "F19": "more requests than the queue holds",
    "F20": "SIGTERM with work in flight; a second one",
    "F21": "port taken, model missing, directory unreadable, half a manifest",
    "F23": "a thousand requests, and thirty swaps: memory, files, threads",
    "F24": "anything that waits on the event loop",
}
"""What each number of tests marked ``failure`` stands for."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """Tests of one fault: how many passed, were skipped and failed."""

    passed: int
    skipped: int
    failed: int


def outcomes() -> dict[str, Outcome]:
    """Run all tests marked ``failure``; raises InputError where the tests are not at hand."""
    if not (_ROOT / "tests").is_dir():
        raise InputError(f"{_ROOT}: no tests here; run this in a checkout of the repository")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "failure", f"--junitxml={report}", "tests"]
        subprocess.run(command, cwd=_ROOT, check=False, stdout=sys.stderr)
        return _read(report)


def table(results: dict[str, Outcome]) -> Iterator[str]:
    """Markdown, one line for each fault."""
    yield "| | fault | tests | result |"
    yield "|---|---|---|---|"
    for number, fault in FAULTS.items():
        result = results.get(number, Outcome(0, 0, 0))
        count = result.passed + result.skipped + result.failed
        verdict = "**failed**" if result.failed else "passed" if result.passed else "**not run**"
        yield f"| {number} | {fault} | {count} | {verdict} |"


def _read(report: Path) -> dict[str, Outcome]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for case in ET.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        result = 2 if kinds & {"failure", "error"} else 1 if "skipped" in kinds else 0
        for each in case.iter("property"):
            if each.get("name") == "failure":
                counts[str(each.get("value"))][result] += 1
    return {number: Outcome(*three) for number, three in counts.items()}
