"""One video frame: its YUV planes, its RGB proxy, and the arithmetic that leads from one to the other."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = Literal["bt601", "bt709", "bt2020", "smpte240m", "fcc"]
Range = Literal["limited", "full"]
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

# Weights of red and blue in luma: ITU-T H.273, table 4 (matrix coefficients).
_LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}


@dataclass(frozen=True)
class ColourSpace:
    """How a stream's YUV code values stand for RGB: the matrix and the range of the codes."""

    matrix: Matrix = "bt709"
    range: Range = "limited"

    def forward(self) -> NDArray[np.float64]:
        """(3, 4) float64: the affine map from R'G'B' codes (0..255) to YUV codes (0..255)."""
        red, blue = _LUMA_WEIGHTS[self.matrix]
        luma = np.array([red, 1 - red - blue, blue])
        cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
        cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
        luma_scale, chroma_scale, black = (1.0, 1.0, 0) if self.range == "full" else (219 / 255, 224 / 255, 16)
        linear = np.stack([luma * luma_scale, cb * chroma_scale, cr * chroma_scale])
        return np.hstack([linear, [[black], [128], [128]]])

    def backward(self) -> NDArray[np.float64]:
        """(3, 4) float64: the exact inverse of ``forward``."""
        forward = self.forward()
        linear = np.linalg.inv(forward[:, :3])
        return np.hstack([linear, -linear @ forward[:, 3:]])


@dataclass(frozen=True)
class Frame:
    """One decoded frame, not turned (see ``VideoInfo.rotation``).

    The planes are 8-bit yuv420p code values in the source's own matrix and range; they may be read-only views
    on the decoder's memory, valid for as long as they are held, their rows padded (not contiguous).
    """

    y: NDArray[np.uint8]
    """(H, W) luma."""
    u: NDArray[np.uint8]
    """(ceil(H/2), ceil(W/2)) Cb."""
    v: NDArray[np.uint8]
    """(ceil(H/2), ceil(W/2)) Cr."""
    pts: int
    """Presentation time in the source stream's time base."""
    is_key: bool
    """True for the stream's own I-frames."""
    proxy: NDArray[np.uint8]
    """(h, w, 3) RGB, contiguous, long side = the proxy size asked for, never larger than the frame."""


def proxy_shape(height: int, width: int, long_side: int) -> tuple[int, int]:
    """(height, width) of a picture scaled to ``long_side``: aspect kept, never enlarged, at least 1 pixel."""
    if long_side < 1:
        raise ValueError(f"long_side must be at least 1, not {long_side}")
    scale = min(1.0, long_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def rgb_to_yuv(rgb: NDArray[np.uint8] | NDArray[np.float32], colour: ColourSpace) -> NDArray[np.float32]:
    """(h, w, 3) RGB 0..255 → (h, w, 3) float32 YUV code values 0..255, neither rounded nor clipped."""
    return _transform(rgb, colour.forward())


def yuv_to_rgb(yuv: NDArray[np.uint8] | NDArray[np.float32], colour: ColourSpace) -> NDArray[np.float32]:
    """The inverse of ``rgb_to_yuv``: (h, w, 3) YUV codes → (h, w, 3) float32 RGB, which may leave 0..255."""
    return _transform(yuv, colour.backward())


def planes_to_rgb(
    y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8], colour: ColourSpace
) -> NDArray[np.uint8]:
    """The full-size picture of three yuv420p planes, chroma scaled up bilinearly: (H, W, 3) uint8 RGB."""
    height, width = y.shape
    size = (2 * u.shape[1], 2 * u.shape[0])
    chroma = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)[:height, :width] for plane in (u, v)]
    rgb = yuv_to_rgb(np.dstack([y, *chroma]), colour)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def upright(picture: NDArray[np.uint8], rotation: int) -> NDArray[np.uint8]:
    """A picture (H, W, ...) turned as a viewer is to see it, given ``VideoInfo.rotation``; contiguous."""
    if rotation % 90:
        raise ValueError(f"only quarter turns can be shown, not {rotation} degrees")
    return np.ascontiguousarray(np.rot90(picture, rotation // 90))


def _transform(picture: NDArray[np.uint8] | NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float32]:
    result = cv2.transform(np.asarray(picture, np.float32), affine.astype(np.float32))
    return np.asarray(result, np.float32)
