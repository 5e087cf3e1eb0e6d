"""How different two colours look."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.metrics import ciede2000, delta_e

Picture = NDArray[np.float32]

SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]
"""From Table 1 of Sharma, Wu & Dalal 2005."""


@pytest.mark.parametrize(("a", "b", "expected"), SHARMA)
def test_the_published_pairs(a: tuple[float, ...], b: tuple[float, ...], expected: float) -> None:
    """The authors' test data, to its four digits, in either order."""
    assert ciede2000(np.array(a), np.array(b)) == pytest.approx(expected, abs=5e-5)
    assert ciede2000(np.array(b), np.array(a)) == pytest.approx(expected, abs=5e-5)


def test_all_of_lab_agrees_with_scikit_image() -> None:
    """Two implementations agree on colours from everywhere, greys among them."""
    other = pytest.importorskip("skimage.color").deltaE_ciede2000
    rng = np.random.default_rng(0)
    a = rng.uniform((0, -100, -100), (100, 100, 100), (20_000, 3))
    b = a + rng.normal(0, 10, a.shape)
    a[::7, 1:], b[::5, 1:] = 0, 0
    assert ciede2000(a, b) == pytest.approx(other(a, b), abs=1e-9)


def test_delta_e_is_the_mean_over_the_picture(picture: Picture) -> None:
    """0 for equal pictures; where half of the pixels differ, half of the difference."""
    black, white = np.zeros((4, 4, 3), np.float32), np.ones((4, 4, 3), np.float32)
    half = black.copy()
    half[:2] = 1
    assert delta_e(picture, picture) == 0
    assert delta_e(black, white) == pytest.approx(100, abs=0.01)
    assert delta_e(black, half) == pytest.approx(50, abs=0.01)
