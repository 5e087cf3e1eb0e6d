"""The contact sheet of pairs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.pair_sheet import PairSheet
from mvstylizer.pictures import read_picture
from tests.scenes import texture

COLOURS = {"content": (255, 0, 0), "ours": (0, 0, 255)}


def flat(colour: tuple[int, int, int], height: int = 100, width: int = 150) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, np.uint8)


def written(sheet: PairSheet, to: Path) -> NDArray[np.uint8]:
    sheet.write(to / "sheet.jpg")
    return read_picture(to / "sheet.jpg")


def test_every_pair_is_a_row_in_one_of_two_blocks(tmp_path: Path) -> None:
    """Three pairs: two rows on the left, one on the right, each with as much of every column's colour."""
    sheet = PairSheet()
    for name in ("01", "02", "03"):
        sheet.add(name, {label: flat(colour) for label, colour in COLOURS.items()})
    picture = written(sheet, tmp_path).astype(int)
    middle = picture.shape[1] // 2
    for channel, other in ((0, 2), (2, 0)):
        shown = picture[..., channel] - picture[..., other] > 200
        assert shown[:, :middle].sum() == 2 * shown[:, middle:].sum() > 50_000


def test_columns_have_labels(tmp_path: Path) -> None:
    """There is ink above the pictures, and more for a longer label."""
    ink = []
    for label in ("content", "PCA-KD + guided filter"):
        sheet = PairSheet()
        sheet.add("01", {label: flat((255, 255, 255))})
        ink.append((written(sheet, tmp_path)[:42] < 100).sum())
    assert 0 < ink[0] < ink[1]


def test_tall_and_wide_pictures_keep_their_shape(tmp_path: Path) -> None:
    """A tall picture is as high as its row and a third as wide."""
    sheet = PairSheet()
    sheet.add("01", {"content": flat((255, 0, 0), 300, 100)})
    picture = written(sheet, tmp_path).astype(int)
    rows, columns = np.nonzero(picture[..., 0] - picture[..., 2] > 200)
    assert np.ptp(rows) > 190 and abs(np.ptp(rows) / np.ptp(columns) - 3) < 0.1


def test_a_sheet_of_noise_stays_small(tmp_path: Path) -> None:
    """Twenty pairs of the worst pictures there can be are below 1.5 MB."""
    sheet = PairSheet()
    for number in range(20):
        noise = texture(200, 300, seed=number, softness=0.3)
        sheet.add(f"{number:02}", dict.fromkeys(("content", "style", "MKL", "other", "ours"), noise))
    sheet.write(tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size < 1_500_000
