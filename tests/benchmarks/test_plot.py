"""Line plots drawn with OpenCV."""

from pathlib import Path

import numpy as np

from benchmarks.plot import HEIGHT, WIDTH, Bar, Line, bar_plot, line_plot, write_plot
from mvstylizer.pictures import read_picture

BLUE, RED = (31, 119, 180), (214, 39, 40)


def where(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Columns and rows of pixels of exactly this colour, right of the legend."""
    rows, columns = np.nonzero((picture[:, WIDTH // 2 :] == colour).all(-1))
    return np.stack([columns, rows], -1)


def test_lines_lie_where_their_values_are() -> None:
    """A line that rises ends above where it began; the larger of two lies higher; both colours are there."""
    rising = Line("rising", [(1, 0.0), (10, 0.5), (100, 1.0)])
    low = Line("low", [(1, 0.0), (100, 0.1)])
    picture = line_plot([rising, low], "title", "x", "y")
    assert picture.shape == (HEIGHT, WIDTH, 3)
    upper, lower = where(picture, BLUE), where(picture, RED)
    first, last = upper[upper[:, 0].argmin()], upper[upper[:, 0].argmax()]
    assert last[1] < first[1] - 100
    assert upper[:, 1].max() < lower[:, 1].min()


def test_a_band_reaches_as_far_as_repetitions_spread() -> None:
    """Above and below the line is a faint fill up to the band's ends, which the axis has room for."""
    line = Line("spread", [(1, 0.5), (100, 0.5)], [(1, 0.4, 0.5), (100, 0.0, 1.0)])
    with_band, without = (line_plot([drawn], "title", "x", "y") for drawn in (line, Line("spread", line.points)))
    narrow, wide = (np.count_nonzero((with_band != 255).any(-1)[:, column]) for column in (WIDTH // 3, WIDTH - 60))
    assert wide > 1.8 * narrow > 0
    assert np.count_nonzero((without != 255).any(-1)[:, WIDTH - 60]) < narrow


def test_bars_are_as_long_as_their_parts() -> None:
    """Parts of all bars are in one scale, whatever the bars' own sums."""
    picture = bar_plot([Bar("much", [("a", 30.0), ("b", 60.0)]), Bar("little", [("a", 30.0), ("b", 15.0)])], "title")
    tall = [(picture == colour).all(-1).sum(0) for colour in (BLUE, RED)]
    assert np.count_nonzero(tall[0] > 100) > 200
    long, short = (np.count_nonzero(tall[1] > height) for height in (30, 100))
    assert abs(long / np.count_nonzero(tall[0] > 100) - 2) < 0.05
    assert abs(short / np.count_nonzero(tall[0] > 100) - 0.5) < 0.05


def test_a_plot_replaces_the_one_before(tmp_path: Path) -> None:
    """What is written is the picture itself, and again in its own place; a single point is no problem."""
    for height in (1.0, 2.0):
        lines = [Line("one", [(5, height)])]
        write_plot(tmp_path / "plot.png", lines, "title", "x", "y")
    np.testing.assert_array_equal(read_picture(tmp_path / "plot.png"), line_plot(lines, "title", "x", "y"))
