"""How near methods come to a known answer: half a photo, graded by a preset, is the style for the other half.

``python -m benchmarks.self_reference`` prints Markdown. A case cuts a held-out photo into its left and right half and
grades both by one random preset: the content is one half as it was, the style the other half graded, the truth the
content's half graded (Xing et al., "CanonCGT", CVPR 2026, call it self-reference). The halves share no pixel and show
different things, so a method has to tell the look from what the photo shows; identity's row says how far the way is.
Read it with care: a release may have been trained on presets of this kind, though never on these photos.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.anchors import ANCHORS
from benchmarks.clips import SHARED, machine
from mvstylizer.device import PROXY_SIZE, stylize_picture
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import InputError, MVStylizerError
from mvstylizer.metrics import delta_e, luma_ssim, psnr
from mvstylizer.pictures import fit_within, read_picture
from mvstylizer.styles import Style
from mvstylizer.training.grading import grade, random_preset
from mvstylizer.training.photos import photo_paths

PHOTOS = SHARED.parent / "train" / "photos"
COUNT = 200
_MINIMUM = 64
"""Sides of a half, in pixels, below which there is no look to see."""
_RIVAL = "MKL"

Picture = NDArray[np.uint8]
Method = Callable[[Picture, Picture], Picture]
"""Content and style → the content in that style."""


@dataclass(frozen=True)
class Case:
    """A question and its answer, RGB ``(H, W, 3) uint8``; content and truth have one shape."""

    content: Picture
    style: Picture
    truth: Picture


@dataclass(frozen=True)
class Score:
    """Against the truth: dB, SSIM of luma, mean CIEDE2000."""

    psnr: float
    ssim: float
    delta_e: float


def cut(photo: Picture, number: int) -> Case:
    """Case ``number`` of a photo, RGB ``(H, W, 3) uint8``; it draws the preset and which half is the content."""
    rng = np.random.default_rng(number)
    graded = _codes(grade(_real(photo), random_preset(rng)))
    middle = photo.shape[1] // 2
    halves = np.s_[:, :middle], np.s_[:, middle:]
    content, style = halves if rng.random() < 0.5 else halves[::-1]
    return Case(photo[content], graded[style], graded[content])


def cases(paths: list[Path], count: int) -> Iterator[Case]:
    """``count`` cases, photos in an order drawn once and for all; every photo has its turn before one comes again.

    Photos are scaled down to the proxy's long side.

    Raises:
        InputError: a photo is too small to be cut.
    """
    order = np.random.default_rng(0).permutation(len(paths))
    for number in range(count):
        path = paths[order[number % len(paths)]]
        photo = fit_within(read_picture(path), PROXY_SIZE)
        if min(photo.shape[0], photo.shape[1] // 2) < _MINIMUM:
            raise InputError(f"{path}: too small to be cut into halves of {_MINIMUM} px; name another --photos")
        yield cut(photo, number)


def methods(engine: Engine) -> dict[str, Method]:
    """The anchors, the DNN's own output, and what users see."""
    stylizer = LocalStylizer(engine)

    def anchored(name: str) -> Method:
        return lambda content, style: _codes(ANCHORS[name](_real(content), _real(style)))

    ways = {name: anchored(name) for name in ANCHORS}
    ways["ours, raw"] = lambda content, style: engine.stylize(content, engine.encode_style(style))
    ways["**ours, final**"] = lambda content, style: stylize_picture(content, Style.of_photo(style), stylizer)
    return ways


def measure(case: Case, ways: dict[str, Method]) -> dict[str, Score]:
    """Each method's score in one case."""
    truth = _real(case.truth)
    results = {name: _real(way(case.content, case.style)) for name, way in ways.items()}
    return {n: Score(psnr(r, truth), luma_ssim(r, truth), delta_e(r, truth)) for n, r in results.items()}


def table(scores: list[dict[str, Score]]) -> Iterator[str]:
    """Markdown: mean and median of each measure, and the share of cases with more PSNR than MKL."""
    yield f"| mean / median | PSNR ↑ | SSIM ↑ | ΔE ↓ | nearer than {_RIVAL} |"
    yield "|---|---|---|---|---|"
    for name in scores[0]:
        own = [score[name] for score in scores]
        psnrs = _mean_and_median([s.psnr for s in own], 2)
        ssims = _mean_and_median([s.ssim for s in own], 3)
        delta_es = _mean_and_median([s.delta_e for s in own], 2)
        nearer = np.mean([score[name].psnr > score[_RIVAL].psnr for score in scores])
        share = "" if name == _RIVAL else f"{nearer:.0%}"
        yield f"| {name} | {psnrs} | {ssims} | {delta_es} | {share} |"


def _mean_and_median(values: list[float], digits: int) -> str:
    return f"{np.mean(values):.{digits}f} / {np.median(values):.{digits}f}"


def _real(picture: Picture) -> NDArray[np.float32]:
    return picture.astype(np.float32) / np.float32(255)


def _codes(picture: NDArray[np.float32]) -> Picture:
    return np.rint(picture * 255).astype(np.uint8)


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="only photos held out of training are taken")
    parser.add_argument("--count", type=int, default=COUNT, help="cases, default %(default)s")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"--count {options.count} leaves nothing to measure; give 1 or more")
    engine = Engine(options.release)
    paths = photo_paths(options.photos, held_out=True)
    ways = methods(engine)
    scores = []
    for number, case in enumerate(cases(paths, options.count), start=1):
        scores.append(measure(case, ways))
        if number % 20 == 0:
            print(f"{number} of {options.count} cases", file=sys.stderr)
    turns = options.count / len(paths)
    about = f"- release {engine.version}; {options.count} cases of {min(options.count, len(paths))} held-out photos"
    presets = f"{turns:.1f} presets a photo" if turns > 1 else "a preset each"
    print("\n".join([*machine(), f"{about}, {presets}; 8-bit pictures all the way", "", *table(scores)]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.self_reference: error: {error}")
