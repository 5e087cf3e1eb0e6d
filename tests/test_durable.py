"""Durable files: whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from mvstylizer import durable
from mvstylizer.errors import NoSpaceError, OutputError


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_whole(tmp_path: Path) -> None:
    """The name exists only after the block, with usual permissions and nothing beside it."""
    target = tmp_path / "a.json"
    with durable.replacing(target) as part:
        assert part.parent == tmp_path and part.name.startswith(".a.") and part.name.endswith(".part.json")
        part.write_text("{}")
        assert not target.exists()
    assert target.read_text() == "{}" and names(tmp_path) == ["a.json"]
    other = tmp_path / "b"
    other.touch()
    assert target.stat().st_mode == other.stat().st_mode


def test_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    """After an exception the old file stands and the temporary one is gone."""
    target = tmp_path / "a"
    durable.write_text(target, "old")
    with pytest.raises(KeyError), durable.replacing(target, overwrite=True) as part:
        part.write_text("new")
        raise KeyError
    assert target.read_text() == "old" and names(tmp_path) == ["a"]


def test_bytes_and_text_are_written(tmp_path: Path) -> None:
    """The helpers write what they are given, and overwrite when told to."""
    durable.write_bytes(tmp_path / "a", b"\0\1")
    durable.write_text(tmp_path / "a", "schön", overwrite=True)
    assert (tmp_path / "a").read_bytes() == "schön".encode()


def test_targets_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """A directory, a missing directory and an existing file are refused before the block runs."""
    (tmp_path / "taken").write_text("old")
    for path, words in [
        (tmp_path, "is a directory"),
        (tmp_path / "no" / "a", "no such directory"),
        (tmp_path / "taken", "exists already"),
        (tmp_path / "taken" / "a", "no such directory"),
    ]:
        with pytest.raises(OutputError, match=words), durable.replacing(path):
            pytest.fail("the block must not run")
    assert (tmp_path / "taken").read_text() == "old"


def test_a_directory_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that may not be written to is refused in one line."""
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(OutputError, match="not writable"):
        durable.refuse_target(tmp_path / "a", overwrite=False)


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """What somebody else wrote during the block stays."""
    target = tmp_path / "a"
    with pytest.raises(OutputError, match="exists already"), durable.replacing(target) as part:
        part.write_text("mine")
        target.write_text("theirs")
    assert target.read_text() == "theirs" and names(tmp_path) == ["a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A full disk or quota says what is needed and free, keeps the old file and leaves no temporary one."""

    def full(self: Path, data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    durable.write_text(tmp_path / "a", "old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NoSpaceError, match=r"about 3\.0 MB are needed, .* MB are free"):
        durable.write_bytes(tmp_path / "a", b"x" * 3_000_000, overwrite=True)
    with pytest.raises(NoSpaceError), durable.replacing(tmp_path / "b") as part:
        part.write_bytes(b"x")
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_file_and_directory_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data reaches the disk before the name does, and the name after it."""
    synced: list[bool] = []
    monkeypatch.setattr("os.fsync", lambda fd: synced.append((tmp_path / "a").exists()))
    durable.write_bytes(tmp_path / "a", b"x")
    assert synced == [False, True]
