"""The progress bar, on a real terminal and on none."""

import os
import pty
import sys
import termios
from collections.abc import Callable

import pytest

from mvstylizer.device import Progress
from mvstylizer.progress import progress_bar


def test_a_file_or_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal nothing is printed at all: logs stay free of control characters."""
    with progress_bar("clip.mp4") as report:
        for done in range(1, 11):
            report(Progress(done, 10, 1))
    assert capsys.readouterr() == ("", "")


def test_a_video_of_unknown_length_can_be_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """A container that does not say how many frames it holds is no problem."""
    with progress_bar("clip.mkv") as report:
        report(Progress(1, None, 1))
    assert capsys.readouterr() == ("", "")


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
        with progress_bar("clip.mp4") as report:
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
