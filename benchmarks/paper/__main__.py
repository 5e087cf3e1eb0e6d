"""``python -m benchmarks.paper --all`` measures every table and figure of the paper again.

Markdown and plots go to ``benchmarks/results/paper``, one page a part and ``summary.md`` over all that are there.
What has been measured is kept in a folder, so a run that was stopped goes on where it was; ``--again`` forgets it.
``--quick`` shows in minutes that everything works, on clips made for it.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2

from benchmarks.clips import SHARED, machine
from benchmarks.finished import Finished
from benchmarks.paper import ablations, figure5, figure7, table1, table2, table3, table4, table5
from benchmarks.paper.material import made, material
from benchmarks.paper.part import Comparison, Context, Part, Report, table
from mvstylizer import release as releases
from mvstylizer.durable import write_text
from mvstylizer.engine import Engine
from mvstylizer.errors import MVStylizerError
from mvstylizer.pictures import write_picture

PARTS: dict[str, Part] = {
    "table1": table1.measure,
    "table2": table2.measure,
    "figure5": figure5.measure,
    "table3": table3.measure,
    "table4": table4.measure,
    "table5": table5.measure,
    "figure7": figure7.measure,
    "ablations": ablations.measure,
}
"""In the paper's order."""
_ROOT = Path(__file__).resolve().parents[2]
_RESULTS = Path(__file__).resolve().parents[1] / "results" / "paper"
_RUNS = _ROOT / "runs" / "paper"


def write(report: Report, name: str, about: Sequence[str], to: Path) -> None:
    """A part's page, its plots, and its lines of the summary."""
    for file, picture in report.plots.items():
        write_picture(to / file, picture, overwrite=True)
    shown = [line for file in report.plots for line in ("", f"![{report.title}]({file})")]
    write_text(to / f"{name}.md", "\n".join([f"# {report.title}", "", *about, "", *report.lines, *shown, ""]), True)
    write_text(to / f"{name}.json", json.dumps([asdict(line) for line in report.summary], indent=1) + "\n", True)


def summary(to: Path) -> Iterator[str]:
    """Markdown: the paper beside us, of all parts that are in the folder."""
    yield "# The paper, and what is measured here"
    yield ""
    yield (
        "`python -m benchmarks.paper --all`. The paper's figures are of a TITAN X and a Pixel 2, ours of the machine "
        "that each page names; only ratios within a column can be compared."
    )
    yield ""
    rows: list[Sequence[object]] = []
    for name in PARTS:
        path = to / f"{name}.json"
        for line in json.loads(path.read_text()) if path.exists() else ():
            each = Comparison(**line)
            rows.append((f"[{name}]({name}.md)", each.what, each.paper, each.ours, each.ratio))
    yield from table(("", "what", "paper", "ours", "ratio, or beside it"), rows)
    yield ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    wanted = {f"table{n}" for n in options.table} | {f"figure{n}" for n in options.figure}
    chosen = [name for name in PARTS if options.all or name in wanted or (name == "ablations" and options.ablations)]
    if not chosen:
        parser.error("nothing to do; give --table 1…5, --figure 5|7, --ablations or --all")
    cv2.setNumThreads(2)
    if options.again:
        shutil.rmtree(options.runs, ignore_errors=True)
    options.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        inputs = made(Path(scratch) / "made") if options.quick else material(options.data)
        release = options.release or releases.bundled()
        engine = Engine(release)
        runs = Path(scratch) / "runs" if options.quick else options.runs
        context = Context(inputs, engine, release, Finished(runs), options.quick, Path(scratch))
        about = [
            *machine(),
            f"- release {engine.version}, {inputs.name}" + ", --quick: means nothing" * options.quick,
            "- the date is the page's: what a run finds measured it does not measure again",
        ]
        for name in chosen:
            print(f"{name} …", file=sys.stderr)
            report = PARTS[name](context)
            write(report, name, about, options.results)
            print("\n".join([f"# {report.title}", "", *report.lines, ""]), flush=True)
    write_text(options.results / "summary.md", "\n".join(summary(options.results)), overwrite=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--table", type=int, action="append", choices=range(1, 6), default=[])
    add("--figure", type=int, action="append", choices=(5, 7), default=[])
    add("--ablations", action="store_true")
    add("--all", action="store_true")
    add("--quick", action="store_true", help="small, on clips made for it: shows that everything works")
    add("--data", type=Path, default=SHARED.parent, help="any folder of videos and photos")
    add("--release", type=Path, help="default: the bundled one")
    add("--results", type=Path, default=_RESULTS, help="folder to write to")
    add("--runs", type=Path, default=_RUNS, help="folder that keeps what has been measured")
    add("--again", action="store_true", help="forget what has been measured")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.paper: error: {error}")
