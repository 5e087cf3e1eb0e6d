"""What adaptive key frames save: quality against the number of key frames, fixed intervals beside adaptive ones.

``python -m benchmarks.key_frames`` writes ``key_frames.md`` and ``key_frames.png`` into benchmarks/results. Quality is
MS-SSIM of what the device shows against the whole path (DNN + affine fit) on every frame, measured at one in n frames
of whole clips, drawn by lot so that no interval falls in step with them. A key frame counts as 1, and nothing is known
of the end of a clip: frames after its last key frame have one side only, as on the device. *Saved* compares with fixed
intervals of the same mean quality, *error* with fixed intervals of as many key frames, both interpolated between those
measured. With ``--check`` the exit code says whether the default saves a quarter, or else does better with as many.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.clips import SHARED, machine
from benchmarks.footage import Footage, chosen, footage, likeness
from benchmarks.plot import Line, write_plot
from mvstylizer.durable import write_bytes
from mvstylizer.engine import Engine
from mvstylizer.errors import MVStylizerError
from mvstylizer.keyframes import DEFAULT_QUALITY, ERROR_BUDGET, MAX_INTERVAL, KeyFrameSelector

INTERVALS = (4, 6, 8, 11, 15, 20, 30, 45)
BUDGETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
EVERY = 4
MUST = 0.25
"""Share of key frames saved at equal quality (issue 4)."""
_RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Clip:
    """One clip under one setting: how many key frames it got, and 1 - MS-SSIM of the frames measured."""

    name: str
    keys: int
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Setting:
    """All clips under a fixed interval or an error budget, whichever is not None."""

    interval: int | None
    budget: float | None
    clips: tuple[Clip, ...]

    @property
    def name(self) -> str:
        if self.interval is not None:
            return f"every {self.interval}"
        words = [word for word, budget in ERROR_BUDGET.items() if budget == self.budget]
        marks = ["**default**" if word == DEFAULT_QUALITY else word for word in words]
        return " ".join([f"adaptive {self.budget:g}", *marks])

    @property
    def keys(self) -> int:
        return sum(clip.keys for clip in self.clips)

    @property
    def error(self) -> float:
        """Mean over clips."""
        return float(np.mean([np.mean(clip.errors) for clip in self.clips]))

    @property
    def worst(self) -> Clip:
        return max(self.clips, key=lambda clip: float(np.mean(clip.errors)))

    @property
    def worst_twentieth(self) -> float:
        """The error that one in twenty frames exceeds, over all clips."""
        return float(np.percentile([error for clip in self.clips for error in clip.errors], 95))


def selector(interval: int | None, budget: float | None) -> KeyFrameSelector:
    """The product's own, fixed or adaptive."""
    if budget is None:
        return KeyFrameSelector("interval", interval)
    return KeyFrameSelector("adaptive", quality=budget)


