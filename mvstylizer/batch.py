"""Many files one after the other: a failure stops only its own file, and a table at the end says how each went."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mvstylizer.errors import BatchError, MVStylizerError
from mvstylizer.progress import in_words
from mvstylizer.sources import Task

_MEGABYTE = 1_000_000
_PIPE_COLUMNS = 160
_COLOURS = {"done": "green", "skipped": "yellow", "failed": "red"}


@dataclass(frozen=True)
class Outcome:
    """How one file went; ``frames`` is 0 for pictures, ``error`` the one line that says why it failed."""

    task: Task
    state: Literal["done", "skipped", "failed"]
    frames: int = 0
    seconds: float = 0.0
    bytes: int = 0
    error: str = ""
    exit_code: int = 0


def run_batch(tasks: Sequence[Task], stylize: Callable[[Task], int], overwrite: bool, as_json: bool = False) -> None:
    """Carry out every task and say on stderr how each went, the names of new results on stdout.

    ``stylize`` returns how many frames it wrote. A result that is there already is skipped unless ``overwrite``.

    Raises:
        BatchError: some failed; with the exit code of the first that did.
    """
    outcomes: list[Outcome] = []
    try:
        for task in tasks:
            is_there = task.output.exists() and not overwrite
            outcomes.append(Outcome(task, "skipped") if is_there else _carried_out(task, stylize))
            _tell(outcomes[-1], as_json)
    finally:
        if not as_json:
            _print_table(outcomes)
    _raise_failures(outcomes)


def _carried_out(task: Task, stylize: Callable[[Task], int]) -> Outcome:
    begin = time.monotonic()
    try:
        frames = stylize(task)
    except MVStylizerError as error:
        return Outcome(task, "failed", error=" ".join(str(error).split()), exit_code=error.exit_code)
    return Outcome(task, "done", frames, time.monotonic() - begin, task.output.stat().st_size)


def _tell(outcome: Outcome, as_json: bool) -> None:
    if outcome.state == "done":
        print(outcome.task.output, flush=True)
    if as_json:
        print(json.dumps(_values(outcome)), file=sys.stderr, flush=True)
    elif outcome.error:
        print(f"mvstylizer: error: {outcome.error}", file=sys.stderr, flush=True)


def _raise_failures(outcomes: Sequence[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if failed:
        raise BatchError(
            f"{len(failed)} of {len(outcomes)} files failed, first {failed[0].task.source}; "
            "run the same command again when that is put right: what is done is skipped",
            failed[0].exit_code,
        )


def _print_table(outcomes: Sequence[Outcome]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("")
    for name in ("frames", "time", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(*_cells(outcome))
    console = Console(file=sys.stderr)
    # Where nobody knows how wide a line may be, names stay whole.
    console = console if console.is_terminal else Console(file=sys.stderr, width=_PIPE_COLUMNS)
    console.print(table)


def _cells(outcome: Outcome) -> tuple[Text, ...]:
    is_done = outcome.state == "done"
    frames = str(outcome.frames) if outcome.frames else ""
    took = in_words(outcome.seconds) if is_done else ""
    size = f"{outcome.bytes / _MEGABYTE:.1f}" if is_done else ""
    state = "skipped: exists already" if outcome.state == "skipped" else outcome.state
    return Text(str(outcome.task.source)), Text(state, _COLOURS[outcome.state]), Text(frames), Text(took), Text(size)


def _values(outcome: Outcome) -> dict[str, str | int | float | None]:
    return {
        "file": str(outcome.task.source),
        "state": outcome.state,
        "output": None if outcome.state == "failed" else str(outcome.task.output),
        "frames": outcome.frames,
        "seconds": round(outcome.seconds, 2),
        "bytes": outcome.bytes,
        "error": outcome.error or None,
        "exit_code": outcome.exit_code,
    }
