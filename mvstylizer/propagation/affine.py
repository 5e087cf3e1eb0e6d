"""Propagation `affine`: move the look along the flow instead of the pixels (DESIGN §5).

A photorealistic look changes light and colour, not shapes, so around every pixel it is nearly gain · frame + offset.
At a key frame gain and offset are fitted by local ridge regression, at an intermediate frame they are pulled along
the flow from the key frames on both sides, blended, and given once to the frame's own full-size planes. Edges and
texture stay the camera's; an occlusion leaves no ghost, because nothing of another frame is copied.

Where what the flow brings is in doubt, a bilateral grid of the look takes its place, fitted at the key frames and
interpolated in time, which needs no flow (docs/propagation.md has the comparison).
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.flow import FlowEstimator, luma, sample
from mvstylizer.propagation.grid import LookGrid, fit_grid
from mvstylizer.propagation.look import StylizedKey
from mvstylizer.video import ColourSpace, rgb_to_yuv, yuv_to_rgb
from mvstylizer.video.frame import Planes, proxy_shape

SMALL_SIZE = 256
"""Long side at which looks are moved: fields are smooth, and little is lost by that."""
RADIUS = 6
"""Of the fit's window, in pixels of a picture whose long side is 512."""
RIDGE = 1e-4 * 255**2
"""Variance of code values below which a window says little about its gain, and the frame's overall gain counts."""
_NOISE = 4.0**2
"""Variance of code values below which a whole channel says nothing: noise must not be taken for a look."""
_AGREEMENT = 12.0
"""Luma difference, in code values, at which a moved key frame counts little."""
_FLOOR = 0.05
"""Weight that is left to a key frame which does not agree at all: better a look from elsewhere than none."""
_DOUBT = 0.3
"""Code values of luma by which looks may always differ without a reason to doubt them."""

# Fixed point of the full-size multiply-add: 16-bit lanes are twice as fast as float.
_FRACTION_BITS = 4
_MAX_GAIN = 8.0

Field = NDArray[np.float32]
Value = TypeVar("Value", np.uint8, np.float32)


