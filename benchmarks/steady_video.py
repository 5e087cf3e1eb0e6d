"""How steady a stylized video is: warping error against the input's own, and the pulse at key frames.

``python -m benchmarks.steady_video`` writes ``steady_video.md`` into benchmarks/results: what the device shows of every
clip with its default key frames, at proxy size. Everything is measured between neighbouring frames, the earlier one
moved along the flow of the *input* (DIS at its medium preset, which the device does not use), where flow there and back
agrees (Ruder et al., "Artistic Style Transfer for Videos", GCPR 2016, §3.2).

- *Warping error* (Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018): mean squared difference over RGB
  in 0..1. A look that raises contrast raises it as well, without any flicker: *held* is what the input's own change
  becomes under the local gains of the output's look, which is what a look has that moves along with the scene and does
  not change. The ratio to it is free of contrast.
- *Pulse*: how much of a step is not the input's own, ``|(O' - O) - (I' - I)|`` in code values of luma, averaged over
  pixels; steps into and out of key frames against all others. *Brightness* is the same of each frame's mean luma.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED, machine
from benchmarks.footage import Footage, Picture, chosen, footage
from mvstylizer.durable import write_bytes
from mvstylizer.engine import Engine
from mvstylizer.errors import MVStylizerError
from mvstylizer.flow import DenseInverseSearch, Flow, FlowEstimator, luma, sample
from mvstylizer.keyframes import KeyFrameSelector, QualityName
from mvstylizer.propagation.affine import RADIUS, RIDGE, fit_affine

MUST_WARP, MUST_PULSE = 1.1, 1.2
"""Largest ratios: of warping errors, output to input, and of steps, at key frames to between others (issue 4)."""
_RESULTS = Path(__file__).parent / "results"

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """Between a frame and the one before: warping errors, and what of the luma's change is not the input's own."""

    is_at_key: bool
    input: float
    output: float
    held: float
    edit: float
    brightness: float


@dataclass(frozen=True)
class Result:
    """A clip's steps, averaged."""

    clip: str
    keys: int
    input: float
    output: float
    held: float
    at_keys: float
    between: float
    brightness_at_keys: float
    brightness_between: float

    @property
    def warp_ratio(self) -> float:
        return self.output / max(self.input, 1e-9)

    @property
    def held_ratio(self) -> float:
        return self.output / max(self.held, 1e-9)

    @property
    def pulse(self) -> float:
        # Below a hundredth of a code value there is nothing to be seen, and nothing to divide by.
        return self.at_keys / max(self.between, 0.01)

    @property
    def brightness_pulse(self) -> float:
        return self.brightness_at_keys / max(self.brightness_between, 0.01)


def matched(there: Flow, back: Flow) -> Mask:
    """Where ``there``, a flow ``(h, w, 2)``, is no occlusion and no motion boundary (Ruder et al., eq. 4 and 5)."""
    missed = np.square(there + sample(back, there)).sum(-1)
    speed = np.square(there).sum(-1) + np.square(sample(back, there)).sum(-1)
    slope = sum(np.square(np.gradient(there[..., i], axis=axis)) for i in (0, 1) for axis in (0, 1))
    is_boundary = slope > 0.01 * np.square(there).sum(-1) + 0.002
    return np.asarray((missed <= 0.01 * speed + 0.5) & ~is_boundary, np.bool_)


def gains(frame: Picture, output: Picture) -> Values:
    """How much the output's look raises contrast around each pixel, ``(h, w, 3)`` by channel of RGB."""
    return fit_affine(frame.astype(np.float32), output.astype(np.float32), RADIUS, RIDGE)[0]


def steps(
    frames: Sequence[Picture], outputs: Sequence[Picture], keys: Sequence[int], flow: FlowEstimator
) -> list[Step]:
    """One for each frame but the first."""
    found = []
    for index in range(1, len(frames)):
        before, after = luma(frames[index - 1]), luma(frames[index])
        there = flow(after, before)
        mask = matched(there, flow(before, after))
        changes = [_change(clip[index - 1], clip[index], there) for clip in (frames, outputs)]
        own, shown = changes
        edit = cv2.transform(shown - own, np.array([[0.299, 0.587, 0.114]], np.float32)) * 255
        means = [float(luma(clip[i]).mean()) for clip in (outputs, frames) for i in (index, index - 1)]
        held_change = own * gains(frames[index], outputs[index])
        input_error, error, held = (_mean_square(change, mask) for change in (own, shown, held_change))
        steady = float(np.abs(edit)[mask].mean()) if mask.any() else 0.0
        brightness = abs((means[0] - means[1]) - (means[2] - means[3]))
        is_at_key = index in keys or index - 1 in keys
        found.append(Step(is_at_key, input_error, error, held, steady, brightness))
    return found


