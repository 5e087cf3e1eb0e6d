"""What moves through the demo's scene: balloons, birds and clouds, with soft edges and shading."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
Colour = tuple[int, int, int]

_LIGHT = np.array([0.48, -0.52, 0.70], np.float32)
_GORES = 14
_MOUTH = 0.16
_WIDEST = 0.42
_SUPERSAMPLING = 2
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Livery:
    """A balloon's colours: two for the gores, one for the band; ``haze`` (0..1) is how far off it looks."""

    gores: tuple[Colour, Colour]
    band: Colour
    haze: float


def balloon(frame: Image, centre: tuple[float, float], height: float, spin: float, livery: Livery) -> None:
    """Draw a balloon into ``frame`` ((H, W, 3) uint8 RGB), in place.

    Args:
        centre: the middle of the envelope, in pixels.
        height: of envelope and basket together, in pixels.
        spin: the angle about its axis, in radians.
    """
    left, top = (int(np.floor(value - 0.6 * height)) for value in centre)
    side = int(1.2 * height) + 2
    offset = (centre[0] - left, centre[1] - top)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side, frame.shape[1]), min(top + side, frame.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    drawn = _draw_balloon(side, offset, height, spin, livery)[y0 - top : y1 - top, x0 - left : x1 - left]
    region = frame[y0:y1, x0:x1]
    region[:] = (region * (1 - drawn[..., 3:]) + drawn[..., :3] + 0.5).astype(np.uint8)


def birds(frame: Image, flock: Field, wingspan: float) -> None:
    """Draw a flock into ``frame`` ((H, W, 3) uint8 RGB), in place.

    Args:
        flock: (N, 4): x and y in pixels, relative size, and how far up the wings are, in radians from level.
        wingspan: in pixels, of a bird of relative size 1.
    """
    for x, y, size, lift in flock:
        outline = _bird(float(lift)) * (size * wingspan / 2) + (x, y)
        points = np.round(outline * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(frame, [points], (58, 60, 66), cv2.LINE_AA, _SUBPIXEL_BITS)


def cloud_noise(size: tuple[int, int], seed: int) -> Field:
    """Return soft noise for clouds, (height, width) float32 of mean 0 and deviation 1."""
    random = np.random.default_rng(seed)
    noise = np.zeros((size[1], size[0]), np.float32)
    for octave in range(6):
        grid = random.standard_normal((3 * 2**octave + 1, 4 * 2**octave + 1)).astype(np.float32)
        noise += 0.55**octave * cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def clouds(frame: Image, density: Field) -> None:
    """Lay clouds over the top of ``frame`` ((H, W, 3) uint8 RGB), in place.

    ``density`` is (h, W) float32 with h at most H: below 0 the sky is clear, at 1 a cloud is thick.
    """
    cover = np.clip(density, 0, 1)
    alpha = (0.92 * cover * cover * (3 - 2 * cover))[..., None]
    depth = max(density.shape[1] // 50, 1)
    underneath = np.clip(cv2.blur(density, (1, depth), anchor=(0, depth - 1)) - 0.55, 0, 1)[..., None]
    white = np.array([255, 253, 250], np.float32) - underneath * np.array([26, 19, 12], np.float32)
    region = frame[: density.shape[0]]
    region[:] = (region + alpha * (white - region) + 0.5).astype(np.uint8)


def _draw_balloon(side: int, centre: tuple[float, float], height: float, spin: float, livery: Livery) -> Field:
    """Return the balloon alone: (side, side, 4) float32 RGBA, premultiplied, colours 0..255, alpha 0..1."""
    fine = _SUPERSAMPLING
    steps = (np.arange(side * fine) + 0.5) / fine
    x, y = (np.asarray(steps - middle, np.float32) for middle in centre)
    envelope = 0.80 * height
    radius = 0.42 * envelope * 1.05
    top = -0.5 * height
    down = np.asarray((y[:, None] - top) / envelope, np.float32)
    colour, alpha = _envelope(np.asarray(x[None] / radius, np.float32), down, radius, spin, livery)
    drawn = np.concatenate([colour * alpha[..., None], alpha[..., None]], axis=2).astype(np.float32)
    basket = _basket(side * fine, (centre[0] * fine, (centre[1] + top + envelope) * fine), height * fine)
    drawn = basket + (1 - basket[..., 3:]) * drawn
    drawn[..., :3] += livery.haze * (np.array([214, 226, 240], np.float32) * drawn[..., 3:] - drawn[..., :3])
    return cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def _envelope(x: Field, y: Field, radius: float, spin: float, livery: Livery) -> tuple[Field, Field]:
    """Return colour (h, w, 3) and coverage (h, w) of the envelope; y is 0 at its top, 1 at its mouth."""
    crown = np.sqrt(np.clip(1 - ((y - _WIDEST) / _WIDEST) ** 2, 0, 1))
    taper = 1 - (1 - _MOUTH) * np.clip((y - _WIDEST) / (1 - _WIDEST), 0, 1) ** 1.75
    width = np.where(y < _WIDEST, crown, taper)
    inside = (y >= 0) & (y <= 1)
    alpha = np.clip((width - np.abs(x)) * radius + 0.5, 0, 1) * inside
    across = np.clip(x / np.maximum(width, 1e-3), -1, 1)
    gore = (np.arcsin(across) + spin) * _GORES / (2 * np.pi)
    even = (np.floor(gore) % 2 == 0)[..., None]
    colour = np.where(even, np.array(livery.gores[0], np.float32), np.array(livery.gores[1], np.float32))
    band = ((y > 0.50) & (y < 0.60))[..., None]
    colour = np.where(band, np.array(livery.band, np.float32), colour)
    return _shade(colour, across, gore, y), alpha.astype(np.float32)


def _shade(colour: Field, across: Field, gore: Field, y: Field) -> Field:
    """Return ``colour`` lit from the upper right, with the billow of each gore between its seams."""
    billow = np.sin(2 * np.pi * gore) * 0.16
    down = np.clip((y - _WIDEST) / 0.55, -0.98, 0.98)
    forward = np.sqrt(np.clip(1 - across**2, 0, 1) * (1 - down**2))
    lit = (across + billow) * _LIGHT[0] + down * _LIGHT[1] + forward * _LIGHT[2]
    seam = 1 - 0.22 * np.exp(-(((gore - np.round(gore)) / 0.06) ** 2))
    shine = np.clip(lit - 0.80, 0, 1)[..., None] * 190
    brightness = (0.50 + 0.58 * np.clip(lit, -0.15, 1)) * seam
    return np.asarray(np.clip(colour * brightness[..., None] + shine, 0, 255), np.float32)


def _basket(side: int, mouth: tuple[float, float], height: float) -> Field:
    """Return ropes and basket under the envelope's ``mouth``, (side, side, 4) float32 RGBA, premultiplied."""
    drawn = np.zeros((side, side, 4), np.uint8)
    x, y = mouth

    def fixed(dx: float, dy: float) -> tuple[int, int]:
        scale = height * 2**_SUBPIXEL_BITS
        return round(x * 2**_SUBPIXEL_BITS + dx * scale), round(y * 2**_SUBPIXEL_BITS + dy * scale)

    thickness = max(round(height / 160), 1)
    for rope in (-1.0, -0.35, 0.35, 1.0):
        ends = fixed(rope * 0.052, -0.005), fixed(rope * 0.042, 0.10)
        cv2.line(drawn, *ends, (70, 58, 50, 255), thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    sides = [(-0.045, 0.10), (0.045, 0.10), (0.037, 0.175), (-0.037, 0.175)]
    lit = [(0.012, 0.10), (0.045, 0.10), (0.037, 0.175), (0.010, 0.175)]
    rim = [(-0.049, 0.095), (0.049, 0.095), (0.048, 0.110), (-0.048, 0.110)]
    parts = (sides, (112, 74, 44, 255)), (lit, (150, 104, 64, 255)), (rim, (80, 52, 34, 255))
    for outline, colour in parts:
        points = np.array([fixed(*point) for point in outline], np.int32)
        cv2.fillPoly(drawn, [points], colour, cv2.LINE_AA, _SUBPIXEL_BITS)
    result = drawn.astype(np.float32)
    result[..., 3] /= 255
    return result


def _bird(lift: float) -> Field:
    """Return the outline, (N, 2), of a bird flying left; half its wingspan is 1, ``lift`` in radians."""
    fold = 0.55 * lift - 0.25
    elbow = np.array([0.42 * np.cos(lift), -0.42 * np.sin(lift)])
    tip = elbow + 0.58 * np.array([np.cos(fold), -np.sin(fold)])
    mirror = np.array([-0.86, 0.94])
    sweep = np.array([-0.20, 0.06])
    right = np.array(
        [
            (0.34, 0.02),
            (0.20, -0.06),
            elbow + np.array([0.10, -0.02]),
            tip + sweep,
            elbow + np.array([-0.12, 0.08]),
            (-0.10, 0.07),
            (-0.38, 0.10),
            (-0.36, 0.02),
            (-0.14, 0.0),
            elbow * mirror + np.array([-0.14, 0.05]),
            tip * mirror + sweep,
            elbow * mirror + np.array([0.06, -0.04]),
            (0.08, -0.07),
        ],
        np.float32,
    )
    return right * np.array([-1, 1], np.float32)
