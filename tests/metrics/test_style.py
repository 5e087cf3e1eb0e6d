"""Distances between the look of two pictures."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.pair_scores import teacher_features
from mvstylizer.metrics import gram_distance, mean_std_distance, swd
from tests.metrics.conftest import SHARED

Picture = NDArray[np.float32]
FeatureMap = NDArray[np.float32]


@pytest.fixture
def features() -> list[FeatureMap]:
    """Two levels of random feature maps."""
    rng = np.random.default_rng(0)
    return [rng.random(shape, np.float32) for shape in ((4, 12, 16), (8, 6, 8))]


def moved(features: list[FeatureMap]) -> list[FeatureMap]:
    """The same features at other places: what shuffling the pixels of each level gives."""
    rng = np.random.default_rng(1)
    orders = [rng.permutation(each[0].size) for each in features]
    return [
        each.reshape(len(each), -1)[:, order].reshape(each.shape) for each, order in zip(features, orders, strict=True)
    ]


def test_where_a_feature_is_does_not_matter(features: list[FeatureMap]) -> None:
    """Both distances are 0 to the same features in other places, and not 0 to other features."""
    for distance in (gram_distance, mean_std_distance):
        assert distance(features, moved(features)) == pytest.approx(0, abs=1e-9)
        assert distance(features, [each * 1.5 for each in features]) > 0.01


def test_gram_distance_by_hand() -> None:
    """Channels of ones and of zeros: the Gram matrices differ in one entry, 1/C."""
    ones = np.ones((1, 3, 5), np.float32)
    two = np.concatenate([ones, np.zeros_like(ones)])
    assert gram_distance([two], [two * 0]) == pytest.approx(0.25)
    assert gram_distance([two, ones], [two * 0, ones * 0]) == pytest.approx(0.25 + 1)


def test_mean_std_distance_by_hand() -> None:
    """A shift of a channel counts its square, shared among channels; the standard deviation is the unbiased one."""
    checks = np.array([[[0, 1], [0, 1]], [[0, 0], [0, 0]]], np.float32)
    shifted = checks + np.array([2, 0], np.float32)[:, None, None]
    assert mean_std_distance([checks], [shifted]) == pytest.approx(2)
    assert mean_std_distance([checks], [checks * 0]) == pytest.approx((0.25 + 1 / 3) / 2)


def test_only_correlation_is_gram_distances_alone() -> None:
    """Two channels that rise together or one against the other have equal means and deviations."""
    ramp = np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6)
    together, against = np.stack([ramp, ramp]), np.stack([ramp, ramp[::-1, ::-1]])
    assert mean_std_distance([together], [against]) == pytest.approx(0, abs=1e-9)
    assert gram_distance([together], [against]) > 0.001


def test_levels_have_to_be_the_same(features: list[FeatureMap]) -> None:
    """A missing level is an error, not a smaller distance."""
    for distance in (gram_distance, mean_std_distance):
        with pytest.raises(ValueError, match="shorter"):
            distance(features, features[:1])


def test_swd_is_the_distance_that_colours_have_to_go(picture: Picture) -> None:
    """0 for the same colours in other places, and a shift counts in proportion to its length."""
    dark = picture * np.float32(0.5)
    near, far = (swd(dark + np.float32(step), dark) for step in (0.1, 0.3))
    assert swd(dark[::-1], dark) == pytest.approx(0, abs=1e-7)
    assert far == pytest.approx(3 * near, rel=1e-4)
    assert 0.05 < near < 0.1 * np.sqrt(3)


def test_swd_takes_pictures_of_two_sizes(picture: Picture) -> None:
    """Only colours count, so a part of a picture of stripes is as near as the whole."""
    stripes = np.tile(picture[:1, :179], (300, 1, 1))
    assert swd(stripes, stripes[:40]) < 0.002


@pytest.mark.slow
def test_style_agrees_with_the_independent_score(
    real_pair: tuple[Picture, Picture, Picture], independent: ModuleType
) -> None:
    """Two implementations, ours with the features of the project's own network, give the same numbers."""
    result, _, style = real_pair
    # On a busy machine several threads mostly wait for each other.
    pytest.importorskip("torch").set_num_threads(1)
    features = teacher_features(teacher())
    ours, wanted = features(result), features(style)
    assert gram_distance(ours, wanted) == pytest.approx(independent.gram(result, style), rel=1e-4)
    assert mean_std_distance(ours, wanted) == pytest.approx(independent.meanstd(result, style), rel=1e-4)
    assert swd(result, style) == pytest.approx(independent.swd(result, style), rel=1e-6)


def teacher() -> Path:
    path = SHARED / "teacher" / "vgg19_16x.safetensors"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    return path