def _change(before: Picture, after: Picture, there: Flow) -> Values:
    return (after.astype(np.float32) - sample(before.astype(np.float32), there)) / np.float32(255)


def _mean_square(change: Values, mask: Mask) -> float:
    return float(np.square(change)[mask].sum(-1).mean()) if mask.any() else 0.0


def measure(clip: Footage, quality: QualityName) -> Result:
    """A clip as the device shows it with adaptive key frames."""
    keys = chosen(clip.frames, KeyFrameSelector(quality=quality))
    outputs = [clip.shown(index, keys) for index in range(len(clip.frames))]
    medium = DenseInverseSearch(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return summary(clip.name, len(keys), steps(clip.frames, outputs, keys, medium))


def summary(clip: str, keys: int, found: Sequence[Step]) -> Result:
    """Averages over steps."""
    at_keys, between = ([each for each in found if each.is_at_key == is_at] for is_at in (True, False))
    overall = (_mean([getattr(each, name) for each in found]) for name in ("input", "output", "held"))
    edits = (_mean([each.edit for each in some]) for some in (at_keys, between))
    brightness = (_mean([each.brightness for each in some]) for some in (at_keys, between))
    return Result(clip, keys, *overall, *edits, *brightness)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def table(results: Sequence[Result]) -> Iterator[str]:
    """Markdown: a line a clip."""
    yield (
        "| clip | key frames | warping error ×10⁴: input | output | **÷ input** | ÷ held | luma step at key frames "
        "| between | **ratio** | brightness step at key frames | between | ratio |"
    )
    yield "|---|" + "---|" * 11
    for each in results:
        errors = f"{1e4 * each.input:.2f} | {1e4 * each.output:.2f} | {each.warp_ratio:.2f} | {each.held_ratio:.2f}"
        luma_steps = f"{each.at_keys:.3f} | {each.between:.3f} | {each.pulse:.2f}"
        means = f"{each.brightness_at_keys:.3f} | {each.brightness_between:.3f} | {each.brightness_pulse:.2f}"
        yield f"| {each.clip} | {each.keys} | {errors} | {luma_steps} | {means} |"


def missed(results: Sequence[Result]) -> list[str]:
    """What of the two bounds is not met, a line each; with the warping error that contrast alone makes."""
    lines = []
    for each in results:
        if each.warp_ratio > MUST_WARP:
            held = each.held / max(each.input, 1e-9)
            ratios = f"{each.warp_ratio:.2f} of the input's (the look held still: {held:.2f})"
            lines.append(f"{each.clip}: warping error {ratios}, must be {MUST_WARP}")
        if each.pulse > MUST_PULSE:
            lines.append(f"{each.clip}: steps at key frames {each.pulse:.2f} of those between, must be {MUST_PULSE}")
    return lines


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=SHARED / "clips")
    parser.add_argument("--styles", type=Path, default=SHARED / "styles", help="clip n gets the n-th photo here")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--frames", type=int, default=1000, help="of each clip at most, default %(default)s")
    parser.add_argument("--quality", choices=("draft", "balanced", "best"), default="balanced")
    parser.add_argument("--results", type=Path, default=_RESULTS, help="folder to write to")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bound is not met")
    options = parser.parse_args()
    cv2.setNumThreads(2)
    engine = Engine(options.release)
    results = []
    for clip in footage(options.clips, options.styles, engine, options.frames):
        results.append(measure(clip, options.quality))
        print(f"{clip.name} done", file=sys.stderr)
    failures = missed(results)
    lines = [
        "# Steadiness of stylized video, `python -m benchmarks.steady_video`",
        "",
        *machine(),
        f"- release {engine.version}, adaptive key frames, quality {options.quality}",
        "",
        *table(results),
        "",
        *([f"- above the must: {line}" for line in failures] or ["Both bounds are met by every clip."]),
    ]
    print("\n".join(lines))
    write_bytes(options.results / "steady_video.md", ("\n".join(lines) + "\n").encode(), overwrite=True)
    return 1 if failures and options.check else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.steady_video: error: {error}")
