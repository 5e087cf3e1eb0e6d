"""The sheet of presets: one labelled cell for each, none left out, however many there are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvstylizer.engine import Engine
from mvstylizer.errors import OutputError, UsageError
from mvstylizer.pictures import read_picture
from mvstylizer.preset_sheet import COLUMNS, write_sheet
from mvstylizer.release import Release, load
from tests.scenes import texture
from tests.tiny_release import TINY_PRESETS


@pytest.fixture
def release(preset_release: Path) -> Release:
    return load(preset_release)


@pytest.mark.parametrize("count", [1, COLUMNS - 1, COLUMNS, 2 * COLUMNS])
def test_every_preset_has_a_cell(tmp_path: Path, release: Release, count: int) -> None:
    """The picture comes first, then each preset in its own colours, at most so many in a row."""
    rng = np.random.default_rng(count)
    codes = {f"look-{n}": np.append(rng.uniform(0.2, 0.8, 3), [0.01] * 3).astype(np.float32) for n in range(count)}
    picture = texture(60, 100)
    write_sheet(tmp_path / "sheet.png", picture, Engine(replace(release, presets=codes), threads=1))
    sheet = read_picture(tmp_path / "sheet.png")
    rows, columns = -(-(count + 1) // COLUMNS), min(COLUMNS, count + 1)
    assert rows * 60 < sheet.shape[0] <= rows * 100 and columns * 100 < sheet.shape[1] < columns * 120
    assert any(
        (sheet[top : top + 60, left : left + 100] == picture).all() for top in range(20, 50) for left in range(5, 20)
    )
    for code in codes.values():
        assert (np.abs(sheet - 255 * code[:3]).max(2) < 12).sum() > 0.8 * 60 * 100


def test_a_large_picture_is_looked_at_as_the_device_does(tmp_path: Path, release: Release) -> None:
    """Looks are worked out at the device's proxy size and only shown smaller."""
    sizes = []

    class Watched(Engine):
        def stylize(self, frame, code, r=1.0):  # type: ignore[no-untyped-def]
            sizes.append(frame.shape)
            return super().stylize(frame, code, r)

    write_sheet(tmp_path / "sheet.jpg", texture(600, 800), Watched(release, threads=1))
    assert sizes == [(384, 512, 3)] * len(TINY_PRESETS)
    assert read_picture(tmp_path / "sheet.jpg").shape[1] < 3 * 400


def test_nothing_is_written_where_there_is_nothing_to_show(tmp_path: Path, release: Release) -> None:
    """A release without presets, or a target that exists, is refused before any work."""
    target = tmp_path / "sheet.jpg"
    with pytest.raises(UsageError, match="no presets"):
        write_sheet(target, texture(8, 8), Engine(replace(release, presets={}), threads=1))
    target.write_text("mine")
    with pytest.raises(OutputError):
        write_sheet(target, texture(8, 8), Engine(release, threads=1))
    assert target.read_text() == "mine"
