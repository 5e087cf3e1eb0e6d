"""Killed at any moment, the same command goes on, and ends as if nothing had been."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from mvstylizer.pictures import write_picture
from tests.clips import Clip, write_clip
from tests.scenes import texture

FRAMES = 700
KILLS = 10
Picture = tuple[int | None, bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with sound and a cut-free drift of colours, a style photo, and an uninterrupted result."""
    folder = tmp_path_factory.mktemp("resume")
    write_clip(folder / "in.mp4", Clip(width=160, height=90, frames=FRAMES, sounds=("aac",)))
    write_picture(folder / "style.png", texture(60, 80))
    assert subprocess.run(command(folder, "whole.mp4"), capture_output=True).returncode == 0
    return folder


def command(folder: Path, output: str) -> list[str]:
    return [
        *(sys.executable, "-m", "mvstylizer", "stylize", str(folder / "in.mp4")),
        *("--style", str(folder / "style.png"), "-o", str(folder / output), "--key-frames", "interval"),
    ]


def frames(path: Path) -> Iterator[Picture]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.pts, frame.to_ndarray().tobytes()


def kill_after(seconds: float, folder: Path, output: str, number: signal.Signals) -> int:
    """Start the command, send it a signal after so many seconds if it still runs; its exit code."""
    process = subprocess.Popen(command(folder, output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_9_at_ten_random_moments(folder: Path) -> None:
    """Whatever is killed when, nothing of the output shows before it is whole; then every frame is as it should be."""
    rng = random.Random(7)
    began = time.monotonic()
    assert subprocess.run(command(folder, "timed.mp4"), capture_output=True).returncode == 0
    whole = time.monotonic() - began
    kills = 0
    while kills < KILLS:
        output = folder / f"killed-{kills}.mp4"
        while not output.exists():
            code = kill_after(rng.uniform(0.05, 1) * whole, folder, output.name, signal.SIGKILL)
            assert code in (0, -signal.SIGKILL)
            kills += code != 0
        assert list(frames(output)) == list(frames(folder / "whole.mp4"))
        # A kill between giving the name and cleaning up leaves a directory, until the output is asked for again.
        kill_after(60, folder, output.name, signal.SIGKILL)
        assert not list(folder.glob(".killed*"))


@pytest.mark.slow
def test_interrupted_by_hand_it_goes_on(folder: Path) -> None:
    """Ctrl-C exits with 130 and says how to go on; the same command then ends the same, without the frames before."""
    code, tries = 0, 0
    while code != 130 and tries < 20:
        (folder / "interrupted.mp4").unlink(missing_ok=True)
        tries += 1
        code = kill_after(0.3 * tries, folder, "interrupted.mp4", signal.SIGINT)
        if not any(folder.glob(".interrupted.mp4.unfinished/*.json")):
            code = 0
    assert code == 130 and not (folder / "interrupted.mp4").exists()
    assert subprocess.run(command(folder, "interrupted.mp4"), capture_output=True).returncode == 0
    assert list(frames(folder / "interrupted.mp4")) == list(frames(folder / "whole.mp4"))
