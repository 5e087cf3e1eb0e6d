"""The demo's backdrop: a photograph taken apart into a far and a near layer, and the camera that sees them.

The photograph is scikit-learn's ``china.jpg``: the Summer Palace in Beijing by day. All places are given in
its pixels (640 × 427), whatever the size of the frames. Tower and trees make the near layer, sky and lake the
far one; they differ so clearly in brightness and warmth that two thresholds part them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import UsageError

Image = NDArray[np.uint8]
Field = NDArray[np.float32]

PHOTO_SIZE = (640, 427)
HORIZON = 205.0
"""The row of the photograph where the sky ends, in its pixels."""

_WARM = 18.0
_DARK = 150.0
_SMALLEST_OBJECT = 1500
_LARGEST_HOLE = 600
_SKY_TOP = (0.74, 0.87, 0.985)


@dataclass(frozen=True)
class View:
    """What the camera sees: the window's centre and width in pixels of the photograph."""

    x: float
    y: float
    width: float

    def towards(self, other: "View", amount: float) -> "View":
        """Return the view ``amount`` (0..1) of the way to ``other``; the zoom runs evenly to the eye."""
        return View(
            self.x + amount * (other.x - self.x),
            self.y + amount * (other.y - self.y),
            self.width * (other.width / self.width) ** amount,
        )

    def pixels(self, x: float, y: float, size: tuple[int, int]) -> tuple[float, float]:
        """Return where the point (x, y) of the photograph lies in a frame of ``size`` (width, height)."""
        scale = size[0] / self.width
        return (x - self.x) * scale + size[0] / 2, (y - self.y) * scale + size[1] / 2


@dataclass(frozen=True)
class Backdrop:
    """The two layers at ``scale`` times the photograph's size.

    ``far`` is (H, W, 3) uint8 RGB without holes; ``near`` is (H, W, 4) uint8 RGBA, premultiplied.
    """

    far: Image
    near: Image
    scale: float


def load_photo() -> Image:
    """Return the photograph, (427, 640, 3) uint8 RGB.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_sample_image
    except ImportError as error:
        raise needs_demo_extra("scikit-learn") from error
    return np.array(load_sample_image("china.jpg"), dtype=np.uint8)


def needs_demo_extra(package: str) -> UsageError:
    """Return the error that tells how to install what the demo takes its photographs from."""
    return UsageError(f"the demo takes a photograph from {package}: run pip install 'mvstylizer[demo]'")


def take_apart(photo: Image, scale: float) -> Backdrop:
    """Return the layers of ``photo`` ((427, 640, 3) uint8 RGB), ``scale`` times as large.

    The far layer shifted by nothing behind the near one gives the photograph back, but for its deeper sky.
    """
    near = _near_mask(photo)
    far = _calm_sky(_fill(photo.astype(np.float32), _widened(near)))
    alpha = cv2.GaussianBlur(near.astype(np.float32), (0, 0), 0.7)[..., None]
    alpha *= alpha > 0.02
    colour = np.clip(photo - (1 - alpha) * far, 0, 255 * alpha)
    layer = np.concatenate([colour, 255 * alpha], axis=2)
    enlarged = _enlarge(layer, scale)
    return Backdrop(_enlarge(far * _deeper_sky(photo.shape[0]), scale), enlarged, scale)


def look(layer: Image, scale: float, view: View, size: tuple[int, int]) -> Image:
    """Return ``layer`` as ``view`` shows it in a frame of ``size`` (width, height), at sub-pixel accuracy."""
    step = view.width * scale / size[0]
    x = view.x * scale - step * size[0] / 2
    y = view.y * scale - step * size[1] / 2
    matrix = np.array([[step, 0, x + (step - 1) / 2], [0, step, y + (step - 1) / 2]], np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(layer, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return warped.astype(np.uint8, copy=False)


def _near_mask(photo: Image) -> Image:
    """Return (H, W) uint8, 1 where tower and trees are: large objects, dark or warm, without small holes."""
    colour = photo.astype(np.float32)
    near = ((colour.mean(axis=2) < _DARK) | (colour[..., 0] - colour[..., 2] > _WARM)).astype(np.uint8)
    # Widened first, so that loose leaves stay with their tree.
    objects = _keep(_widened(near), lambda area: area >= _SMALLEST_OBJECT)
    near = near & objects
    holes = _keep(1 - near, lambda area: area < _LARGEST_HOLE)
    return np.asarray(near | holes, np.uint8)


def _widened(mask: Image) -> Image:
    """Return ``mask`` grown by four pixels on every side."""
    return np.asarray(cv2.dilate(mask, np.ones((9, 9), np.uint8)), np.uint8)


def _keep(mask: Image, wanted: Callable[[NDArray[np.int32]], NDArray[np.bool_]]) -> Image:
    """Return ``mask`` with only those of its connected parts whose area in pixels is ``wanted``."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    chosen = wanted(statistics[:, cv2.CC_STAT_AREA].astype(np.int32))
    chosen[0] = False
    return np.asarray(chosen[labels], np.uint8)


def _fill(colour: Field, hidden: Image) -> Field:
    """Return ``colour`` ((H, W, 3) float32) with what is ``hidden`` ((H, W) uint8) filled from around."""
    weight = (hidden == 0).astype(np.float32)
    filled = colour * weight[..., None]
    result = np.zeros_like(filled)
    for sigma in (64.0, 32.0, 16.0, 8.0, 4.0):
        # Sky, shores and lake lie in horizontal bands.
        total = cv2.GaussianBlur(weight, (0, 0), sigma, sigmaY=sigma / 6)
        mean = cv2.GaussianBlur(filled, (0, 0), sigma, sigmaY=sigma / 6) / np.maximum(total, 1e-6)[..., None]
        trust = np.clip(total / 0.02, 0, 1)[..., None]
        result = result + trust * (mean - result)
    return np.where(weight[..., None] > 0, colour, result).astype(np.float32)


def _calm_sky(far: Field) -> Field:
    """Return ``far`` ((H, W, 3)) with the sky smoothed: enlarged, the blocks of its JPEG would show."""
    rows = np.arange(far.shape[0], dtype=np.float32)[:, None, None]
    amount = np.clip((HORIZON - 20 - rows) / 20, 0, 1)
    return (far + amount * (cv2.GaussianBlur(far, (0, 0), 5) - far)).astype(np.float32)


def _deeper_sky(height: int) -> Field:
    """Return (height, 1, 3) gains that make the pale sky bluer towards the top, so that clouds show on it."""
    rows = np.arange(height, dtype=np.float32)[:, None, None]
    amount = np.clip(1 - rows / HORIZON, 0, 1)
    return np.asarray(1 - amount * (1 - np.array(_SKY_TOP, np.float32)), np.float32)


def _enlarge(layer: Field, scale: float) -> Image:
    """Return ``layer`` ((H, W, C), 0..255) at ``scale``, as uint8; enlarged, it is sharpened a little."""
    interpolation = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA
    large = cv2.resize(layer.astype(np.float32), None, fx=scale, fy=scale, interpolation=interpolation)
    if scale > 1:
        large = large + 0.8 * (large - cv2.GaussianBlur(large, (0, 0), 0.7 * scale))
    return np.asarray(np.clip(large + 0.5, 0, 255), np.uint8)
