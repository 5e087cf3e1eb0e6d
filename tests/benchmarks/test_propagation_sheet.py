"""The contact sheet of propagation on a clip of the test's own making."""

from pathlib import Path

import numpy as np

from benchmarks.footage import Footage
from benchmarks.propagation_sheet import COLUMNS, rows, write_sheet
from mvstylizer.engine import Engine
from mvstylizer.pictures import read_picture
from tests.scenes import pan, texture


def test_both_ways_stand_beside_the_dnn(tiny_release: Path, tmp_path: Path) -> None:
    """Each frame has the DNN's picture and two that are near to it, and all of them are on the sheet."""
    clip = Footage("pan", pan(12, 96, 128), texture(60, 80, seed=5), Engine(tiny_release, threads=1))
    found = rows(clip, (3, 8))
    assert list(found) == ["3", "8"]
    for index, pictures in zip((3, 8), found.values(), strict=True):
        assert tuple(pictures) == COLUMNS
        wanted = clip.stylized(index).astype(float)
        errors = [np.abs(picture - wanted)[:, :-10].mean() for picture in pictures.values()]
        assert errors[0] == 0 and 0 < max(errors[1:]) < 10
    write_sheet(tmp_path / "sheet.jpg", clip, (3, 8))
    sheet = read_picture(tmp_path / "sheet.jpg")
    assert sheet.shape[1] > 3 * 480 and sheet.shape[0] > 2 * 270
    assert (tmp_path / "sheet.jpg").stat().st_size <= 300_000
