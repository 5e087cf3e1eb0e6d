"""How long federated training takes to recover from each fault.

``python -m benchmarks.federated.recovery`` runs the tests that bring the faults about, on Flower's real engine, and
writes ``federated_recovery.md`` into benchmarks/results.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.clips import machine
from mvstylizer.durable import write_text
from mvstylizer.errors import InputError, MVStylizerError

_ROOT = Path(__file__).resolve().parents[2]
_RESULTS = Path(__file__).resolve().parents[1] / "results"
_ENGINE, _PUBLISHING = "tests/fl_server/test_engine.py", "tests/fl_clients/test_publishing.py"
_PROCESSES = "test_the_loop_goes_on_whatever_is_killed"
_DISK_AND_EDGES = "test_the_loop_goes_on_whatever_the_disk_and_the_edges_do"
_OUTSIDE = "test_from_outside_only_known_edges_take_part"
_RESTORED = "test_an_edge_without_frames_is_restored"
_KEPT = ("- in all of these: no finished round was lost, and the model is what its edges made of it",)
_MEASURED = re.compile(r"(?P<fault>.+?), (?P<until>until .+): (?P<seconds>[0-9.]+) s")


@dataclass(frozen=True)
class Fault:
    """What goes wrong, as its test names it when it measures; the test; and how that ends if it passes."""

    name: str
    test: str
    outcome: str
    file: str = _ENGINE


FAULTS = (
    Fault("SuperLink killed in mid-round", _PROCESSES, "the same round goes on; what edges have done counts"),
    Fault("ServerApp killed in mid-round", _PROCESSES, "the next campaign does that round"),
    Fault("flower-server killed in mid-round and started again", _PROCESSES, "what was left over is ended; the next "
          "campaign does that round"),
    Fault("an edge killed while it trains", _DISK_AND_EDGES, "the round goes on without it, once Flower misses it"),
    Fault("an edge away for two rounds", _DISK_AND_EDGES, "both rounds are made of the others; it takes part again"),
    Fault("disk full when a round is to be saved", _DISK_AND_EDGES, "the round waits in memory and is tried "
          "again after 1 to 60 s; edges are not asked again"),
    Fault("newest checkpoint damaged and flower-server started", _DISK_AND_EDGES, "reported; the one before it counts, "
          "and its round is done again"),
    Fault("flower-server killed while it writes a checkpoint and started again", _DISK_AND_EDGES, "the half of it is "
          "passed over, its round is done again (after the damaged one)"),
    Fault("an edge joins late", _OUTSIDE, "it takes part from the next round on"),
    Fault("the same edge twice", _OUTSIDE, "the second one is refused, the first trains on"),
    Fault("an edge lost its disk", _RESTORED, "the cloud's newest round runs on it", _PUBLISHING),
)  # fmt: skip


@dataclass(frozen=True)
class Recovery:
    """One time of recovery."""

    fault: str
    until: str
    seconds: float


def recoveries() -> tuple[list[Recovery], dict[str, str]]:
    """What the tests measured, and ``passed``, ``skipped`` or ``failed`` by test.

    Raises InputError where the tests are not at hand.
    """
    if not (_ROOT / "tests").is_dir():
        raise InputError(f"{_ROOT}: no tests here; run this in a checkout of the repository")
    tests = sorted({f"{fault.file}::{fault.test}" for fault in FAULTS})
    with tempfile.TemporaryDirectory() as folder:
        report, times = Path(folder) / "report.xml", Path(folder) / "recoveries"
        times.touch()
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *tests]
        environment = os.environ | {"MVSTYLIZER_RECOVERIES": str(times)}
        subprocess.run(command, cwd=_ROOT, env=environment, check=False, stdout=sys.stderr)
        return _times(times.read_text()), _results(report)


def table(found: Sequence[Recovery], results: Mapping[str, str]) -> Iterator[str]:
    """Markdown, a line for each time, and one for each fault that has none."""
    yield "| fault | what is measured | seconds | outcome |"
    yield "|---|---|---|---|"
    for fault in FAULTS:
        result = results.get(fault.test, "not run")
        outcome = fault.outcome if result == "passed" else f"**{result}**"
        times = [each for each in found if each.fault == fault.name]
        for each in times:
            yield f"| {fault.name} | {each.until} | {each.seconds:.0f} | {outcome} |"
        if not times:
            yield f"| {fault.name} | | | {outcome} |"


def _times(text: str) -> list[Recovery]:
    matches = (_MEASURED.fullmatch(line) for line in text.splitlines())
    return [Recovery(each["fault"], each["until"], float(each["seconds"])) for each in matches if each]


def _results(report: Path) -> dict[str, str]:
    if not report.exists():
        return {}
    results = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        result = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        results[str(case.get("name"))] = result
    return results


def main() -> int:
    """Run the benchmark; 1 unless all tests passed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.federated.recovery", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--to", type=Path, default=_RESULTS, metavar="DIR")
    options = parser.parse_args()
    found, results = recoveries()
    passed = all(results.get(fault.test) == "passed" for fault in FAULTS)
    lines = [
        "# Recovery of federated training", "", "`python -m benchmarks.federated.recovery`", "", *machine(),
        f"- load average of the last quarter of an hour {os.getloadavg()[2]:.0f}, the cloud and its edges among it",
        "- `kill -9` throughout; two edges that train for up to 6 s; a round of Flower takes some 7 s by itself",
        *(_KEPT if passed else ()),
        "", *table(found, results),
    ]  # fmt: skip
    write_text(options.to / "federated_recovery.md", "\n".join([*lines, ""]), overwrite=True)
    print("\n".join(lines))
    return int(not passed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.federated.recovery: error: {error}")
