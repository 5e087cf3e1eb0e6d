"""Progress as a bar, on a real terminal and on none, as plain lines, as JSON, and not at all."""

import json
import os
import pty
import re
import sys
import termios
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mvstylizer.device import Progress
from mvstylizer.progress import Report, Speed, in_words, json_lines, noting, plain_lines, progress_bar, showing

CLIP = Path("clips/clip.mp4")


def reported(capsys: pytest.CaptureFixture[str], shown: AbstractContextManager[Report], total: int | None = 10) -> str:
    """What comes to stderr of ten frames, two of them key frames; checks that stdout stays empty."""
    with shown as report:
        for done in range(1, 11):
            report(Progress(done, total, 1 + done // 6))
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_a_file_or_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal quick work prints nothing at all: logs stay short, free of control characters."""
    assert reported(capsys, showing("auto", CLIP)) == ""
    assert reported(capsys, showing("auto", CLIP), total=None) == ""


def test_none_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``none`` not even a terminal sees anything."""

    def work() -> None:
        with showing("none", CLIP) as report:
            report(Progress(3, 10, 1))

    assert on_a_terminal(monkeypatch, work) == ""
    assert capsys.readouterr() == ("", "")


def test_plain_lines_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain lines count frames and key frames, tell the speed once it is known, and end with a last line."""
    lines = reported(capsys, plain_lines(CLIP, every=0)).splitlines()
    assert lines[0] == "clip.mp4: 1 of 10 frames, 1 key frames"
    assert re.fullmatch(r"clip.mp4: 10 of 10 frames, 2 key frames, [0-9.]+ fps, done", lines[-1])
    assert len(lines) == 11
    assert reported(capsys, plain_lines(CLIP), total=None).startswith("clip.mp4: 10 frames, 2 key frames")


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    """Asked for, the last line comes even of quick work; where nobody asked, only after others."""
    assert reported(capsys, showing("plain", CLIP)).count("\n") == 1
    assert reported(capsys, plain_lines(CLIP, says_little=True, every=0)).count("\n") == 11


def test_json_lines_are_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is an object with the documented fields; the last has all frames, and nothing left to do."""
    lines = [json.loads(line) for line in reported(capsys, json_lines(CLIP, every=0)).splitlines()]
    assert all(list(line) == ["file", "frames", "total", "key_frames", "fps", "eta"] for line in lines)
    assert lines[0] == {"file": str(CLIP), "frames": 1, "total": 10, "key_frames": 1, "fps": None, "eta": None}
    assert lines[-1].items() >= {"frames": 10, "total": 10, "key_frames": 2, "eta": 0}.items()
    assert lines[-1]["fps"] > 0


def test_json_of_a_video_of_unknown_length(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the container does not say how many frames there are, total and eta are null until the end."""
    err = reported(capsys, showing("json", CLIP), total=None)
    first, last = (json.loads(line) for line in err.splitlines())
    assert (first["total"], first["eta"]) == (None, None)
    assert (last["total"], last["frames"], last["eta"]) == (10, 10, 0)


@pytest.mark.parametrize("mode", ["plain", "json"])
def test_work_that_fails_has_no_last_line(capsys: pytest.CaptureFixture[str], mode: str) -> None:
    """Nothing claims to be done when it is not."""
    with pytest.raises(RuntimeError), showing(mode, CLIP) as report:
        report(Progress(3, 10, 1))
        raise RuntimeError
    assert not re.search('done|"frames": 10', capsys.readouterr().err)


def test_speed_is_that_of_the_last_seconds() -> None:
    """A slow beginning is forgotten after ten seconds; what is left is told by the speed of now."""
    speed = Speed()
    assert speed.fps is None and speed.seconds_left(Progress(0, 100, 0)) is None
    for second in range(20):
        speed.add(second, second)
    for second in range(20, 41):
        speed.add(second, 20 + 5 * (second - 20))
    assert speed.fps == pytest.approx(5, rel=0.1)
    assert speed.seconds_left(Progress(120, 170, 8)) == pytest.approx(10, rel=0.1)
    assert speed.seconds_left(Progress(120, None, 8)) is None


def test_what_was_done_before_does_not_count() -> None:
    """A run that goes on where another stopped is as fast as its own frames."""
    speed = Speed()
    speed.add(0, 1000)
    speed.add(2, 1010)
    assert speed.fps == 5


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (125, "2 min 5 s"), (3785, "1 h 3 min"), (90000, "25 h 0 min")]
)
def test_times_are_told_in_words(seconds: float, text: str) -> None:
    """Two units at most, the larger first."""
    assert in_words(seconds) == text


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> str:
    """All that ``work`` writes to stderr while that is a real terminal, 100 columns wide."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        work()
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:  # how Linux tells that the other end is closed
        pass
    os.close(ours)
    return text.decode()


def test_a_terminal_sees_frames_speed_and_key_frames(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the bar names the video, counts frames and key frames, and says how fast it goes."""

    def work() -> None:
        with showing("auto", Path("clips/clip.mp4")) as report:
            for done in range(1, 11):
                report(Progress(done, 10, 1 + done // 5))

    text = on_a_terminal(monkeypatch, work)
    for part in ("clip.mp4", "10/10", "fps", "3 key frames"):
        assert part in text
    assert capsys.readouterr() == ("", "")


def test_a_bar_goes_away_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure the line of the bar is wiped, so that the error stands alone."""

    def work() -> None:
        with pytest.raises(RuntimeError), progress_bar("clip.mp4") as report:
            report(Progress(3, 10, 1))
            raise RuntimeError

    text = on_a_terminal(monkeypatch, work)
    assert "3/10" in text
    assert text.rindex("\x1b[2K") > text.rindex("3/10")  # erase in line


def test_notes_are_told_in_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    """As a line to read, as an object for scripts, or not at all."""
    for mode in ("auto", "bar", "plain", "json", "none"):
        noting(mode, CLIP)("10 bits become 8")
    *lines, for_scripts = capsys.readouterr().err.splitlines()
    assert lines == 3 * ["mvstylizer: note: clips/clip.mp4: 10 bits become 8"]
    assert json.loads(for_scripts) == {"file": "clips/clip.mp4", "note": "10 bits become 8"}
