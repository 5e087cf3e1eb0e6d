"""Known looks: what a preset may do to a picture, and what it must leave alone."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.training.grading import Preset, grade, random_preset, toned
from tests.scenes import texture

NEUTRAL = Preset((1, 1, 1), 0, 1, (0, 0, 0), (1, 1, 1), 1, 1)
LUMA = np.array([0.299, 0.587, 0.114])
SEEDS = range(200)

Picture = NDArray[np.float32]


def ramp() -> Picture:
    """Every grey from black to white, ``(256, 3)``."""
    return np.repeat(np.arange(256, dtype=np.float32)[:, None] / 255, 3, axis=1)


def picture() -> Picture:
    """Soft blotches of all colours."""
    return np.asarray(texture(40, 60, seed=3) / 255, np.float32)


def preset(seed: int) -> Preset:
    return random_preset(np.random.default_rng(seed))


def steepest_fall(values: Picture) -> float:
    """How far the values fall below what they had reached before, along the first axis."""
    return float((np.maximum.accumulate(values, 0) - values).max())


def test_the_neutral_preset_changes_nothing() -> None:
    """Gains of 1, no stops, no curve: each code value comes back."""
    every_code = np.stack([ramp(), ramp()[::-1]]), picture()
    for before in every_code:
        np.testing.assert_allclose(grade(before, NEUTRAL), before, atol=1e-6)


def test_graded_pictures_are_pictures() -> None:
    """Whatever the preset: shape kept, float32, finite, in 0..1, and the picture handed in is left alone."""
    before = np.concatenate([picture().reshape(-1, 3), ramp(), np.eye(3, dtype=np.float32)])
    kept = before.copy()
    for seed in SEEDS:
        after = grade(before, preset(seed))
        assert after.shape == before.shape and after.dtype == np.float32
        assert np.isfinite(after).all() and after.min() >= 0 and after.max() <= 1
    np.testing.assert_array_equal(before, kept)


def test_a_preset_is_the_same_for_every_pixel() -> None:
    """A crop of the graded picture is the graded crop: that is what makes the answer known."""
    whole = picture()
    for seed in SEEDS:
        np.testing.assert_allclose(
            grade(whole, preset(seed))[5:25, 7:30], grade(whole[5:25, 7:30], preset(seed)), atol=1e-6
        )


def test_curves_rise_in_every_channel() -> None:
    """White balance, exposure, curve, levels and gamma never map a brighter value to a darker one."""
    for seed in SEEDS:
        assert steepest_fall(grade(ramp(), replace(preset(seed), saturation=1))) < 1e-6


def test_brighter_greys_stay_brighter() -> None:
    """With saturation too, luma rises along the greys, and black and white stay far apart."""
    for seed in SEEDS:
        luma = np.asarray(grade(ramp(), preset(seed)) @ LUMA, np.float32)
        assert steepest_fall(luma) < 1e-5
        assert luma[-1] - luma[0] > 0.3


@pytest.mark.parametrize("gain", [0.0, 0.5, 1.5, 3.0])
def test_saturation_keeps_hue_and_luma(gain: float) -> None:
    """However strong, saturation moves a colour along the line to its own grey, and never past the range."""
    before = np.concatenate([picture().reshape(-1, 3), np.eye(3, dtype=np.float32)])
    after = grade(before, replace(NEUTRAL, saturation=gain))
    grey = (before @ LUMA)[:, None]
    np.testing.assert_allclose(after @ LUMA, grey[:, 0], atol=1e-5)
    chroma, moved = before - grey, after - grey
    share = (chroma * moved).sum(1) / (chroma * chroma).sum(1)
    np.testing.assert_allclose(moved, share[:, None] * chroma, atol=1e-5)
    assert share.max() <= gain + 1e-3 and share.min() >= min(gain, 1) - 1e-3


@pytest.mark.parametrize(
    ("change", "brighter"),
    [
        ({"exposure": 0.5}, 1), ({"exposure": -0.5}, -1), ({"gamma": 0.7}, 1), ({"gamma": 1.5}, -1),
        ({"black": (0.1, 0.1, 0.1)}, 1), ({"white": (0.8, 0.8, 0.8)}, -1),
    ],
)  # fmt: skip
def test_each_slider_does_what_it_says(change: dict[str, object], brighter: int) -> None:
    """Exposure and black lift a picture, gamma above 1 and a lower white darken it."""
    before = picture()
    after = grade(before, replace(NEUTRAL, **change))  # type: ignore[arg-type]
    assert brighter * (after.mean() - before.mean()) > 0.01


def test_contrast_turns_about_the_middle() -> None:
    """Above 1 darks get darker and brights brighter; black, middle grey and white stay."""
    curve = grade(ramp(), replace(NEUTRAL, contrast=1.6))[:, 0]
    assert curve[64] < 64 / 255 - 0.02 and curve[191] > 191 / 255 + 0.02
    np.testing.assert_allclose(curve[[0, 255]], [0, 1], atol=1e-6)
    assert grade(np.full((1, 3), 0.5, np.float32), replace(NEUTRAL, contrast=1.6)) == pytest.approx(0.5)


def test_presets_follow_the_seed() -> None:
    """The same generator draws the same preset, another another."""
    assert preset(1) == preset(1)
    assert len({preset(seed) for seed in SEEDS}) == len(SEEDS)


def test_random_presets_are_looks_and_not_accidents() -> None:
    """Many are visible, some are strong, but none turns a picture black, white, flat or inside out."""
    before = picture()
    grey = before @ LUMA
    changes = []
    for seed in SEEDS:
        after = grade(before, preset(seed))
        luma = after @ LUMA
        assert 0.08 < luma.mean() < 0.92
        assert 0.3 < luma.std() / grey.std() < 3
        assert np.corrcoef(luma.ravel(), grey.ravel())[0, 1] > 0.8
        changes.append(np.abs(after - before).mean())
    assert np.median(changes) > 0.04 and max(changes) > 0.15


def test_rare_draws_stay_within_what_is_shipped() -> None:
    """Of thousands of presets none is beyond a doubled chroma or a shift of warmth by two thirds."""
    rng = np.random.default_rng(0)
    presets = [random_preset(rng) for _ in range(5000)]
    assert max(p.saturation for p in presets) < 2.1 and min(p.saturation for p in presets) > 0.45
    warmth = [p.white_balance[0] / p.white_balance[2] for p in presets]
    assert 1.5 < max(warmth) < 5 / 3 and 3 / 5 < min(warmth) < 2 / 3
    assert max(abs(p.exposure) for p in presets) < 0.75
    assert all(0 <= b < w <= 1 for p in presets for b, w in zip(p.black, p.white, strict=True))


def test_toned_prints_keep_luma_and_have_one_tone() -> None:
    """Each value keeps its luma and gets the colour that the powers of grey give that luma; equal powers none."""
    values = np.linspace(0, 1, 57, dtype=np.float32).reshape(3, 19)
    neutral = toned(values, np.ones(3, np.float32))
    np.testing.assert_allclose(neutral, np.repeat(values[..., None], 3, axis=-1), atol=1e-6)
    exponents = np.array([0.6, 1.0, 1.7], np.float32)
    warm = toned(values, exponents)
    np.testing.assert_allclose(warm @ LUMA, values, atol=1e-4)
    grey = warm[..., :1] ** (1 / exponents[0])
    np.testing.assert_allclose(warm, grey**exponents, atol=1e-3)
