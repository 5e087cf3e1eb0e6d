"""Pictures for scoring a release on content/style pairs: what users see, and what the DNN itself gave.

``python -m benchmarks.pairs --to DIR`` writes ``final/<id>.png`` (DNN at proxy size, affine field, applied to the
picture), ``raw/<id>.png`` (the DNN's own output) and ``sheet.jpg`` (content, style, raw, final). Any scorer of folders
can judge them.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED
from mvstylizer.device import stylize_picture
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import InputError, MVStylizerError
from mvstylizer.pictures import fit_within, read_picture, write_picture

_TILE = (200, 300)

Picture = NDArray[np.uint8]


def write_results(pairs: Path, to: Path, engine: Engine, size: int) -> int:
    """Stylize every ``<id>_content.png`` with its ``<id>_style.png`` at long side ``size``; returns how many.

    Raises:
        InputError: there are no pairs in the folder.
    """
    contents = sorted(pairs.glob("*_content.png"))
    if not contents:
        raise InputError(f"{pairs}: no <id>_content.png; name another --pairs")
    for folder in (to / "final", to / "raw"):
        folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in contents:
        name = path.name.removesuffix("_content.png")
        content, style = (_scaled(read_picture(pairs / f"{name}_{kind}.png"), size) for kind in ("content", "style"))
        raw = engine.stylize(content, engine.encode_style(style))
        final = stylize_picture(content, style, LocalStylizer(engine), size)
        for kind, picture in (("raw", raw), ("final", final)):
            write_picture(to / kind / f"{name}.png", picture, overwrite=True)
        rows.append(np.hstack([_tile(picture) for picture in (content, style, raw, final)]))
    write_picture(to / "sheet.jpg", _two_columns(rows), quality=85, overwrite=True)
    return len(contents)


def _scaled(picture: Picture, long_side: int) -> Picture:
    """Scaled to the long side, both sides cut to multiples of 16: the field's scorers, and so their tables, do this."""
    scale = long_side / max(picture.shape[:2])
    height, width = (max(16, int(side * scale) // 16 * 16) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _tile(picture: Picture) -> Picture:
    """The picture centred on a tile of ``_TILE``."""
    height, width = _TILE
    scale = max(picture.shape[0] / height, picture.shape[1] / width)
    small = fit_within(picture, max(1, int(max(picture.shape[:2]) / scale)))[:height, :width]
    tile = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    return tile


def _two_columns(rows: list[Picture]) -> Picture:
    half = (len(rows) + 1) // 2
    columns = [np.vstack(rows[:half]), np.vstack(rows[half:] or [np.zeros_like(rows[0])])]
    padded = np.zeros((columns[0].shape[0], columns[1].shape[1], 3), np.uint8)
    padded[: columns[1].shape[0]] = columns[1]
    return np.hstack([columns[0], padded])


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, default=SHARED / "pairs")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--size", type=int, default=512, help="long side, default %(default)s")
    options = parser.parse_args()
    print(f"{write_results(options.pairs, options.to, Engine(options.release), options.size)} pairs in {options.to}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.pairs: error: {error}")
