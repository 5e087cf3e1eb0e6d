"""Known looks: random presets of the kind photographers use, for pairs whose right answer is known.

One crop of a photo is graded, another crop of the graded photo is the style; the answer is the first crop, graded
(Xing et al., "CanonCGT", CVPR 2026, call it self-reference). Nothing else offers a ground truth without people.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TAIL = 2.0
"""Standard deviations at which a draw ends: the rare preset beyond is no look but a mistake."""

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Preset:
    """One look, the same for every pixel; applied in the order of its fields, as a raw developer would."""

    white_balance: tuple[float, float, float]
    """Gains of red, green and blue."""
    exposure: float
    """In powers of two of encoded values; 1 is about two stops of light."""
    contrast: float
    """Slope of an S-curve at middle grey; 1 changes nothing."""
    black: tuple[float, float, float]
    """What black becomes, per channel: faded or tinted shadows."""
    white: tuple[float, float, float]
    """What white becomes, per channel."""
    gamma: float
    saturation: float
    """Gain of chroma, as far as colours stay in range: a clipped channel would change hue and luma."""


def random_preset(rng: np.random.Generator) -> Preset:
    """A preset from subtle to strong, none so strong that a photographer would not ship it."""

    def draw(spread: float, size: int = 1) -> NDArray[np.float64]:
        return spread * rng.standard_normal(size).clip(-_TAIL, _TAIL)

    warmth, tint = draw(0.12).item(), draw(0.05).item()
    black = rng.uniform(0, 0.1) + draw(0.02, 3)
    white = rng.uniform(0.85, 1) + draw(0.03, 3)
    return Preset(
        white_balance=(float(np.exp(warmth)), float(np.exp(tint)), float(np.exp(-warmth))),
        exposure=draw(0.35).item(),
        contrast=float(np.exp(draw(0.25).item())),
        black=_triple(black.clip(0, 0.2)),
        white=_triple(white.clip(0.7, 1)),
        gamma=float(np.exp(draw(0.2).item())),
        saturation=float(np.exp(draw(0.35).item())),
    )


def grade(picture: Picture, preset: Preset) -> Picture:
    """The picture, RGB ``(…, 3)`` in 0..1, in the look of the preset, in 0..1 again."""
    x = picture * np.array(preset.white_balance, np.float32) * np.float32(2**preset.exposure)
    x = _s_curve(x.clip(0, 1), preset.contrast)
    black, white = (np.array(level, np.float32) for level in (preset.black, preset.white))
    x = black + (white - black) * x
    x = x ** np.float32(preset.gamma)
    return _saturated(x, preset.saturation).clip(0, 1).astype(np.float32)


def toned(luma: NDArray[np.float32], exponents: NDArray[np.float32]) -> Picture:
    """Black-and-white values ``(…)`` in 0..1 in a single tone, as RGB ``(…, 3)`` of that very luma.

    A tone is a power of grey for each channel, ``exponents`` (red, green, blue): 1 for all is neutral, smaller for
    red is warm, as in toned prints.
    """
    curve = np.linspace(0, 1, 1025, dtype=np.float32)[:, None] ** exponents
    lumas = curve @ _LUMA
    return np.stack([np.interp(luma, lumas, channel) for channel in curve.T], axis=-1).astype(np.float32)


def _s_curve(x: Picture, slope: float) -> Picture:
    """Maps 0, ½ and 1 to themselves, with the given slope at ½ (a pair of mirrored powers)."""
    below = 0.5 * (2 * np.minimum(x, 0.5)) ** slope
    above = 1 - 0.5 * (2 * np.minimum(1 - x, 0.5)) ** slope
    return np.where(x < 0.5, below, above).astype(np.float32)


def _saturated(x: Picture, gain: float) -> Picture:
    """Chroma times the gain, or as much of it as leaves every channel in 0..1; luma stays."""
    grey = (x @ _LUMA)[..., None]
    chroma = x - grey
    room = np.where(chroma > 0, 1 - grey, grey) / np.maximum(np.abs(chroma), 1e-6)
    return np.asarray(grey + np.minimum(gain, room.min(-1, keepdims=True)) * chroma, np.float32)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
