"""What is read off the learning curves."""

import pytest

from benchmarks.federated.report import Curves, best_alone, plot, reached, saving, tables
from benchmarks.federated.rounds import Point

IMAGES = (0, 100, 200, 300)


def curves(name: str, *runs: tuple[float, ...]) -> Curves:
    """Curves with these losses."""
    return Curves(
        name, tuple(tuple(Point(i, x, x / 4, x / 8, 0.9) for i, x in zip(IMAGES, r, strict=True)) for r in runs)
    )


@pytest.mark.parametrize(
    ("losses", "needed"),
    [
        ((4.0, 3.0, 2.0, 1.0), 150.0),
        ((4.0, 2.0, 2.6, 1.0), 206.25),  # a dip that does not last
        ((4.0, 3.0, 2.6, 2.5), 300.0),
        ((2.0, 1.0, 1.0, 1.0), 0.0),
        ((4.0, 2.0, 2.0, 2.6), None),
    ],
)
def test_reached_means_to_stay(losses: tuple[float, ...], needed: float | None) -> None:
    """The place where a curve goes below 2.5 for good, between points, at its start, or never."""
    assert reached(IMAGES, losses, 2.5) == (None if needed is None else pytest.approx(needed))


def test_saving_is_measured_at_the_lowest_loss_of_one_edge() -> None:
    """One edge is best at 200 images; four reach that after 50: four times fewer. Never is 0."""
    alone = curves("alone", (4.0, 3.0, 2.0, 2.2), (4.0, 4.0, 3.0, 3.2))
    together = curves("four", (4.0, 1.0, 1.0, 1.0))
    got = saving(alone, together)
    assert (got.loss, got.alone) == (2.5, 200.0) and got.together == pytest.approx(50.0)
    assert got.ratio == pytest.approx(4.0)
    assert saving(alone, curves("bad", (4.0, 4.0, 4.0, 4.0))).ratio == 0
    assert saving(alone, alone).ratio <= 1


def test_a_federation_has_to_beat_the_best_way_alone() -> None:
    """Of several ways to train one edge the one with the lowest point on average is the yardstick."""
    fast, far = curves("fast", (4.0, 2.0, 2.0, 2.0)), curves("far", (4.0, 3.5, 1.5, 1.8), (4.0, 3.5, 1.5, 1.8))
    assert best_alone([fast, far]) is far and best_alone([fast]) is fast


def test_tables_and_picture_show_all_federations() -> None:
    """Each curve has its column and its row, with the saving at the end; the picture can be read."""
    alone = [
        curves("one edge alone", (4.0, 3.0, 2.0, 1.9), (4.1, 3.1, 2.1, 2.0)),
        curves("slowly", (4.0, 3.9, 3.8, 3.7)),
    ]
    four = curves("four edges", (4.0, 1.0, 1.0, 0.5))
    lines = list(tables(alone, [four], [curves("bsds alone", (4.0, 3.0, 2.0, 1.5))]))
    assert "| 100 | 3.050 (3.000 – 3.100) | 3.900 (3.900 – 3.900) | 1.000 (1.000 – 1.000) |" in lines
    assert any(line.startswith("| bsds alone | 1.5000 |") for line in lines)
    assert lines[-2:] == [
        "| one edge alone | 1.950 | 300 | 68 (4.39×) |",
        "| slowly | 3.700 | 300 | 10 (30.00×) |",
    ]
    assert plot([*alone, four], "style").std() > 5
