"""How near propagated frames come to stylizing every frame (DESIGN §5; beyond the paper's Table 4).

``python -m benchmarks.propagation`` writes ``propagation.md`` and ``propagation.png`` into benchmarks/results: MS-SSIM,
mean over clips and intermediate frames, by key-frame interval, of what the product has and of what lost against it.
References are the DNN's own output on every frame and, for `affine`, every frame through the DNN and the affine fit,
which is what the device shows at key frames. With ``--check`` the exit code says whether DESIGN §7's "must" is met.
"""

import argparse
import json
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED, machine
from benchmarks.footage import COLOUR, Footage, Picture, float_luma, footage, likeness
from benchmarks.plot import Line, write_plot
from benchmarks.propagation_candidates import BilateralGrid, FlowOnly, Hybrid, PreviousOnly
from mvstylizer.durable import write_bytes
from mvstylizer.engine import Engine
from mvstylizer.errors import MVStylizerError
from mvstylizer.flow import estimator
from mvstylizer.propagation import Propagation, WarpPropagation
from mvstylizer.propagation.look import StylizedKey

INTERVALS = (2, 15, 45)
FRAMES = 46
"""So that the longest interval has a key frame at both ends."""
MUST = {"dnn": (0.988, 0.970, 0.945), "path": (0.997, 0.988, 0.973)}
"""DESIGN §7, by interval: against the DNN's own output, and against the whole path."""

SAME_FIT = ("affine", "affine, previous only", "flow only")
"""Ways whose key frames are what the whole path shows of them."""


@dataclass(frozen=True)
class Row:
    """One line of the table; ``scores`` by clip, one value an interval."""

    method: str
    reference: str
    scores: dict[str, list[float]]

    def mean(self) -> list[float]:
        """Over clips."""
        return [float(x) for x in np.mean(list(self.scores.values()), axis=0)]


def ways(clip: Footage) -> dict[str, Callable[[int, int, int], Picture]]:
    """By name: what a way of propagation makes of the frame of an index between two key frames."""
    return {
        "warp (Algorithm 1)": _Product(clip, WarpPropagation(COLOUR, estimator(clip.flow))).picture,
        "bilateral grid": BilateralGrid(clip).picture,
        "flow only": FlowOnly(clip).picture,
        "flow only + residual": FlowOnly(clip, residual=True).picture,
        "affine, previous only": PreviousOnly(clip).picture,
        "affine": _Product(clip, clip.affine).picture,
        "hybrid of warp and affine": Hybrid(clip).picture,
    }


