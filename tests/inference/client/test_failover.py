"""Videos through several edges, real processes, one of which is killed."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.client import EdgeStylizer
from inference.stylizer import Stylizer
from mvstylizer.cli import main
from mvstylizer.device import DeviceOptions, Progress, stylize_video
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.fallback import FallbackStylizer
from mvstylizer.pictures import write_picture
from mvstylizer.styles import Style
from mvstylizer.video import VideoReader
from tests.clips import Clip, write_clip
from tests.inference.client.conftest import edge_process
from tests.inference.conftest import edge_in_a_thread
from tests.scenes import texture

FRAMES = 120
OPTIONS = DeviceOptions(interval=2)
STYLE = Style.of_photo(texture(30, 40))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "in.mp4", Clip(frames=FRAMES))


def digest(video: Path) -> str:
    """Of all frames, decoded."""
    found = hashlib.sha256()
    with VideoReader(video) as reader:
        for frame in reader:
            for plane in (frame.y, frame.u, frame.v):
                found.update(plane.tobytes())
    return found.hexdigest()


def stylized(
    clip: Path, output: Path, urls: str | Sequence[str], at: dict[int, Callable[[], None]] | None = None
) -> tuple[str, list[str]]:
    """The video's digest, and the notes; what is due ``at`` a frame is done when that frame is finished."""
    notes = list[str]()

    def report(progress: Progress) -> None:
        (at or {}).get(progress.frames, lambda: None)()

    with EdgeStylizer(urls, patience=10, note=notes.append) as edge:
        done = stylize_video(clip, STYLE, output, edge, OPTIONS, report)
    assert (done.frames, done.key_frames) == (FRAMES, FRAMES // 2)
    return digest(output), notes


@pytest.mark.failure("F2")
@pytest.mark.slow
def test_one_of_two_edges_is_killed(clip: Path, tmp_path: Path, tiny_release: Path) -> None:
    """kill -9 of either edge in the middle of a video: it is complete, and equal to that of one edge alone."""
    with edge_process(release=tiny_release) as one:
        expected, _ = stylized(clip, tmp_path / "alone.mp4", one.url)
        for victim in (0, 1):
            with edge_process(release=tiny_release) as first, edge_process(release=tiny_release) as second:
                edges, output = (first, second), tmp_path / f"without-{victim}.mp4"
                at = {FRAMES // 3: edges[victim].kill}
                assert stylized(clip, output, [first.url, second.url], at) == (expected, [])
                assert [edge.process.poll() is None for edge in edges] == [victim == 1, victim == 0]


@pytest.mark.failure("F2")
@pytest.mark.slow
def test_an_edge_that_is_killed_and_started_again(clip: Path, tmp_path: Path, tiny_release: Path) -> None:
    """A new edge on the old port, without the style, is found and takes its part; the video is the same."""
    with edge_process(release=tiny_release) as one:
        port = one.url.rsplit(":", 1)[1]
        expected, _ = stylized(clip, tmp_path / "alone.mp4", one.url)
        one.kill()
        begun: list[threading.Thread] = []

        def start_again() -> None:
            with edge_process("-m", "mvstylizer", "serve", "--port", port, release=tiny_release):
                finished.wait(60)

        finished = threading.Event()
        with edge_process(release=tiny_release) as other:

            def swap() -> None:
                begun.append(threading.Thread(target=start_again))
                begun[0].start()
                other.kill()

            try:
                found, _ = stylized(clip, tmp_path / "out.mp4", [other.url, one.url], {FRAMES // 2: swap})
            finally:
                finished.set()
                for thread in begun:
                    thread.join()
    assert found == expected


def test_a_video_by_a_quick_edge_and_a_slow_one(
    clip: Path, tmp_path: Path, delayed: Callable[[float], Stylizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quicker of two edges makes most of a video's key frames."""
    quick, slow, made = delayed(0.005), delayed(0.1), {"quick": 0, "slow": 0}
    for name, edge in (("quick", quick), ("slow", slow)):
        monkeypatch.setattr(edge, "stylize", counted(made, name, edge.stylize))
    with edge_in_a_thread(quick) as quick_url, edge_in_a_thread(slow) as slow_url:
        stylized(clip, tmp_path / "out.mp4", [slow_url, quick_url])
    assert sum(made.values()) == FRAMES // 2 and made["slow"] < made["quick"] / 2


Stylize = Callable[[NDArray[np.uint8], NDArray[np.float32], float], NDArray[np.uint8]]


def counted(made: dict[str, int], name: str, stylize: Stylize) -> Stylize:
    """``stylize``, with every call counted under the name."""

    def counting(frame: NDArray[np.uint8], code: NDArray[np.float32], r: float = 1.0) -> NDArray[np.uint8]:
        made[name] += 1
        return stylize(frame, code, r)

    return counting


@pytest.mark.slow
def test_this_machine_goes_on_when_all_edges_are_gone(clip: Path, tmp_path: Path, tiny_release: Path) -> None:
    """With a stand-in, the video outlives the last of several edges: noted once, and complete."""
    notes = list[str]()
    with edge_process(release=tiny_release) as one, edge_process(release=tiny_release) as other:
        edges = EdgeStylizer([one.url, other.url], patience=0.3, note=notes.append)
        stylizer = FallbackStylizer(edges, lambda: LocalStylizer(Engine(tiny_release)), notes.append)

        def report(progress: Progress) -> None:
            if progress.frames in (20, 60):
                (one if progress.frames == 20 else other).kill()

        try:
            done = stylize_video(clip, STYLE, tmp_path / "out.mp4", stylizer, OPTIONS, report)
        finally:
            stylizer.close()
    assert done.frames == FRAMES
    assert len(notes) == 1 and "none of 2 edges" in notes[0] and "going on without it" in notes[0]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["flags", "variable"])
def test_the_command_with_several_edges(
    clip: Path,
    tmp_path: Path,
    tiny_release: Path,
    dead_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    way: str,
) -> None:
    """Several edges are named by several flags, or in one variable; one that is down does not matter."""
    write_style = tmp_path / "style.png"

    write_picture(write_style, texture(30, 40))
    arguments = [
        "stylize",
        str(clip),
        "--style",
        str(write_style),
        "-o",
        str(tmp_path / "out.mp4"),
        "--progress",
        "none",
    ]
    with edge_process(release=tiny_release) as one:
        if way == "flags":
            arguments += ["--edge", dead_url, "--edge", one.url]
        else:
            monkeypatch.setenv("MVSTYLIZER_EDGE", f"{dead_url}, {one.url}")
        assert main(arguments) == 0
    assert capsys.readouterr().err == ""
