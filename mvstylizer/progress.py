"""What the command line shows of a video while it is worked on: a bar, plain lines, JSON for scripts, or nothing."""

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from mvstylizer.device import Progress

MODES = ("auto", "bar", "plain", "json", "none")
PLAIN_SECONDS = 10.0
"""Between two plain lines: logs stay short."""
JSON_SECONDS = 0.5
_WINDOW_SECONDS = 10.0
"""Speed is that of so many last seconds."""

Report = Callable[[Progress], None]


def showing(mode: str, source: Path) -> AbstractContextManager[Report]:
    """Show on stderr how far ``source`` has come while the block runs; yields what to report to.

    ``auto`` is a bar on a terminal, else plain lines; there, work of less than ``PLAIN_SECONDS`` says nothing at all.
    """
    if mode == "none":
        return nullcontext(lambda _: None)
    if mode == "json":
        return json_lines(source)
    if mode == "plain" or (mode == "auto" and not Console(file=sys.stderr).is_terminal):
        return plain_lines(source, says_little=mode == "auto")
    return progress_bar(source.name)


def noting(mode: str, source: Path) -> Callable[[str], None]:
    """What tells the user, on stderr, in a line each, what will not be as in ``source``."""
    if mode == "none":
        return lambda _: None
    if mode == "json":
        return lambda line: _say(json.dumps({"file": str(source), "note": line}))
    return lambda line: _say(f"mvstylizer: note: {source}: {line}")


@contextmanager
def progress_bar(name: str) -> Iterator[Report]:
    """A bar with frames done, frames a second and time left; wiped when the block fails: the error is enough."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _FramesPerSecond(),
        TextColumn("{task.fields[keys]} key frames"),
        TimeRemainingColumn(),
    )
    console = Console(file=sys.stderr, force_terminal=True)
    with Bar(*columns, console=console, speed_estimate_period=_WINDOW_SECONDS) as bar:
        task = bar.add_task(name, total=None, keys=0)

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.frames, total=progress.total, keys=progress.key_frames)

        try:
            yield report
        except BaseException:
            bar.live.transient = True
            raise


@contextmanager
def plain_lines(source: Path, says_little: bool = False, every: float = PLAIN_SECONDS) -> Iterator[Report]:
    """A line every so many seconds and a last one; that only after others where it ``says_little``."""
    pace = _Pace(every)
    yield pace.report(lambda progress: _say(f"{source.name}: {_in_words(progress, pace.speed)}"))
    if pace.last is not None and (pace.told or not says_little):
        _say(f"{source.name}: {_in_words(pace.last, pace.speed)}, done")


@contextmanager
def json_lines(source: Path, every: float = JSON_SECONDS) -> Iterator[Report]:
    """A JSON object a line: the first frame, one every so many seconds, and the last, where frames equals total.

    ``file``, ``frames`` done, ``total`` (null where unknown), ``key_frames`` among those done, ``fps`` of the last ten
    seconds and ``eta`` in seconds (both null as long as unknown).
    """
    pace = _Pace(every, is_first_told=True)

    def tell(progress: Progress) -> None:
        speed, left = pace.speed.fps, pace.speed.seconds_left(progress)
        _say(
            json.dumps(
                {
                    "file": str(source),
                    "frames": progress.frames,
                    "total": progress.total,
                    "key_frames": progress.key_frames,
                    "fps": None if speed is None else round(speed, 2),
                    "eta": None if left is None else round(left, 1),
                }
            )
        )

    yield pace.report(tell)
    if pace.last is not None:
        tell(Progress(pace.last.frames, pace.last.frames, pace.last.key_frames))


class Speed:
    """Frames a second, of the times at which frames were done."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, frames: int) -> None:
        """``frames`` are done at the time ``now``, in seconds."""
        self._samples.append((now, frames))
        while len(self._samples) > 2 and self._samples[1][0] < now - _WINDOW_SECONDS:
            self._samples.popleft()

    @property
    def fps(self) -> float | None:
        """Of the last seconds; None before there are two times."""
        if len(self._samples) < 2 or self._samples[-1][0] <= self._samples[0][0]:
            return None
        (begin, before), (end, after) = self._samples[0], self._samples[-1]
        return (after - before) / (end - begin)

    def seconds_left(self, progress: Progress) -> float | None:
        """None where the total or the speed is unknown."""
        if progress.total is None or not self.fps:
            return None
        return max(0, progress.total - progress.frames) / self.fps


class _Pace:
    """Lets through one report every so many seconds."""

    def __init__(self, every: float, is_first_told: bool = False) -> None:
        self.speed = Speed()
        self.last: Progress | None = None
        self.told = False
        self._every = every
        self._next = 0.0 if is_first_told else time.monotonic() + every

    def report(self, tell: Report) -> Report:
        def take(progress: Progress) -> None:
            now = time.monotonic()
            self.last = progress
            self.speed.add(now, progress.frames)
            if now >= self._next:
                self._next, self.told = now + self._every, True
                tell(progress)

        return take


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("- fps" if speed is None else f"{speed:.1f} fps")


def in_words(seconds: float) -> str:
    """A length of time to read: ``8 s``, ``2 min 5 s``, ``1 h 3 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _in_words(progress: Progress, speed: Speed) -> str:
    of = "" if progress.total is None else f" of {progress.total}"
    parts = [f"{progress.frames}{of} frames", f"{progress.key_frames} key frames"]
    left = speed.seconds_left(progress)
    if speed.fps is not None:
        parts.append(f"{speed.fps:.1f} fps")
    if left:
        parts.append(f"{in_words(left)} left")
    return ", ".join(parts)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
