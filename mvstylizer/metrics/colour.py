"""How different two colours look: CIEDE2000."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.metrics.similarity import Picture

Values = NDArray[np.float64]

_KNEE = 25.0**7
"""Of the two corrections that vanish for colours of much chroma."""


def delta_e(a: Picture, b: Picture) -> float:
    """Mean CIEDE2000 difference of two sRGB pictures ``(H, W, 3)`` in 0..1 (D65); about 1 is just noticeable."""
    labs = (np.asarray(cv2.cvtColor(np.asarray(p, np.float32), cv2.COLOR_RGB2LAB), np.float64) for p in (a, b))
    return float(ciede2000(*labs).mean())


def ciede2000(a: Values, b: Values) -> Values:
    """CIEDE2000 differences ``(…)`` of CIE-Lab colours ``(…, 3)``, all weights 1.

    Sharma, Wu & Dalal, "The CIEDE2000 Color-Difference Formula", Color Research & Application 2005.
    """
    (chroma_a, hue_a), (chroma_b, hue_b) = _chroma_and_hue(a, b)
    lightness, chroma = (a[..., 0] + b[..., 0]) / 2, (chroma_a + chroma_b) / 2
    turn = (hue_b - hue_a + 180) % 360 - 180
    hue = _mean_hue(hue_a, hue_b, chroma_a * chroma_b > 0)
    from_middle = (lightness - 50) ** 2
    d_lightness = (b[..., 0] - a[..., 0]) / (1 + 0.015 * from_middle / np.sqrt(20 + from_middle))
    d_chroma = (chroma_b - chroma_a) / (1 + 0.045 * chroma)
    d_hue = 2 * np.sqrt(chroma_a * chroma_b) * _sin(turn / 2) / (1 + 0.015 * chroma * _hue_weight(hue))
    rotation = -_sin(60 * np.exp(-(((hue - 275) / 25) ** 2))) * 2 * _knee(chroma)
    return np.asarray(np.sqrt(d_lightness**2 + d_chroma**2 + d_hue**2 + rotation * d_chroma * d_hue), np.float64)


def _chroma_and_hue(a: Values, b: Values) -> tuple[tuple[Values, Values], tuple[Values, Values]]:
    """Chroma and hue (degrees) of both, a* stretched near the neutral axis (equations 2-7)."""
    chroma = (np.hypot(a[..., 1], a[..., 2]) + np.hypot(b[..., 1], b[..., 2])) / 2
    stretch = 1 + 0.5 * (1 - _knee(chroma))
    polar_a, polar_b = (
        (
            np.hypot(lab[..., 1] * stretch, lab[..., 2]),
            np.degrees(np.arctan2(lab[..., 2], lab[..., 1] * stretch)) % 360,
        )
        for lab in (a, b)
    )
    return polar_a, polar_b


def _mean_hue(a: Values, b: Values, both: NDArray[np.bool_]) -> Values:
    """The mean over the shorter arc (equation 14); where a colour has no hue, the other's."""
    mean = (a + b) / 2
    across_zero = np.abs(a - b) > 180
    mean = np.where(across_zero, np.where(mean < 180, mean + 180, mean - 180), mean)
    return np.where(both, mean, a + b)


def _hue_weight(hue: Values) -> Values:
    """T of equation 15."""
    return np.asarray(
        1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.20 * _cos(4 * hue - 63),
        np.float64,
    )


def _knee(chroma: Values) -> Values:
    return np.asarray(np.sqrt(chroma**7 / (chroma**7 + _KNEE)), np.float64)


def _sin(degrees: Values) -> Values:
    return np.asarray(np.sin(np.radians(degrees)), np.float64)


def _cos(degrees: Values) -> Values:
    return np.asarray(np.cos(np.radians(degrees)), np.float64)
