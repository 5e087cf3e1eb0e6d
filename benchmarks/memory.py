"""Peak memory of ``mvstylizer stylize`` on a short and on a long clip: it must not grow with the length.

``python -m benchmarks.memory`` prints Markdown. Each row is a process of its own, the command as a user runs it; what
counts is the most memory that it ever had in use at once (``VmHWM`` of Linux), read every few milliseconds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.clips import SHARED, machine
from mvstylizer.errors import MVStylizerError, UsageError
from mvstylizer.video import Encoding, VideoReader, VideoWriter
from mvstylizer.video.frame import Planes

SECONDS = (10.0, 120.0)
_POLL = 0.02
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Run:
    """One process: the length of its clip, and the most bytes of memory that it had."""

    seconds: float
    frames: int
    bytes: int


def write_loop(source: Path, target: Path, seconds: float) -> int:
    """Write a clip of ``seconds`` that repeats the frames of ``source``; returns how many frames it has."""
    with VideoReader(source) as first:
        info = first.info
    step = round(1 / (info.frame_rate * info.time_base))
    wanted = max(1, round(seconds * info.frame_rate))
    with VideoWriter(target, info, Encoding(preset="ultrafast")) as writer:
        for index, planes in zip(range(wanted), _repeated(source), strict=False):
            writer.write(planes, index * step)
    return wanted


def peak_bytes(command: Sequence[str]) -> int:
    """The most memory that a process has in use until it ends.

    Raises UsageError where the system does not tell, and CalledProcessError if the command fails.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0
    # Not getrusage: that also counts what this process had before the child became another program.
    while process.poll() is None:
        peak = max(peak, _high_water_mark(process.pid))
        time.sleep(_POLL)
    _, errors = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return peak


def measure(clip: Path, seconds: float, arguments: Sequence[str]) -> Run:
    """Stylize ``seconds`` of a clip, repeated as often as it takes, with more ``arguments`` for the command."""
    with tempfile.TemporaryDirectory() as folder:
        loop, output = Path(folder) / "loop.mp4", Path(folder) / "out.mp4"
        frames = write_loop(clip, loop, seconds)
        command = [sys.executable, "-m", "mvstylizer", "stylize", str(loop), "-o", str(output), *arguments]
        return Run(seconds, frames, peak_bytes(command))


def table(runs: Sequence[Run]) -> Iterator[str]:
    """Markdown of all runs, each against the first."""
    yield "| clip | frames | peak memory | of the first |"
    yield "|---|---|---|---|"
    for run in runs:
        yield (
            f"| {run.seconds:g} s | {run.frames} | {run.bytes / _MEGABYTE:.0f} MB | {run.bytes / runs[0].bytes:.1%} |"
        )


def _repeated(source: Path) -> Iterator[Planes]:
    for _ in count():
        with VideoReader(source) as reader:
            for frame in reader:
                yield frame.y, frame.u, frame.v


def _high_water_mark(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except FileNotFoundError as error:
        if Path("/proc/self/status").exists():
            return 0
        raise UsageError("peak memory can only be read on Linux; run the benchmark there") from error
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), "0")
    return 1024 * int(kilobytes)


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=SHARED / "clips" / "gsam2_car.mp4", help="repeated as needed")
    parser.add_argument("--seconds", type=float, nargs="+", default=SECONDS, help="lengths to compare")
    parser.add_argument("--key-interval", type=int, default=15)
    parser.add_argument("--preset", default="veryfast", help="of x264")
    options = parser.parse_args()
    arguments = ["--style", "golden-hour", "--preset", options.preset, "--key-interval", str(options.key_interval)]
    runs = [measure(options.clip, seconds, arguments) for seconds in options.seconds]
    heading = f"- {options.clip.name}, key frame every {options.key_interval}, x264 {options.preset}"
    print("\n".join([*machine(), heading, "", *table(runs)]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (MVStylizerError, subprocess.CalledProcessError) as error:
        sys.exit(f"benchmarks.memory: error: {getattr(error, 'stderr', None) or error}")
