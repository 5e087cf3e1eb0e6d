"""Table 2: a frame through the DNN against an intermediate frame on the device, with the flow and without.

The paper leaves the flow out ("pre-computed optical flow information"); a device cannot. Both are at the frame's size:
the DNN stylizes it whole, the device gives it its look whole. Flow and field are worked out on proxies, as shipped.
"""

import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.material import COLOUR, frames_of, planes_of
from benchmarks.paper.part import Comparison, Context, Picture, Report, Size, table
from benchmarks.paper.published import TABLE1, TABLE2_INTERPOLATION, TABLE2_SPEEDUP
from benchmarks.paper.slow_methods import paper_shape
from mvstylizer.device import PROXY_SIZE
from mvstylizer.flow import Sample, estimator, luma, sample
from mvstylizer.pictures import fit_within
from mvstylizer.propagation import AffinePropagation, WarpPropagation
from mvstylizer.propagation.affine import SMALL_SIZE

MUST = 75.5
"""Times that an intermediate frame at 1080p must be faster, flow included (DESIGN §7)."""
_TURNS, _REPEATS = 2, 10

DNN, SHAPE, WARP, WARP_ALONE, FIELD, FIELD_ALONE = (
    "DNN, ours",
    "DNN, the paper's shape",
    "Algorithm 1",
    "Algorithm 1 without flow",
    "ours",
    "ours without flow",
)
_FLOW = "the two flows of ours"
_COLUMNS = (SHAPE, DNN, FIELD, FIELD_ALONE, WARP, WARP_ALONE)


def measure(context: Context) -> Report:
    """Milliseconds a frame, and speedups, at every size."""
    found = {size: _once(context, size) for size in context.sizes}
    rows = [(size.name, *(f"{at[name]:.1f}" for name in _COLUMNS), *_speedups(at)) for size, at in found.items()]
    heads = ["ms a frame", *_COLUMNS, "speedup", "without flow", "paper's shape ÷ ours", "÷ Algorithm 1 without flow"]
    lines = table(heads, rows)
    lines += ["", "*Speedup* is our DNN at full size ÷ our intermediate frame, flow included. The paper's:", ""]
    paper = zip(TABLE1["MVStylizer"], TABLE2_INTERPOLATION, TABLE2_SPEEDUP, strict=True)
    lines += table(
        ["", "DNN, ms", "interpolation, ms", "speedup"],
        [(size.name, dnn * 1e3, between * 1e3, speedup)
         for size, (dnn, between, speedup) in zip(context.sizes, paper, strict=False)],
    )  # fmt: skip
    return Report("Table 2: the DNN against an intermediate frame", lines, summary=_summary(found))


def _speedups(at: dict[str, float]) -> tuple[str, ...]:
    pairs = ((DNN, FIELD), (DNN, FIELD_ALONE), (SHAPE, FIELD), (SHAPE, WARP_ALONE))
    return tuple(f"{at[dnn] / at[between]:.0f}" for dnn, between in pairs)


def _summary(found: dict[Size, dict[str, float]]) -> list[Comparison]:
    size, at = list(found.items())[-1]
    with_flow, without, shape, _ = _speedups(at)
    return [
        Comparison(
            f"{size.name}: intermediate frame, ms", "20 (phone, flow not counted)", f"{at[FIELD]:.1f} with flow"
        ),
        Comparison(f"{size.name}: DNN ÷ intermediate frame, flow counted", "", with_flow, f"must be {MUST:g}"),
        Comparison(f"{size.name}: the same, flow not counted", f"{TABLE2_SPEEDUP[-1]:g}", without),
        Comparison(f"{size.name}: the paper's shape ÷ our intermediate frame, flow counted", "", shape),
    ]


def _once(context: Context, size: Size) -> dict[str, float]:
    return dict(context.finished.once(context.key("table 2", size.name, _TURNS), lambda: _measured(context, size)))


def _measured(context: Context, size: Size) -> dict[str, float]:
    """Milliseconds; the best of several turns, in which all of them are timed."""
    works = works_at(context, size)
    slow = (DNN, SHAPE)
    turns = [
        {name: _milliseconds(work, 1 if name in slow else _REPEATS) for name, work in works.items()}
        for _ in range(1 if context.quick else _TURNS)
    ]
    best = {name: min(turn[name] for turn in turns) for name in works}
    return best | {FIELD_ALONE: best[FIELD] - best.pop(_FLOW)}


def works_at(context: Context, size: Size) -> dict[str, Callable[[], object]]:
    """What is timed, on a frame half-way between two key frames."""
    engine, code = context.engine, context.engine.encode_style(context.material.style(0))
    before, frame, after = frames_of(context.material.clips[0], size.width, size.height, 15)[::7]
    proxies = [fit_within(picture, PROXY_SIZE) for picture in (before, frame, after)]
    planes, flow = planes_of(frame), estimator("dis")
    field, warp = AffinePropagation(COLOUR, estimator("dis")), WarpPropagation(COLOUR, estimator("dis"))
    first, last = (field.key(proxy, engine.stylize(proxy, code)) for proxy in (proxies[0], proxies[2]))
    moved = warp.key(proxies[0], _stretched(engine.stylize(proxies[0], code), before))
    small = [luma(fit_within(proxy, SMALL_SIZE)) for proxy in proxies]
    there = _stretched(flow(luma(proxies[1]), luma(proxies[0])), before)
    return {
        DNN: lambda: engine.stylize(frame, code),
        SHAPE: paper_shape(frame),
        FIELD: lambda: field.between(proxies[1], first, last, 0.5).on_planes(planes),
        _FLOW: lambda: [flow(small[1], key) for key in (small[0], small[2])],
        WARP: lambda: warp.between(proxies[1], moved, None, 0.0),
        WARP_ALONE: lambda: sample(moved.look.rgb, there),
    }


def _stretched(array: NDArray[Sample], to: Picture) -> NDArray[Sample]:
    """A picture, or a flow with its lengths, at a full-size picture's size."""
    height, width = to.shape[:2]
    resized = cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)
    scale = width / array.shape[1] if array.shape[2] == 2 else 1
    return np.asarray(resized * scale, array.dtype)


def _milliseconds(work: Callable[[], object], repeats: int) -> float:
    """A run's, of so many."""
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) * 1000 / repeats
