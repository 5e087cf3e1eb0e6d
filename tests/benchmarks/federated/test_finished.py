"""Curves that were run are found again; what is no curve is said to be none."""

from pathlib import Path

import pytest

from benchmarks.federated.finished import Finished
from benchmarks.federated.rounds import Point
from mvstylizer.errors import InputError


def test_a_curve_is_found_by_what_decides_it(tmp_path: Path) -> None:
    """A finished curve comes back as it was, in another process too, and only for the same settings."""
    curve = (Point(0, 1 / 3, 0.5, 0.25, 1.0), Point(20, 0.1, 0.2, 0.3, 0.9))
    Finished(tmp_path / "runs").add("seed 1", curve)
    assert Finished(tmp_path / "runs").get("seed 1") == curve
    assert Finished(tmp_path / "runs").get("seed 2") is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """A file that holds no curve is an InputError that names it."""
    finished = Finished(tmp_path)
    finished.add("seed 1", [])
    (path,) = tmp_path.iterdir()
    for text in ("{", "{}", '{"points": [{"images": 1}]}'):
        path.write_text(text)
        with pytest.raises(InputError, match=path.name):
            finished.get("seed 1")
