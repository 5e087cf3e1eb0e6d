"""A contact sheet of propagation where it is hardest: Algorithm 1 beside ours, a key frame every 45 frames.

``python -m benchmarks.propagation_sheet`` writes ``propagation_sheet.jpg`` into benchmarks/results. A row a frame, so
many after the key frame: what the DNN makes of that very frame, and what both ways of propagation make of it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clips import SHARED
from benchmarks.footage import COLOUR, Footage, Picture, footage
from benchmarks.pair_sheet import PairSheet
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError, MVStylizerError
from mvstylizer.flow import estimator
from mvstylizer.propagation import WarpPropagation

INTERVAL = 45
SHOWN = (5, 15, 30, 40)
"""Frames from the key frame on."""
COLUMNS = ("DNN on every frame", "warp (Algorithm 1)", "affine (ours)")
_TILE = (480, 270)
_MAX_BYTES = 300_000


def rows(clip: Footage, shown: Sequence[int] = SHOWN) -> dict[str, dict[str, Picture]]:
    """By number of the frame: its picture in each of the columns. The first and the last frame are key frames."""
    keys = 0, len(clip.frames) - 1
    warp = WarpPropagation(COLOUR, estimator(clip.flow))
    key = warp.key(clip.frames[0], clip.stylized(0))
    found = {}
    for index in shown:
        frame = clip.frames[index]
        moved = warp.between(frame, key, None, 0.0).on_proxy(frame)
        found[f"{index}"] = dict(
            zip(COLUMNS, (clip.stylized(index), moved, clip.shown(index, keys)), strict=True),
        )
    return found


def write_sheet(path: Path, clip: Footage, shown: Sequence[int] = SHOWN) -> None:
    """The sheet as a JPEG of at most 300 kB; raises OutputError and NoSpaceError where it cannot be written."""
    sheet = PairSheet(_TILE, blocks=1, max_bytes=_MAX_BYTES)
    for name, pictures in rows(clip, shown).items():
        sheet.add(name, pictures)
    sheet.write(path)


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=SHARED / "clips")
    parser.add_argument("--styles", type=Path, default=SHARED / "styles", help="clip n gets the n-th photo here")
    parser.add_argument("--clip", default="davis_parkour", help="name of the clip, default: the hardest")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder to write to")
    options = parser.parse_args()
    for clip in footage(options.clips, options.styles, Engine(options.release), INTERVAL + 1):
        if clip.name == options.clip:
            write_sheet(options.results / "propagation_sheet.jpg", clip)
            return 0
    raise InputError(f"{options.clips}: no clip {options.clip}; name another --clip")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.propagation_sheet: error: {error}")
