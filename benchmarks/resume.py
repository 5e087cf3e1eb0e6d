"""``mvstylizer stylize``, killed at random moments and run again: what is kept, and whether it ends the same.

``python -m benchmarks.resume`` prints one Markdown table. Each trial kills the command (SIGKILL) once, runs it again to
its end and compares every decoded frame with an uninterrupted run's; the most bytes that lay in the output's folder,
output included, are those of the whole trial.
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clips import SHARED, machine
from benchmarks.memory import write_loop
from mvstylizer.errors import MVStylizerError, OutputError
from mvstylizer.video import VideoReader
from mvstylizer.video.segments import SegmentStore
from mvstylizer.video.writer import SEGMENT_FRAMES

CLIP = SHARED / "clips" / "udacity_solidwhite.mp4"
_POLL = 0.02
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Trial:
    """One kill: when, what was kept, and what came of it."""

    killed_after: float
    """Seconds."""
    kept: int
    """Frames in finished segments."""
    seconds: float
    """That the second run took."""
    is_same: bool
    most_bytes: int
    output_bytes: int


def trials(source: Path, count: int, seed: int, folder: Path) -> tuple[float, list[Trial]]:
    """Seconds of an uninterrupted run, and the trials.

    Raises OutputError where a run that nobody kills fails.
    """
    whole = folder / "whole.mp4"
    seconds, _ = _run(source, whole, None)
    wanted, rng = _digest(whole), random.Random(seed)
    results = []
    for number in range(count):
        output = folder / f"trial-{number}.mp4"
        moment = rng.uniform(0.5, seconds)
        _, before = _run(source, output, moment)
        store = SegmentStore(output)
        kept = sum(segment.frames for segment in store.sound_segments())
        again, after = _run(source, output, None) if not output.exists() else (0.0, 0)
        same = _digest(output) == wanted
        results.append(Trial(moment, kept, again, same, max(before, after), output.stat().st_size))
        output.unlink()
    return seconds, results


def _run(source: Path, output: Path, kill_after: float | None) -> tuple[float, int]:
    """Seconds that the command ran, and the most bytes under names of its output."""
    command = [sys.executable, "-m", "mvstylizer", "stylize", str(source), "--style", "golden-hour", "-o", str(output)]
    began, most = time.monotonic(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        if kill_after is not None and time.monotonic() - began > kill_after:
            process.send_signal(signal.SIGKILL)
        most = max(most, _bytes_of(output))
        time.sleep(_POLL)
    _, errors = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        raise OutputError(f"the command failed: {errors.strip()}")
    return time.monotonic() - began, most


def _bytes_of(output: Path) -> int:
    total = 0
    for path in (output, *SegmentStore(output).directory.glob("*")):
        try:
            total += path.stat().st_size
        except OSError:
            continue  # Removed since it was listed.
    return total


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with VideoReader(path) as reader:
        for frame in reader:
            digest.update(str(frame.pts).encode())
            for plane in (frame.y, frame.u, frame.v):
                digest.update(plane.tobytes())
    return digest.hexdigest()


def report(name: str, frames: int, seconds: float, results: list[Trial]) -> str:
    """The table in Markdown."""
    rows = [
        f"| {t.killed_after:.1f} | {t.kept} | {t.seconds:.1f} | {'yes' if t.is_same else 'NO'} | "
        f"{t.most_bytes / _MEGABYTE:.1f} | {t.most_bytes / t.output_bytes:.2f} |"
        for t in results
    ]
    return "\n".join([
        "# Killed and run again", "",
        f"`python -m benchmarks.resume`: {name} over and over, {frames} frames, {seconds:.1f} s without a kill; "
        f"segments of at least {SEGMENT_FRAMES} frames.", "",
        *machine(), "",
        "| killed after (s) | frames kept | second run (s) | all frames the same | most on the disk (MB) | of output |",
        "|---|---|---|---|---|---|", *rows,
    ])  # fmt: skip


def main() -> int:
    """Print the table; 1 if a trial ended differently."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the looped clip")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            looped = Path(folder) / "looped.mp4"
            frames = write_loop(options.clip, looped, options.seconds)
            seconds, results = trials(looped, options.trials, options.seed, Path(folder))
    except MVStylizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(report(options.clip.name, frames, seconds, results))
    return int(not all(trial.is_same for trial in results))


if __name__ == "__main__":
    sys.exit(main())
