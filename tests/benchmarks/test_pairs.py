"""The pictures that releases are scored by."""

from pathlib import Path

import pytest

from benchmarks.pairs import write_results
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError
from mvstylizer.pictures import read_picture, write_picture
from tests.scenes import texture


def test_each_pair_gives_what_the_dnn_made_and_what_users_see(tmp_path: Path, tiny_release: Path) -> None:
    """Two pictures of the content's shape a pair, and one sheet of them all."""
    for name in ("01", "02", "03"):
        write_picture(tmp_path / f"{name}_content.png", texture(60, 80, seed=int(name)))
        write_picture(tmp_path / f"{name}_style.png", texture(50, 40, seed=9))
    assert write_results(tmp_path, tmp_path / "out", Engine(tiny_release, threads=1), 64) == 3
    for kind in ("raw", "final"):
        assert sorted(p.name for p in (tmp_path / "out" / kind).iterdir()) == ["01.png", "02.png", "03.png"]
        assert read_picture(tmp_path / "out" / kind / "02.png").shape == (48, 64, 3)
    assert read_picture(tmp_path / "out" / "sheet.jpg").shape == (400, 2400, 3)


def test_a_folder_without_pairs_is_refused(tmp_path: Path, tiny_release: Path) -> None:
    """Nothing to score is an error that names the folder."""
    with pytest.raises(InputError, match=str(tmp_path)):
        write_results(tmp_path, tmp_path / "out", Engine(tiny_release, threads=1), 64)
