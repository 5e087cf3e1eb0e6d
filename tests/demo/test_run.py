"""The demo's run: an edge as a process of its own, which never outlives it, and errors that tell."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from mvstylizer.demo import run
from mvstylizer.demo.edge_process import run_command, running_edge
from mvstylizer.errors import EdgeError, InputError, MVStylizerError, NoSpaceError

LISTEN = "print('mvstylizer edge listening on http://127.0.0.1:8123 (release test)', flush=True)"
WAIT = "import time; time.sleep(60)"


def fake(script: str) -> tuple[str, ...]:
    """Return a command that runs ``script`` in the place of ``mvstylizer``."""
    return (sys.executable, "-c", script)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def written_number(path: Path) -> int:
    return int(path.read_text())


def test_edge_is_stopped_when_the_block_ends(tmp_path: Path) -> None:
    """The edge listens inside the block and is gone after it."""
    note = tmp_path / "pid"
    script = f"import os, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); {LISTEN}; {WAIT}"
    with running_edge(command=fake(script)) as url:
        assert url == "http://127.0.0.1:8123"
        assert is_running(written_number(note))
    assert not is_running(written_number(note))


def test_edge_is_stopped_on_ctrl_c(tmp_path: Path) -> None:
    """An interruption passes through and leaves no process behind."""
    note = tmp_path / "pid"
    script = f"import os, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); {LISTEN}; {WAIT}"
    with pytest.raises(KeyboardInterrupt), running_edge(command=fake(script)):
        raise KeyboardInterrupt
    assert not is_running(written_number(note))


def test_command_is_stopped_on_ctrl_c(tmp_path: Path) -> None:
    """An interruption that reaches only the demo ends the command that it is waiting for."""
    note = tmp_path / "pid"
    script = f"import os, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); {WAIT}"
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run_command(["stylize"], fake(script))
    assert not is_running(written_number(note))


def test_an_edge_that_dies_is_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    """When the edge ends early, the error holds its last words, and its log was passed on."""
    script = "import sys; sys.exit('error: the release is damaged')"
    with pytest.raises(EdgeError, match="the release is damaged"), running_edge(command=fake(script)):
        pass
    assert "the release is damaged" in capfd.readouterr().err


def test_an_edge_that_says_nothing_is_given_up() -> None:
    """Nobody waits longer than the deadline."""
    start = time.monotonic()
    with pytest.raises(EdgeError, match=r"within 0\.3 s"), running_edge(0.3, fake(WAIT)):
        pass
    assert time.monotonic() - start < 9


@pytest.mark.parametrize(("code", "error"), [(3, InputError), (4, EdgeError), (5, NoSpaceError), (7, MVStylizerError)])
def test_exit_codes_are_passed_on(code: int, error: type[MVStylizerError]) -> None:
    """A command that fails raises the error which has its exit code."""
    with pytest.raises(error, match=f"failed with exit code {code}") as caught:
        run_command(["stylize"], fake(f"raise SystemExit({code})"))
    assert type(caught.value) is error


def test_an_interrupted_command_interrupts() -> None:
    """Exit code 130 means Ctrl-C for the whole demo."""
    with pytest.raises(KeyboardInterrupt):
        run_command(["stylize"], fake("raise SystemExit(130)"))


def test_missing_input_is_told_before_anything_starts(tmp_path: Path) -> None:
    """A file that is not there costs no time."""
    with pytest.raises(InputError, match=r"none\.mp4: no such file"):
        run.run_demo(tmp_path / "none.mp4", None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_demo_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The demo asks the edge's own URL to stylize the given video, and says where everything is."""
    video, style = tmp_path / "in.mp4", tmp_path / "photo.png"
    for path in (video, style):
        path.write_bytes(path.name.encode())
    asked: list[list[str]] = []
    monkeypatch.setattr(run, "running_edge", lambda: running_edge(command=fake(f"{LISTEN}; {WAIT}")))
    monkeypatch.setattr(run, "run_command", asked.append)
    monkeypatch.setattr(run, "contact_sheet", lambda before, after, photo, sheet: sheet)
    run.run_demo(video, style, tmp_path / "out")
    result = str(tmp_path / "out" / "in-stylized.mp4")
    url = "http://127.0.0.1:8123"
    assert asked == [["stylize", str(video), "--style", str(style), "-o", result, "--edge", url, "--force"]]
    printed = capfd.readouterr().out
    assert result in printed and str(tmp_path / "out" / "in-contact-sheet.png") in printed