def measure_clip(
    clip: Footage, every: int = 1, only: Collection[str] | None = None
) -> dict[tuple[str, str], list[float]]:
    """MS-SSIM of each method, or ``only`` some, against each reference, one value an interval; of every n-th
    intermediate frame."""
    results: dict[tuple[str, str], list[float]] = {}
    methods = {name: way for name, way in ways(clip).items() if only is None or name in only}
    dnn: dict[int, NDArray[np.float32]] = {}
    for interval in INTERVALS:
        wanted = list(_between(len(clip.frames), interval))[every // 2 :: every]
        dnn |= {i: float_luma(clip.stylized(i)) for i, _, _ in wanted if i not in dnn}
        for name, picture in methods.items():
            pictures = {i: picture(i, before, after) for i, before, after in wanted}
            found = {"dnn": [likeness(shown, dnn[i]) for i, shown in pictures.items()]}
            if name in SAME_FIT:
                found["path"] = [likeness(shown, clip.path_luma(i)) for i, shown in pictures.items()]
            for reference, values in found.items():
                results.setdefault((name, reference), []).append(float(np.mean(values)))
    return results


class _Product:
    """A way of propagation that the product has; its key frames are kept."""

    def __init__(self, clip: Footage, way: Propagation) -> None:
        self._clip, self._way = clip, way
        self._keys: dict[int, StylizedKey] = {}

    def picture(self, index: int, before: int, after: int) -> Picture:
        frame, position = self._clip.frames[index], (index - before) / (after - before)
        return self._way.between(frame, self._key(before), self._key(after), position).on_proxy(frame)

    def _key(self, index: int) -> StylizedKey:
        if index not in self._keys:
            self._keys[index] = self._way.key(self._clip.frames[index], self._clip.stylized(index))
        return self._keys[index]


def _between(frames: int, interval: int) -> Iterator[tuple[int, int, int]]:
    """Intermediate frames and their key frames; the last frame is one too, so that all have two sides."""
    last = frames - 1
    for i in range(last):
        if i % interval:
            before = i - i % interval
            yield i, before, min(before + interval, last)


def table(rows: list[Row]) -> Iterator[str]:
    """Markdown: the mean over clips and the worst clip."""
    yield "| propagation | against | " + " | ".join(f"every {n}" for n in INTERVALS) + " | worst clip |"
    yield "|---|---|" + "---|" * (len(INTERVALS) + 1)
    for row in rows:
        worst = min(row.scores, key=lambda clip: row.scores[clip][-1])
        cells = " | ".join(f"{x:.4f}" for x in row.mean())
        values = " / ".join(f"{x:.3f}" for x in row.scores[worst])
        against = "DNN on every frame" if row.reference == "dnn" else "DNN + affine fit on every frame"
        yield f"| {row.method} | {against} | {cells} | {worst}: {values} |"


def missed(rows: list[Row]) -> list[str]:
    """What of DESIGN §7 is not met by the best method for each reference."""
    lines = []
    for reference, wanted in MUST.items():
        best = max((row for row in rows if row.reference == reference), key=lambda row: row.mean()[-1])
        for interval, value, must in zip(INTERVALS, best.mean(), wanted, strict=True):
            if value < must:
                lines.append(f"{best.method} against {reference}, every {interval}: {value:.4f}, must be {must}")
    return lines


def _plot(path: Path, rows: list[Row]) -> None:
    lines = [Line(row.method, list(zip(INTERVALS, row.mean(), strict=True))) for row in rows if row.reference == "dnn"]
    write_plot(path, lines, "MS-SSIM against the DNN on every frame", "frames from key frame to key frame", "MS-SSIM")


def _measured(options: argparse.Namespace, engine: Engine) -> list[Row]:
    scores: dict[tuple[str, str], dict[str, list[float]]] = {}
    for clip in footage(options.clips, options.styles, engine, FRAMES, options.flow):
        for key, values in measure_clip(clip, options.every).items():
            scores.setdefault(key, {})[clip.name] = values
        print(f"{clip.name} done", file=sys.stderr)
    return [Row(method, reference, by_clip) for (method, reference), by_clip in scores.items()]


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=SHARED / "clips")
    parser.add_argument("--styles", type=Path, default=SHARED / "styles", help="clip n gets the n-th photo here")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--flow", choices=("dis", "lucas-kanade", "farneback"), default="dis")
    parser.add_argument("--every", type=int, default=2, help="intermediate frames from one measured to the next")
    parser.add_argument("--check", action="store_true", help="exit 1 unless the must of DESIGN §7 is met")
    parser.add_argument("--json", type=Path, help="also write all scores here")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder to write to")
    options = parser.parse_args()
    cv2.setNumThreads(2)
    engine = Engine(options.release)
    rows = _measured(options, engine)
    failures = missed(rows)
    lines = [
        "# Propagation: MS-SSIM against stylizing every frame, `python -m benchmarks.propagation`",
        "",
        *machine(),
        f"- release {engine.version}, flow {options.flow}, one in {options.every} intermediate frames measured",
        "",
        *table(rows),
        "",
        "![MS-SSIM by key-frame interval](propagation.png)",
        "",
        *([f"- below the must: {line}" for line in failures] or ["DESIGN §7's must is met."]),
    ]
    print("\n".join(lines))
    write_bytes(options.results / "propagation.md", ("\n".join(lines) + "\n").encode(), overwrite=True)
    _plot(options.results / "propagation.png", rows)
    if options.json:
        options.json.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n")
    return 1 if failures and options.check else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.propagation: error: {error}")
