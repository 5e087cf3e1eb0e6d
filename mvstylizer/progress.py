"""The progress bar of the command line: frames done, frames per second, time left."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from mvstylizer.device import Progress


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[Progress], None]]:
    """Show the progress of one video on stderr while the block runs; yields what to report to.

    Shows nothing where stderr is no terminal, and leaves nothing behind when the block fails: the error is enough.
    """
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _FramesPerSecond(),
        TextColumn("{task.fields[keys]} key frames"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=10) as bar:
        task = bar.add_task(name, total=None, keys=0)

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.frames, total=progress.total, keys=progress.key_frames)

        try:
            yield report
        except BaseException:
            bar.live.transient = True
            raise


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("- fps" if speed is None else f"{speed:.1f} fps")
