"""Tries a release before it may serve: on fixed pictures, made here, what comes out has to be pictures."""

from collections.abc import Iterator
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from inference.stylizer import Stylizer
from mvstylizer.engine import Engine
from mvstylizer.errors import ReleaseError
from mvstylizer.release import output_shape

_PHOTO = (120, 160)
_SMALL = ((64, 96), (47, 33))
_PROXY = (288, 512)
_FACTORS = (1.0, 0.5)
_MOST_PRESETS = 32
_BEYOND = 1e-3
"""How far outside 0..1 a value may be."""
_FLAT = 0.5 / 255


def try_out(engine: Engine) -> None:
    """Encode a photo and stylize pictures of several sizes with it and with presets; the engine is warm then.

    Raises:
        ReleaseError: it fails, or what comes out is not finite, out of range, of a wrong size, or all one colour.
    """
    photo = encoded(engine)
    for size, r in ((_PROXY, 1.0), *product(_SMALL, _FACTORS)):
        if _stylized(engine, size, photo, r).std() < _FLAT:
            raise _refused(engine, f"makes one colour of a picture of {_told(size)}")
    for code in islice(engine.presets.values(), _MOST_PRESETS):
        _stylized(engine, _SMALL[0], code, 1.0)


def difference(one: Stylizer, other: Stylizer) -> float:
    """Mean absolute difference, in 0..255, of what two stylizers make of the same pictures in the same photo's look."""
    codes = one.encode_style(_picture(_PHOTO, 1)), other.encode_style(_picture(_PHOTO, 1))
    found = []
    for size in _SMALL:
        frame = _picture(size, 0)
        first, second = (each.stylize(frame, code) for each, code in zip((one, other), codes, strict=True))
        found.append(float(np.abs(first.astype(np.float32) - second).mean()))
    return max(found)


def encoded(engine: Engine) -> NDArray[np.float32]:
    """The code of the fixed photo; raises ReleaseError if it is none."""
    try:
        code = engine.encode_style(_picture(_PHOTO, 1))
    except Exception as error:  # ONNX Runtime raises a dozen classes of its own that share no base
        raise _refused(engine, f"cannot encode a photo ({error})") from error
    if code.shape != (engine.code_size,) or not np.isfinite(code).all():
        raise _refused(engine, "makes a style code of a photo that is not finite or not of its size")
    return code


def _stylized(engine: Engine, size: tuple[int, int], code: NDArray[np.float32], r: float) -> NDArray[np.float32]:
    try:
        stylized = engine.stylize_unrounded(_picture(size, 0), code, r)
    except Exception as error:  # as above
        raise _refused(engine, f"cannot stylize a picture of {_told(size)} ({error})") from error
    if stylized.shape != (*output_shape(*size, r), 3):
        raise _refused(engine, f"makes a picture of {_told(size)} one of {_told(stylized.shape)} for r = {r:g}")
    if not np.isfinite(stylized).all():
        raise _refused(engine, f"makes values of a picture of {_told(size)} that are not finite")
    if stylized.min() < -_BEYOND or stylized.max() > 1 + _BEYOND:
        raise _refused(engine, f"makes values beyond 0..1, from {stylized.min():.3g} to {stylized.max():.3g}")
    return stylized


def _picture(size: tuple[int, int], turn: int) -> NDArray[np.uint8]:
    """``(H, W, 3)`` with gradients, edges and grain; ``turn`` gives the colours other places."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    planes = list[NDArray[np.float64]](_planes(x / width, y / height))
    grain = (7 * x + 13 * y + x * y) % 17 - 8
    picture = np.stack(planes[turn:] + planes[:turn], -1) * 255 + grain[..., None]
    return np.asarray(picture.clip(0, 255), np.uint8)


def _planes(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    yield 0.2 + 0.6 * x
    yield 0.3 + 0.4 * y * x
    yield np.where(np.hypot(x - 0.5, y - 0.5) < 0.3, 0.7, 0.3)


def _told(size: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in (size[1], size[0], *size[2:]))


def _refused(engine: Engine, why: str) -> ReleaseError:
    return ReleaseError(f"release {engine.version} {' '.join(why.split())}; export it again")
