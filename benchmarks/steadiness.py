"""How steady the stylizer is by itself: every frame of a static-camera clip stylized as a key frame of its own.

``python -m benchmarks.steadiness`` prints Markdown: the temporal standard deviation of background pixels, before and
after, in code values. Nothing is propagated, so whatever flickers is the stylizer's (*raw*) or the affine fit's
(*final*). The background is where nothing moves: pixels whose luma, less the shift that the whole frame has (cameras
adjust their exposure), never leaves its median over time by more than 12 code values, and of those the half whose luma
varies least. Deviations are taken over time at each pixel, pooled over RGB, and averaged over the background.

Two further measures are information only. A look that raises contrast scales the camera's noise along, which is no
flicker: *held still* is the clip under the mean of all frames' affine fields, and ratios to it are free of that local
gain. *Fast* is the root mean square of changes from one frame to the next, divided by √2 so that it equals the standard
deviation for noise: slow drifts, which a stylizer may well reduce, cannot hide flicker there.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED, machine, proxies
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError, MVStylizerError
from mvstylizer.flow import estimator
from mvstylizer.metrics import luma
from mvstylizer.pictures import read_picture
from mvstylizer.propagation.affine import AffineField, AffinePropagation
from mvstylizer.video import ColourSpace

FRAMES = 60
STYLES = 4
MUST = 1.10
"""Largest ratio of deviations, final to input."""
_STILL = 12.0
"""Code values of luma that a pixel of the background may leave its median by."""
_LEAST_SHARE = 0.02
"""Of pixels that stand still, below which a clip's camera cannot be static."""
_COLOUR = ColourSpace("bt601", "full")

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Unsteadiness:
    """Of the background, in code values: standard deviation over time, and the same of fast changes only."""

    overall: float
    fast: float


@dataclass(frozen=True)
class Result:
    """One style: the clip as it was, the DNN's own output, what users see, and that look held still."""

    style: str
    input: Unsteadiness
    raw: Unsteadiness
    final: Unsteadiness
    held: Unsteadiness


def background(frames: list[Picture]) -> Mask:
    """Where nothing moves, ``(h, w)``; frames are RGB ``(h, w, 3) uint8``.

    Raises:
        InputError: hardly a pixel stands still.
    """
    planes = np.stack([luma(frame.astype(np.float32)) for frame in frames])
    departure = planes - np.median(planes, axis=0)
    departure -= np.median(departure.reshape(len(frames), -1), axis=1)[:, None, None]
    still = np.abs(departure).max(0) <= _STILL
    if still.mean() < _LEAST_SHARE:
        raise InputError(f"only {still.mean():.1%} of the clip stands still; name a --clip of a static camera")
    deviation = planes.std(0)
    return np.asarray(still & (deviation <= np.median(deviation[still])), np.bool_)


def unsteadiness(frames: list[Picture], where: Mask) -> Unsteadiness:
    """Both measures of RGB frames ``(h, w, 3) uint8`` where the mask says."""
    pixels = np.stack([frame[where] for frame in frames]).astype(np.float32)
    changes = np.diff(pixels, axis=0)
    overall = np.sqrt(pixels.var(0, dtype=np.float64).mean(1)).mean()
    fast = np.sqrt(np.square(changes).mean(0, dtype=np.float64).mean(1) / 2).mean()
    return Unsteadiness(float(overall), float(fast))


def measure(frames: list[Picture], style: Picture, name: str, engine: Engine) -> Result:
    """Stylize every frame for itself and compare the backgrounds."""
    where = background(frames)
    code = engine.encode_style(style)
    raw = [engine.stylize(frame, code) for frame in frames]
    way = AffinePropagation(_COLOUR, estimator("dis"))
    fields = [way.key(frame, stylized).look for frame, stylized in zip(frames, raw, strict=True)]
    final = [field.on_proxy(frame) for field, frame in zip(fields, frames, strict=True)]
    still = AffineField(_mean([f.gain for f in fields]), _mean([f.offset for f in fields]), _COLOUR)
    held = [still.on_proxy(frame) for frame in frames]
    return Result(name, *(unsteadiness(clip, where) for clip in (frames, raw, final, held)))


def table(results: list[Result]) -> Iterator[str]:
    """Markdown: one line a style."""
    yield "| style | input | raw | ÷ input | final | **÷ input** | held still ÷ input | raw ÷ held | final ÷ held |"
    yield "|---|" + "---|" * 8
    yield from _lines(results, lambda unsteady: unsteady.overall, "")
    yield from _lines(results, lambda unsteady: unsteady.fast, ", fast")


def _lines(results: list[Result], of: Callable[[Unsteadiness], float], suffix: str) -> Iterator[str]:
    for result in results:
        before, raw, final, held = (of(x) for x in (result.input, result.raw, result.final, result.held))
        ratios = (
            _ratio(raw, before),
            _ratio(final, before),
            _ratio(held, before),
            _ratio(raw, held),
            _ratio(final, held),
        )
        values = (before, raw, ratios[0], final, *ratios[1:])
        yield f"| {result.style}{suffix} | " + " | ".join(f"{value:.2f}" for value in values) + " |"


def missed(results: list[Result]) -> list[str]:
    """The styles whose final deviation is more than ``MUST`` times the input's."""
    ratios = {result.style: _ratio(result.final.overall, result.input.overall) for result in results}
    return [f"{style}: {ratio:.2f}, must be {MUST:.2f}" for style, ratio in ratios.items() if ratio > MUST]


def _ratio(value: float, to: float) -> float:
    # A clip without any noise, or a look without any contrast, does not vary at all.
    return value / max(to, 1e-9)


def _mean(fields: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(sum(fields[1:], fields[0]) / np.float32(len(fields)), np.float32)


def _some(paths: list[Path], count: int) -> list[Path]:
    """``count`` of the paths, evenly spaced."""
    return [paths[i * len(paths) // count] for i in range(min(count, len(paths)))]


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=SHARED / "clips" / "gsam2_car.mp4", help="of a static camera")
    parser.add_argument("--style", type=Path, nargs="+", help=f"default: {STYLES} of the shared ones")
    parser.add_argument("--frames", type=int, default=FRAMES, help="default %(default)s")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--check", action="store_true", help=f"exit 1 if a ratio of final is above {MUST:.2f}")
    options = parser.parse_args()
    if options.frames < 2:
        parser.error(f"--frames {options.frames} cannot change over time; give 2 or more")
    engine = Engine(options.release)
    frames = proxies(options.clip, options.frames)
    results = []
    for path in options.style or _some(sorted((SHARED / "styles").glob("*.jpg")), STYLES):
        results.append(measure(frames, read_picture(path), path.stem, engine))
        print(f"{path.stem} done", file=sys.stderr)
    share = f"background {background(frames).mean():.1%} of the picture"
    print(
        "\n".join([*machine(), f"- release {engine.version}; {options.clip.name}, {len(frames)} frames, {share}", ""])
    )
    failures = missed(results)
    verdict = [f"above the must: {line}" for line in failures] or [f"No ratio of final is above {MUST:.2f}."]
    print("\n".join([*table(results), "", *verdict]))
    return 1 if failures and options.check else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.steadiness: error: {error}")
