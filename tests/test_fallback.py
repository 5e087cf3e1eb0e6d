"""An edge that goes away: the video goes on, with every key frame stylized by somebody."""

import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.device import DeviceOptions, stylize_video
from mvstylizer.errors import EdgeError, UsageError
from mvstylizer.fallback import FallbackStylizer
from mvstylizer.styles import Style
from mvstylizer.video import VideoReader
from tests.clips import Clip, write_clip
from tests.scenes import texture

Picture = NDArray[np.uint8]
STYLE = Style.of_photo(texture(30, 40))
PROXY = texture(20, 30)


class Shade:
    """A stylizer that answers with a flat grey, from a thread of its own, and can go away."""

    def __init__(self, grey: int, answers: int | None = None) -> None:
        self.identity = f"grey {grey}"
        self._grey, self._left = grey, answers
        self.styles: list[Style] = []
        self.is_closed = False

    def set_style(self, style: Style) -> None:
        if self._left == 0:
            raise EdgeError("the edge is away")
        self.styles.append(style)

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        answer: Future[Picture] = Future()
        is_away = self._left == 0
        if self._left:
            self._left -= 1
        threading.Timer(0.01, self._answer, (answer, proxy, is_away)).start()
        return answer

    def _answer(self, answer: Future[Picture], proxy: Picture, is_away: bool) -> None:
        if is_away:
            answer.set_exception(EdgeError("the edge is away"))
        else:
            answer.set_result(np.full_like(proxy, self._grey))

    def close(self) -> None:
        self.is_closed = True


def greys(stylizer: FallbackStylizer, count: int) -> list[int]:
    return [int(stylizer.submit(PROXY).result(10)[0, 0, 0]) for _ in range(count)]


def test_an_edge_that_answers_needs_no_stand_in() -> None:
    """As long as the edge answers, nothing else is even made."""
    edge = Shade(10)
    stylizer = FallbackStylizer(edge, lambda: pytest.fail("not needed"), pytest.fail)
    stylizer.set_style(STYLE)
    assert greys(stylizer, 3) == [10, 10, 10] and stylizer.identity == "grey 10"
    stylizer.close()
    assert edge.is_closed


def test_the_stand_in_takes_over_for_good() -> None:
    """From the first failure on, that key frame included, the stand-in answers, in the same style; said once."""
    stand_in, notes = Shade(90), list[str]()
    stylizer = FallbackStylizer(Shade(10, answers=2), lambda: stand_in, notes.append)
    stylizer.set_style(STYLE)
    assert greys(stylizer, 5) == [10, 10, 90, 90, 90]
    assert stand_in.styles == [STYLE] and stylizer.identity == "grey 90"
    assert notes == ["the edge is away; going on without it"]
    stylizer.close()
    assert stand_in.is_closed


def test_several_failures_at_once_make_one_stand_in() -> None:
    """Key frames that are on their way together when the edge goes are all answered by the same stand-in."""
    made: list[Shade] = []

    def stand_in() -> Shade:
        made.append(Shade(90))
        return made[-1]

    stylizer = FallbackStylizer(Shade(10, answers=1), stand_in, lambda _: None)
    stylizer.set_style(STYLE)
    answers = [stylizer.submit(PROXY) for _ in range(6)]
    assert [int(answer.result(10)[0, 0, 0]) for answer in answers] == [10] + 5 * [90]
    assert len(made) == 1


def test_an_edge_that_was_never_there() -> None:
    """Where not even the style can be given to the edge, the stand-in begins."""
    stylizer = FallbackStylizer(Shade(10, answers=0), lambda: Shade(90), lambda _: None)
    stylizer.set_style(STYLE)
    assert greys(stylizer, 2) == [90, 90]


def test_a_stand_in_that_fails_is_an_error() -> None:
    """What the stand-in raises, a preset that it lacks say, comes out, at the start or where an answer is awaited."""

    def refuse() -> Shade:
        raise UsageError("no such preset")

    with pytest.raises(UsageError, match="no such preset"):
        FallbackStylizer(Shade(10, answers=0), refuse, lambda _: None).set_style(STYLE)
    late = FallbackStylizer(Shade(10, answers=1), refuse, lambda _: None)
    late.set_style(STYLE)
    late.submit(PROXY).result(10)
    with pytest.raises(UsageError, match="no such preset"):
        late.submit(PROXY).result(10)


def test_a_video_outlives_its_edge(tmp_path: Path) -> None:
    """An edge that dies after two key frames: the whole video is written all the same."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=40))
    stylizer = FallbackStylizer(Shade(60, answers=2), lambda: Shade(60), lambda _: None)
    done = stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer, DeviceOptions(interval=5))
    assert done.frames == 40 and done.key_frames == 8


@pytest.mark.slow
def test_the_command_outlives_an_edge_that_is_killed(tmp_path: Path) -> None:
    """kill -9 of a real edge in the middle of a video: the command notes it, goes on here, and ends well."""
    source = write_clip(tmp_path / "in.mp4", Clip(width=320, height=180, frames=400))
    told: list[str] = []
    with start("serve", "--port", "0", "--threads", "1") as edge:
        url = next(word for line in lines(edge.stdout) for word in line.split() if word.startswith("http://"))
        with start(
            "stylize", str(source), "--style", "golden-hour", "-o", str(tmp_path / "out.mp4"), "--edge", url,
            "--edge-patience", "0.5", "--offline-fallback", "--key-interval", "5", "--progress", "json",
        ) as device:  # fmt: skip
            for line in lines(device.stderr):
                told.append(line)
                if '"frames": ' in line and '"frames": 0' not in line:
                    edge.kill()
        edge.kill()
    assert device.returncode == 0, told
    assert sum("going on without it" in line for line in told) == 1
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert sum(1 for _ in reader) == 400


def start(*arguments: str) -> subprocess.Popen[str]:
    """A command of this project, its output piped."""
    command = [sys.executable, "-u", "-m", "mvstylizer", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines(stream: IO[str] | None) -> IO[str]:
    """A pipe that is there."""
    if stream is None:
        pytest.fail("no pipe")
    return stream
