"""How near propagated frames come to stylizing every frame (DESIGN §5; beyond the paper's Table 4).

``python -m benchmarks.propagation`` prints one Markdown table: MS-SSIM, mean over clips and intermediate frames, by
key-frame interval. References are the DNN's own output on every frame and, for `affine`, every frame through the DNN
and the affine fit, which is what the device shows at key frames. With ``--check`` the exit code says whether the
"must" of DESIGN §7 is met.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED, clip_paths, machine, proxies
from mvstylizer.engine import Engine
from mvstylizer.errors import MVStylizerError
from mvstylizer.flow import FlowName, estimator, luma
from mvstylizer.metrics import ms_ssim
from mvstylizer.pictures import read_picture
from mvstylizer.propagation import AffinePropagation, Propagation, WarpPropagation
from mvstylizer.video import ColourSpace

INTERVALS = (2, 15, 45)
FRAMES = 46
"""So that the longest interval has a key frame at both ends."""
MUST = {"dnn": (0.988, 0.970, 0.945), "path": (0.997, 0.988, 0.973)}
"""DESIGN §7, by interval: against the DNN's own output, and against the whole path."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One line of the table; ``scores`` by clip, one value an interval."""

    method: str
    reference: str
    scores: dict[str, list[float]]

    def mean(self) -> list[float]:
        """Over clips."""
        return [float(x) for x in np.mean(list(self.scores.values()), axis=0)]


def measure_clip(
    frames: list[Picture], style: Picture, engine: Engine, flow: FlowName
) -> dict[tuple[str, str], list[float]]:
    """MS-SSIM of each method against each reference, one value an interval."""
    code = engine.encode_style(style)
    stylized = [engine.stylize(frame, code) for frame in frames]
    colour = ColourSpace("bt601", "full")
    affine = AffinePropagation(colour, estimator(flow))
    ways: dict[str, Propagation] = {
        "warp (Algorithm 1)": WarpPropagation(colour, estimator(flow)),
        "affine": affine,
        "affine + residual": AffinePropagation(colour, estimator(flow), residual=True),
    }
    path = [affine.key(f, s).look.on_proxy(f) for f, s in zip(frames, stylized, strict=True)]
    results: dict[tuple[str, str], list[float]] = {}
    for name, way in ways.items():
        for interval in INTERVALS:
            pictures = dict(_propagated(frames, stylized, way, interval))
            results.setdefault((name, "dnn"), []).append(_mean_ms_ssim(pictures, stylized))
            if name == "affine":
                results.setdefault((name, "path"), []).append(_mean_ms_ssim(pictures, path))
    return results


def _propagated(
    frames: list[Picture], stylized: list[Picture], way: Propagation, interval: int
) -> Iterator[tuple[int, Picture]]:
    """Index and picture of every intermediate frame; the last frame is a key frame too, so that all have two sides."""
    last = len(frames) - 1
    keys = {i: way.key(frames[i], stylized[i]) for i in {*range(0, len(frames), interval), last}}
    for i, frame in enumerate(frames):
        before = i - i % interval
        after = min(before + interval, last)
        if i not in keys:
            yield i, way.between(frame, keys[before], keys[after], (i - before) / (after - before)).on_proxy(frame)


def _mean_ms_ssim(pictures: dict[int, Picture], reference: list[Picture]) -> float:
    return float(np.mean([ms_ssim(_float_luma(p), _float_luma(reference[i])) for i, p in pictures.items()]))


def _float_luma(picture: Picture) -> NDArray[np.float32]:
    return luma(picture).astype(np.float32)


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


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=SHARED / "clips")
    parser.add_argument("--styles", type=Path, default=SHARED / "styles", help="clip n gets the n-th photo here")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--flow", choices=("dis", "lucas-kanade", "farneback"), default="dis")
    parser.add_argument("--check", action="store_true", help="exit 1 unless the must of DESIGN §7 is met")
    parser.add_argument("--json", type=Path, help="also write all scores here")
    options = parser.parse_args()
    cv2.setNumThreads(2)
    engine = Engine(options.release)
    styles = sorted(options.styles.glob("*.jpg"))
    scores: dict[tuple[str, str], dict[str, list[float]]] = {}
    for number, path in enumerate(clip_paths(options.clips)):
        style = read_picture(styles[number * len(styles) // 12 % len(styles)])
        for key, values in measure_clip(proxies(path, FRAMES), style, engine, options.flow).items():
            scores.setdefault(key, {})[path.stem] = values
        print(f"{path.stem} done", file=sys.stderr)
    rows = [Row(method, reference, by_clip) for (method, reference), by_clip in scores.items()]
    print("\n".join([*machine(), f"- release {engine.version}, flow {options.flow}", "", *table(rows)]))
    if options.json:
        options.json.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n")
    failures = missed(rows)
    print(
        "\n".join(["", *(f"below the must: {line}" for line in failures)]) if failures else "\nDESIGN §7's must is met."
    )
    return 1 if failures and options.check else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.propagation: error: {error}")