def measure(clip: Footage, keys: Sequence[int], every: int) -> Clip:
    """Errors at one in n frames; the same ones whatever the key frames."""
    frames = len(clip.frames)
    drawn = np.random.default_rng(0).choice(frames, max(1, frames // every), replace=False)
    errors = [
        0.0 if index in keys else 1 - likeness(clip.shown(index, keys), clip.path_luma(index))
        for index in sorted(drawn.tolist())
    ]
    return Clip(clip.name, len(keys), tuple(errors))


def saved(setting: Setting, fixed: Sequence[Setting]) -> float | None:
    """Share of key frames that fixed intervals of the same mean quality need more; None beyond those measured."""
    by_error = sorted(fixed, key=lambda each: each.error)
    errors = [each.error for each in by_error]
    if not errors or not errors[0] <= setting.error <= errors[-1]:
        return None
    needed = np.exp(np.interp(np.log(setting.error), np.log(errors), [np.log(each.keys) for each in by_error]))
    return 1 - setting.keys / float(needed)


def error_changes(setting: Setting, fixed: Sequence[Setting]) -> tuple[float | None, float | None]:
    """How the mean error and that of the worst twentieth compare with those of fixed intervals of as many key frames.

    As shares, below 0 where they are smaller; None beyond the numbers measured.
    """
    by_keys = sorted(fixed, key=lambda each: each.keys)
    keys = [each.keys for each in by_keys]
    if not keys or not keys[0] <= setting.keys <= keys[-1]:
        return None, None

    def change(own: float, theirs: list[float]) -> float:
        return own / float(np.exp(np.interp(np.log(setting.keys), np.log(keys), np.log(theirs)))) - 1

    return (
        change(setting.error, [each.error for each in by_keys]),
        change(setting.worst_twentieth, [each.worst_twentieth for each in by_keys]),
    )


def table(settings: Sequence[Setting]) -> Iterator[str]:
    """Markdown: a line a setting."""
    yield "| key frames | number | MS-SSIM, mean | worst clip | worst 5 % below | saved | error | of worst 5 % |"
    yield "|---|---|---|---|---|---|---|---|"
    fixed = [each for each in settings if each.budget is None]
    for each in settings:
        worst = f"{1 - np.mean(each.worst.errors):.4f} ({each.worst.name})"
        cells = [each.name, f"{each.keys}", f"{1 - each.error:.5f}", worst, f"{1 - each.worst_twentieth:.4f}"]
        is_fixed = each.budget is None
        shares = (None, None, None) if is_fixed else (saved(each, fixed), *error_changes(each, fixed))
        cells += ["" if share is None else f"{share:.0%}" for share in shares]
        yield f"| {' | '.join(cells)} |"


def clip_table(settings: Sequence[Setting]) -> Iterator[str]:
    """Markdown: key frames and quality by clip, of the default and of the fixed interval nearest in number."""
    mine = next(each for each in settings if each.budget == ERROR_BUDGET[DEFAULT_QUALITY])
    other = min((each for each in settings if each.budget is None), key=lambda each: abs(each.keys - mine.keys))
    yield f"| clip | {other.name}: key frames | MS-SSIM | adaptive: key frames | MS-SSIM |"
    yield "|---|---|---|---|---|"
    for theirs, ours in zip(other.clips, mine.clips, strict=True):
        values = (f"{clip.keys} | {1 - np.mean(clip.errors):.4f}" for clip in (theirs, ours))
        yield f"| {ours.name} | {' | '.join(values)} |"


def missed(settings: Sequence[Setting]) -> list[str]:
    """The default, if it neither saves what it must nor does better, in the mean and the worst, with as many."""
    fixed = [each for each in settings if each.budget is None]
    lines = []
    for each in settings:
        share = saved(each, fixed)
        is_better = all(change is not None and change < 0 for change in error_changes(each, fixed))
        if each.budget == ERROR_BUDGET[DEFAULT_QUALITY] and share is not None and share < MUST and not is_better:
            lines.append(f"{each.name} saves {share:.0%}, must be {MUST:.0%}, and is no better with as many")
    return lines


def verdict(settings: Sequence[Setting]) -> str:
    """The default in a sentence: the issue asks for a quarter fewer key frames, or better quality with as many."""
    fixed = [each for each in settings if each.budget is None]
    mine = next(each for each in settings if each.budget == ERROR_BUDGET[DEFAULT_QUALITY])
    share, (mean, worst) = saved(mine, fixed), error_changes(mine, fixed)
    fewer, less, least = ("?" if value is None else f"{value:+.0%}" for value in (share and -share, mean, worst))
    return f"The default: key frames at the same quality {fewer}; error with as many {less}, of the worst 5 % {least}."


def _plot(path: Path, settings: Sequence[Setting]) -> None:
    lines = [
        Line(name, [(each.keys, 1 - each.error) for each in settings if (each.budget is None) == is_fixed])
        for name, is_fixed in (("every n frames", True), ("adaptive", False))
    ]
    ordered = [Line(line.name, sorted(line.points)) for line in lines]
    write_plot(path, ordered, "Quality against the number of key frames", "key frames, all clips", "MS-SSIM, mean")


def _measured(options: argparse.Namespace, engine: Engine) -> list[Setting]:
    ways: list[tuple[int | None, float | None]] = [(n, None) for n in INTERVALS if n <= MAX_INTERVAL]
    ways += [(None, budget) for budget in BUDGETS]
    found: list[list[Clip]] = [[] for _ in ways]
    for clip in footage(options.clips, options.styles, engine, options.frames):
        for way, clips in zip(ways, found, strict=True):
            clips.append(measure(clip, chosen(clip.frames, selector(*way)), options.every))
        print(f"{clip.name} done", file=sys.stderr)
    return [Setting(*way, tuple(clips)) for way, clips in zip(ways, found, strict=True)]


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=SHARED / "clips")
    parser.add_argument("--styles", type=Path, default=SHARED / "styles", help="clip n gets the n-th photo here")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--frames", type=int, default=1000, help="of each clip at most, default %(default)s")
    parser.add_argument(
        "--every", type=int, default=EVERY, help="one in so many frames is measured, default %(default)s"
    )
    parser.add_argument("--results", type=Path, default=_RESULTS, help="folder to write to")
    parser.add_argument("--check", action="store_true", help="exit 1 unless the default is better than fixed intervals")
    options = parser.parse_args()
    cv2.setNumThreads(2)
    engine = Engine(options.release)
    settings = _measured(options, engine)
    failures = missed(settings)
    lines = [
        "# Adaptive key frames: quality against their number, `python -m benchmarks.key_frames`",
        "",
        *machine(),
        f"- release {engine.version}; {len(settings[0].clips)} clips, one in {options.every} frames measured",
        "",
        *table(settings),
        "",
        "![Quality against the number of key frames](key_frames.png)",
        "",
        *clip_table(settings),
        "",
        *(failures or [verdict(settings)]),
    ]
    print("\n".join(lines))
    write_bytes(options.results / "key_frames.md", ("\n".join(lines) + "\n").encode(), overwrite=True)
    _plot(options.results / "key_frames.png", settings)
    return 1 if failures and options.check else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.key_frames: error: {error}")
