"""Whether ONNX Runtime gives what torch gives, on pictures of several sizes and several r."""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort
import torch

from mvstylizer.errors import ReleaseError
from mvstylizer.network.stylizer import Stylizer

SIZES = ((64, 64), (288, 512), (101, 67))
"""Heights and widths: the smallest usual, the device's proxy, an odd one."""
FACTORS = (0.5, 1.0, 1.7, 2.0)
TOLERANCE = 1e-3
"""Largest absolute difference allowed, in the 0..1 range of pictures."""


def check_parity(
    stylizer: Stylizer, style_graph: bytes, stylize_graph: bytes, sizes: Sequence[tuple[int, int]] = SIZES,
    factors: Sequence[float] = FACTORS,
) -> float:  # fmt: skip
    """The largest absolute difference over all sizes and factors, at most ``TOLERANCE``.

    Codes are compared relative to their largest entry, pictures in 0..1.

    Raises:
        ReleaseError: ONNX Runtime's output differs by more, has another shape, or is not finite.
    """
    style, stylize = ort.InferenceSession(style_graph), ort.InferenceSession(stylize_graph)
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for height, width in sizes:
        frame = _smooth_noise(height, width, generator)
        photo = _smooth_noise(width, height, generator)
        with torch.no_grad():
            code = stylizer.encode_style(photo)
        (exported,) = style.run(None, {"photo": photo.numpy()})
        scale = max(1.0, float(code.abs().max()))
        worst = max(worst, _difference("style code", exported / scale, code.numpy() / scale))
        for r in factors:
            with torch.no_grad():
                expected = stylizer(frame, code, r).clamp(0, 1)
            feeds = {"frame": frame.numpy(), "code": code.numpy(), "r": np.array(r, np.float32)}
            (stylized,) = stylize.run(None, feeds)
            worst = max(worst, _difference(f"{height}x{width}, r = {r}", stylized, expected.numpy()))
    return worst


def _difference(case: str, exported: np.ndarray, expected: np.ndarray) -> float:
    if exported.shape != expected.shape:
        raise ReleaseError(f"{case}: ONNX Runtime gives {exported.shape}, torch {expected.shape}; nothing was exported")
    difference = float(np.abs(exported - expected).max())
    if not difference <= TOLERANCE:
        raise ReleaseError(
            f"{case}: ONNX Runtime differs from torch by {difference:.2g} (allowed {TOLERANCE}); nothing was exported"
        )
    return difference


def _smooth_noise(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """A picture with structure at several scales, as photos have."""
    layers = [
        torch.nn.functional.interpolate(torch.rand(1, 3, n, n, generator=generator), (height, width), mode="bicubic")
        for n in (3, 9, 27)
    ]
    return torch.stack(layers).mean(0).clamp(0, 1)