@dataclass(frozen=True)
class AffineField:
    """A look: per-pixel ``gain`` and ``offset`` ``(h, w, 3) float32`` on YUV code values, at proxy size."""

    gain: Field
    offset: Field
    colour: ColourSpace

    def on_planes(self, planes: Planes) -> Planes:
        y, u, v = (_multiply_add(p, self.gain[..., i], self.offset[..., i]) for i, p in enumerate(planes))
        return y, u, v

    def on_proxy(self, proxy: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = proxy.shape[1], proxy.shape[0]
        gain, offset = (cv2.resize(field, size, interpolation=cv2.INTER_LINEAR) for field in (self.gain, self.offset))
        yuv = rgb_to_yuv(proxy, self.colour) * gain + offset
        return np.clip(np.rint(yuv_to_rgb(yuv.astype(np.float32), self.colour)), 0, 255).astype(np.uint8)

    def at(self, strength: float) -> "AffineField":
        """Gain and offset on a straight line from those that change nothing (DESIGN §5: A←1+s(A−1), B←sB)."""
        if strength == 1:
            return self
        share = np.float32(strength)
        return AffineField(1 + share * (self.gain - 1), share * self.offset, self.colour)


@dataclass(frozen=True)
class AffineKey:
    """A stylized key frame: its look, and in small what other frames take from it."""

    look: AffineField
    small_luma: NDArray[np.uint8]
    small: "SmallField"
    grid: LookGrid
    grid_error: NDArray[np.float32]
    """How far the grid's look is from the key frame's own, code values of luma ``(h, w)``."""


@dataclass(frozen=True)
class SmallField:
    """Gain and offset ``(h, w, 3)`` of a picture of SMALL_SIZE."""

    gain: Field
    offset: Field

    def towards(self, other: "SmallField", share: NDArray[np.float32]) -> "SmallField":
        """Pixel by pixel on the way from this one to another; ``share`` is ``(h, w)``, 0..1."""
        part = cv2.merge([share, share, share])
        return SmallField(
            self.gain + part * (other.gain - self.gain), self.offset + part * (other.offset - self.offset)
        )

    def difference(self, other: "SmallField", y: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far two looks of a frame of luma ``y`` (h, w) are apart in luma, code values ``(h, w)``, smoothed."""
        apart = y * (self.gain[..., 0] - other.gain[..., 0]) + self.offset[..., 0] - other.offset[..., 0]
        return _box(np.abs(apart), 2)


class AffinePropagation:
    """Gain and offset from the key frames on both sides, weighted by nearness in time and by agreement."""

    full_size = False
    two_sided = True

    def __init__(self, colour: ColourSpace, flow: FlowEstimator, *, radius: int = RADIUS, ridge: float = RIDGE) -> None:
        self._colour = colour
        self._flow = flow
        self._radius = radius
        self._ridge = ridge

    def key(self, proxy: NDArray[np.uint8], stylized: NDArray[np.uint8]) -> AffineKey:
        fitted = self._fitted(rgb_to_yuv(proxy, self._colour), rgb_to_yuv(stylized, self._colour))
        look = AffineField(*fitted, self._colour)
        small = _small(proxy)
        frame = rgb_to_yuv(small, self._colour)
        grid = fit_grid(frame, rgb_to_yuv(_small(stylized), self._colour))
        own = SmallField(_small(look.gain), _small(look.offset))
        return AffineKey(look, luma(small), own, grid, own.difference(self._gridded(grid, frame), frame[..., 0]))

    def between(
        self, proxy: NDArray[np.uint8], previous: StylizedKey, following: StylizedKey | None, position: float
    ) -> AffineField:
        small = _small(proxy)
        gray, frame = luma(small), rgb_to_yuv(small, self._colour)
        side = self._side(gray, previous, 1 - position)
        if following is not None:
            side = side.joined(self._side(gray, following, position), position)
        gridded = self._gridded(side.grid, frame)
        trust = _trust(side.agreement, side.grid_error, side.look.difference(gridded, frame[..., 0]))
        look = gridded.towards(side.look, trust)
        return AffineField(look.gain, look.offset, self._colour)

    def _side(self, frame: NDArray[np.uint8], key: StylizedKey, nearness: float) -> "_Side":
        """One key frame's look at the frame's own positions."""
        if not isinstance(key, AffineKey):
            raise TypeError(f"affine propagation needs key frames of its own, not {type(key).__name__}")
        flow = self._flow(frame, key.small_luma)
        agreement = _agreement(frame, sample(key.small_luma, flow))
        look = SmallField(sample(key.small.gain, flow), sample(key.small.offset, flow))
        weight = np.float32(nearness + 1e-3) * (agreement + np.float32(_FLOOR))
        return _Side(look, weight, agreement, key.grid, key.grid_error)

    def _gridded(self, grid: LookGrid, frame: Field) -> SmallField:
        """The grid's look of a frame, as gain and offset."""
        return SmallField(*self._fitted(frame, grid.on_yuv(frame)))

    def _fitted(self, frame: Field, wanted: Field) -> tuple[Field, Field]:
        radius = round(self._radius * max(frame.shape[:2]) / 512)
        return fit_affine(frame, wanted, max(1, radius), self._ridge)


@dataclass(frozen=True)
class _Side:
    """What a frame gets from a key frame, or from two."""

    look: SmallField
    weight: NDArray[np.float32]
    agreement: NDArray[np.float32]
    grid: LookGrid
    grid_error: NDArray[np.float32]

    def joined(self, after: "_Side", position: float) -> "_Side":
        """Looks by weight, the grids' by its mean, all else by the frame's position in time."""
        weight, share = self.weight + after.weight, np.float32(position)
        return _Side(
            self.look.towards(after.look, after.weight / weight),
            weight,
            self.agreement + share * (after.agreement - self.agreement),
            self.grid.towards(after.grid, float(after.weight.mean() / weight.mean())),
            self.grid_error + share * (after.grid_error - self.grid_error),
        )


def _trust(
    agreement: NDArray[np.float32], grid_error: NDArray[np.float32], difference: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How much the moved look counts against the grid's, ``(h, w)``, 0..1.

    All of it where key frames and frame agree, and where the two looks are no further apart than the grid is known to
    be wrong; less the less they agree and the further apart the looks are.
    """
    known, apart = np.square(grid_error) + np.float32(_DOUBT**2), np.square(difference)
    return np.float32(1) - (np.float32(1) - agreement) * apart / (known + apart)


def _small(picture: NDArray[Value]) -> NDArray[Value]:
    height, width = proxy_shape(picture.shape[0], picture.shape[1], SMALL_SIZE)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def fit_affine(frame: Field, wanted: Field, radius: int, ridge: float) -> tuple[Field, Field]:
    """The gain and offset that map ``frame`` to ``wanted`` around every pixel, channel by channel.

    Ridge regression in a window of 2·radius + 1, averaged over all windows that hold the pixel (He et al., "Guided
    Image Filtering", PAMI 2013), but drawn towards the gain of the whole picture instead of 0: a look that is the
    same everywhere is met exactly, and faint texture in flat places is not smoothed away. All arrays
    ``(h, w, 3) float32``.
    """
    products, squares = frame * wanted, frame * frame
    # Row by row: numpy is slow at three values for every pixel. In place: fresh memory takes longer than the sums.
    pull = np.float32(ridge) * np.tile(_gain_of_all(frame, wanted, products, squares), (frame.shape[1], 1))
    mean_frame, mean_wanted = _box(frame, radius), _box(wanted, radius)
    gain, variance = _box(products, radius), _box(squares, radius)
    gain -= np.multiply(mean_frame, mean_wanted, products)
    gain += pull
    variance -= np.multiply(mean_frame, mean_frame, squares)
    variance += np.float32(ridge)
    gain /= variance
    offset = mean_wanted
    offset -= np.multiply(gain, mean_frame, mean_frame)
    return _box(gain, radius), _box(offset, radius)


def _gain_of_all(frame: Field, wanted: Field, products: Field, squares: Field) -> NDArray[np.float32]:
    """One gain per channel for the whole picture, ``(3,) float32``; 1 where the channel is empty, never negative.

    ``products`` of frame and wanted, ``squares`` of the frame.
    """
    # OpenCV adds up in float64, of which the difference of large means needs much.
    means = (np.array(cv2.mean(each)[:3]) for each in (frame, wanted, products, squares))
    mean_frame, mean_wanted, mean_product, mean_square = means
    covariance = mean_product - mean_frame * mean_wanted
    variance = mean_square - mean_frame * mean_frame
    return np.asarray(np.maximum((covariance + _NOISE) / (variance + _NOISE), 0), np.float32)


def _box(x: NDArray[np.floating], radius: int) -> Field:
    size = 2 * radius + 1
    return np.asarray(cv2.blur(x, (size, size), borderType=cv2.BORDER_REFLECT), np.float32)


def _agreement(frame: NDArray[np.uint8], moved: NDArray[np.uint8]) -> NDArray[np.float32]:
    """1 where the moved key frame shows what the frame shows, towards 0 where it does not: ``(h, w) float32``."""
    difference = cv2.blur(cv2.absdiff(frame, moved), (5, 5)).astype(np.float32) / _AGREEMENT
    return np.exp(-difference * difference)


def _multiply_add(plane: NDArray[np.uint8], gain: Field, offset: Field) -> NDArray[np.uint8]:
    """``plane · gain + offset`` rounded and saturated to uint8, the fields scaled up bilinearly.

    Done in 16-bit fixed point: gains, clipped to ±8, with 12 fractional bits, products and offsets with 4. Each
    operation has operands of one type, and the result of most goes where one of them was: OpenCV's mixed types and
    weighted sums, which would do with fewer, take five times as long.
    """
    size = plane.shape[1], plane.shape[0]
    fraction = 1 << _FRACTION_BITS
    gain_bits = 1 << 12
    fixed_gain = np.clip(gain * gain_bits, -_MAX_GAIN * gain_bits + 1, _MAX_GAIN * gain_bits - 1).astype(np.int16)
    fixed_offset = np.clip(offset * fraction, -32767, 32767).astype(np.int16)
    gains = cv2.resize(fixed_gain, size, interpolation=cv2.INTER_LINEAR)
    offsets = cv2.resize(fixed_offset, size, interpolation=cv2.INTER_LINEAR)
    cv2.multiply(plane.astype(np.int16), gains, gains, scale=fraction / gain_bits)
    values = cv2.add(gains, offsets, gains)
    return np.asarray(cv2.convertScaleAbs(np.maximum(values, 0), alpha=1 / fraction), np.uint8)
