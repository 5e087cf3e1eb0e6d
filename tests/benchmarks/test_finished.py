"""Measurements that were made are found again; what is none is said to be none."""

from pathlib import Path

import pytest

from benchmarks.finished import Finished
from mvstylizer.errors import InputError


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    """It comes back as it was, in another process too, and only under the same name."""
    measured = {"loss": 1 / 3, "points": [1, 2]}
    assert Finished(tmp_path / "runs").once("seed 1", lambda: measured) == measured
    assert Finished(tmp_path / "runs").once("seed 1", lambda: 1 / 0) == measured
    assert Finished(tmp_path / "runs").once("seed 2", lambda: 7) == 7


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    """What raised is tried again."""
    with pytest.raises(ZeroDivisionError):
        Finished(tmp_path).once("seed 1", lambda: 1 / 0)
    assert Finished(tmp_path).once("seed 1", lambda: 7) == 7


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """A file that holds no measurement is an InputError that names it."""
    Finished(tmp_path).once("seed 1", lambda: 7)
    (path,) = tmp_path.iterdir()
    for text in ("{", "{}", "[]"):
        path.write_text(text)
        with pytest.raises(InputError, match=path.name):
            Finished(tmp_path).once("seed 1", lambda: 8)
