"""Which flow, and which way of moving a look: MS-SSIM against stylizing every frame (``benchmarks.propagation``)."""

import time
from functools import cache
from itertools import pairwise
from typing import get_args

import numpy as np

from benchmarks.clips import proxies
from benchmarks.footage import Footage
from benchmarks.paper.part import Comparison, Context, table
from benchmarks.propagation import FRAMES, INTERVALS, Row, measure_clip
from benchmarks.propagation import table as ways_table
from mvstylizer.device import PROXY_SIZE
from mvstylizer.flow import FlowName, estimator, luma

WARP, AFFINE, PREVIOUS = "warp (Algorithm 1)", "affine", "affine, previous only"
FLOWS: tuple[FlowName, ...] = get_args(FlowName)
_TIMED_PAIRS = 20
_QUICK_SIZE = 128

Section = tuple[list[str], list[Comparison]]
Found = list[tuple[str, str, list[float]]]
"""Way, reference, a value an interval."""
Scores = dict[tuple[str, str], dict[str, list[float]]]
"""By way and reference, then by clip."""


def flows(context: Context) -> Section:
    """Estimators of optical flow under Algorithm 1 and under our own propagation."""
    scores = _scores(context)
    times = {flow: _milliseconds(context, flow) for flow in FLOWS}
    means = {(flow, way): _mean(scores[flow], way) for way in (WARP, AFFINE) for flow in FLOWS}
    rows = [(flow, way, *(f"{x:.4f}" for x in mean), f"{times[flow]:.1f}") for (flow, way), mean in means.items()]
    lines = [
        "## Optical flow",
        "",
        f"MS-SSIM against the DNN on every frame by key-frame interval, mean over {len(context.material.clips)} clips, "
        f"one in {_every(context)} intermediate frames; processor milliseconds of one flow at proxy size. The paper's "
        "is Lucas–Kanade.",
        "",
        *table(("flow", "propagation", *(f"every {n}" for n in INTERVALS), "ms"), rows),
    ]
    last = "; ".join(f"{flow} {means[flow, WARP][-1]:.3f}, {means[flow, AFFINE][-1]:.3f}" for flow in FLOWS)
    about = f"MS-SSIM, a key frame every {INTERVALS[-1]}, by flow: Algorithm 1, ours"
    return lines, [Comparison(about, "Lucas–Kanade only", last)]


def ways_compared(context: Context) -> Section:
    """Algorithm 1, one side and two, with what the fit leaves and without, the grid, and warp over affine."""
    scores = _scores(context)["dis"]
    rows = [Row(way, reference, by_clip) for (way, reference), by_clip in scores.items()]
    lines = [
        "## Propagation",
        "",
        f"MS-SSIM by key-frame interval, flow `dis`, one in {_every(context)} intermediate frames. The product's is "
        "*affine*: two-sided, without residual (what the affine fit leaves of the DNN's output); *previous only* is "
        "the same one-sided; *flow only* lacks the bilateral grid where flow fails.",
        "",
        *ways_table(rows),
    ]
    warp, one_sided, ours = (1 - _mean(scores, way)[-1] for way in (WARP, PREVIOUS, AFFINE))
    about = f"1 − MS-SSIM, a key frame every {INTERVALS[-1]}: Algorithm 1; ours one-sided; ours"
    ratio = f"{warp / max(ours, 1e-6):.0f}× less than Algorithm 1"
    return lines, [Comparison(about, "", f"{warp:.4f}; {one_sided:.4f}; {ours:.4f}", ratio)]


def _scores(context: Context) -> dict[FlowName, Scores]:
    """By flow, of all clips; all ways with DIS, Algorithm 1 and ours with the others."""
    found: dict[FlowName, Scores] = {flow: {} for flow in FLOWS}
    for number, path in enumerate(context.material.clips):
        for flow, results in _of_clip(context, number).items():
            for way, reference, values in results:
                found[flow].setdefault((way, reference), {})[path.stem] = values
    return found


def _of_clip(context: Context, number: int) -> dict[FlowName, Found]:
    """Each flow is measured once."""
    path, every = context.material.clips[number], _every(context)
    clip = cache(lambda: _footage(context, number))

    def measured(flow: FlowName) -> Found:
        only = None if flow == "dis" else (WARP, AFFINE)
        return [(*about, values) for about, values in measure_clip(clip().with_flow(flow), every, only).items()]

    def once(flow: FlowName) -> Found:
        key = context.key("ablations, propagation", path.name, flow, FRAMES, every)
        return [
            (way, reference, values) for way, reference, values in context.finished.once(key, lambda: measured(flow))
        ]

    return {flow: once(flow) for flow in FLOWS}


def _footage(context: Context, number: int) -> Footage:
    path = context.material.clips[number]
    frames = proxies(path, FRAMES, _QUICK_SIZE if context.quick else PROXY_SIZE)
    return Footage(path.stem, frames, context.material.style(number), context.engine)


def _every(context: Context) -> int:
    """One in so many intermediate frames is measured."""
    return 12 if context.quick else 4


def _milliseconds(context: Context, flow: FlowName) -> float:
    key = context.key("ablations, flow's time", flow, _TIMED_PAIRS)
    return float(context.finished.once(key, lambda: _timed(context, flow)))


def _timed(context: Context, flow: FlowName) -> float:
    """Median processor time of all threads, over neighbouring frames of the first clip at proxy size."""
    frames = [luma(frame) for frame in proxies(context.material.clips[0], _TIMED_PAIRS + 1, PROXY_SIZE)]
    estimate, times = estimator(flow), []
    for key, frame in pairwise(frames):
        began = time.process_time()
        estimate(frame, key)
        times.append(time.process_time() - began)
    return 1000 * float(np.median(times))


def _mean(scores: Scores, way: str) -> list[float]:
    """Over clips, against the DNN's own output."""
    return [float(x) for x in np.mean(list(scores[way, "dnn"].values()), axis=0)]
