"""Checks of a release: that it is whole, that ONNX Runtime runs it, and how fast; and of an edge, which one it runs."""

import time
from pathlib import Path

import numpy as np

from mvstylizer import release as releases
from mvstylizer.doctor import Doubt
from mvstylizer.errors import ReleaseError

_SMALL = (48, 64)
_PROXY = (288, 512)


def check_release(directory: Path | None = None) -> str:
    """Load a release, by default the bundled one, stylize with it, and tell how long a proxy of 512×288 takes.

    Raises ReleaseError: it is missing or damaged, ONNX Runtime cannot run it, or what comes out is no picture.
    """
    from mvstylizer.engine import Engine

    engine = Engine(directory)
    try:
        # Numbers that are not finite can only be seen while they are made into a picture.
        with np.errstate(invalid="raise"):
            code = engine.encode_style(_picture(_SMALL))
            small = engine.stylize(_picture(_SMALL), code)
            began = time.perf_counter()
            engine.stylize(_picture(_PROXY), code)
            seconds = time.perf_counter() - began
    except FloatingPointError as error:
        raise _senseless(engine.version, "numbers that are not finite") from error
    if not np.isfinite(code).all():
        raise _senseless(engine.version, "a style code that is not finite")
    if small.shape != (*_SMALL, 3):
        raise _senseless(engine.version, f"a picture of {small.shape} for one of {(*_SMALL, 3)}")
    return f"{engine.version}, sha256 {engine.sha256[:12]}…, a proxy of 512×288 in {1000 * seconds:.0f} ms"


def compare_release(edge: str, version: str, sha256: str, directory: Path | None = None) -> str:
    """Tell whether the release of an edge that is ready is the one that is here; raises ReleaseError."""
    here = releases.load(directory or releases.bundled())
    if here.sha256 == sha256:
        return f"{edge} is ready and runs release {version}, as this machine does"
    return Doubt(f"{edge} is ready, but runs release {version} (sha256 {sha256[:12]}…), this machine {here.version}; "
                 "looks will differ, so give both the same one")  # fmt: skip


def _picture(size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A gradient ``(H, W, 3)`` uint8 in every colour."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    return np.stack([255 * x // size[1], 255 * y // size[0], (x + y) % 256], -1).astype(np.uint8)


def _senseless(version: str, made: str) -> ReleaseError:
    return ReleaseError(f"release {version} makes {made}; install or export it again")
