"""The id under which this user's key frames are offered."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mvstylizer.contributor import contributor_id, forget, known_id
from mvstylizer.errors import InputError, OutputError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the id is kept; not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "mvstylizer" / "contributor"


def test_it_is_made_once(state: Path) -> None:
    """32 hex digits, the same ever after, in a file that nobody else may read; asking for a known one makes none."""
    assert known_id() is None
    assert not state.parent.exists()
    made = contributor_id()
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert contributor_id() == known_id() == made
    assert (stat.S_IMODE(state.stat().st_mode), stat.S_IMODE(state.parent.stat().st_mode)) == (0o600, 0o700)
    assert [path.name for path in state.parent.iterdir()] == ["contributor"]


def test_a_forgotten_one_is_never_made_again() -> None:
    """The next is another; forgetting what is not there is no error."""
    forget()
    first = contributor_id()
    forget()
    assert known_id() is None
    assert contributor_id() != first


def test_first_uses_at_once_agree() -> None:
    """Of several processes that need an id at the same time, all get the same."""
    command = [sys.executable, "-c", "from mvstylizer.contributor import contributor_id; print(contributor_id())"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = {process.communicate()[0].strip() for process in processes}
    assert told == {contributor_id()}


@pytest.mark.parametrize("content", [b"", b"me\n", 16 * b"ab" + b"\n\n", 32 * b"\xff", 32 * b"A"])
def test_a_damaged_file_is_told_of_and_left_alone(state: Path, content: bytes) -> None:
    """It may be all that can delete what was contributed."""
    contributor_id()
    state.write_bytes(content)
    for ask in (contributor_id, known_id):
        with pytest.raises(InputError, match=r"contributor.*delete"):
            ask()
    assert state.read_bytes() == content


def test_it_lies_in_the_users_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default below the home directory; a relative XDG_STATE_HOME is none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("", "relative/state"):
        monkeypatch.setenv("XDG_STATE_HOME", variable)
        made = contributor_id()
        assert (tmp_path / ".local/state/mvstylizer/contributor").read_text() == f"{made}\n"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file where the directory would be."""
    (tmp_path / "state").write_text("")
    with pytest.raises((OutputError, InputError), match="state"):
        contributor_id()
