"""Table 1: how long stylizing one frame takes, by its size.

All methods take turns on the same frame, so that whatever else the machine does meets them alike, on all its cores.
The paper's shape has random weights: time does not depend on them. Gatys et al. (CVPR 2016) is the slow end, in the
place of Luan et al., which starts with it: some steps of its optimization are timed and the rest extrapolated.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.anchors import mkl
from benchmarks.paper.material import COLOUR, frames_of, planes_of
from benchmarks.paper.part import Comparison, Context, Picture, Report, Size, table
from benchmarks.paper.published import TABLE1
from benchmarks.paper.slow_methods import TIMED_STEPS, gatys, paper_shape
from mvstylizer.device import PROXY_SIZE
from mvstylizer.flow import estimator
from mvstylizer.pictures import fit_within
from mvstylizer.propagation import AffinePropagation

GATYS_STEPS = 500
"""Of its optimization, as commonly run (L-BFGS in the paper; a step of Adam costs what an evaluation does there)."""
_TURNS = 2
OURS, SHIPPED, PAPER, MKL, GATYS = (
    "ours, DNN at full size",
    "ours as shipped: DNN on a proxy, look applied at full size",
    "the paper's shape: VGG-19 to relu4_1 and its mirror",
    "MKL",
    f"Gatys et al., {GATYS_STEPS} steps (extrapolated)",
)
METHODS = (GATYS, PAPER, MKL, OURS, SHIPPED)
Work = Callable[[], object]


def measure(context: Context) -> Report:
    """Seconds a frame of every method at every size."""
    seconds = {size.name: _once(context, size) for size in context.sizes}
    heads = ["seconds a frame", *seconds, "against the paper's shape"]
    rows = [(method, *(f"{at[method]:.3f}" for at in seconds.values()), _ratios(seconds, method)) for method in METHODS]
    paper = [(f"*{name}*", *(f"*{value:g}*" for value in values), "") for name, values in TABLE1.items()]
    lines = table(heads, rows)
    lines += ["", "The paper's own figures (TITAN X, PyTorch; the last of the first line is a lower bound):", ""]
    lines += table(["seconds a frame", *(size.name for size in context.sizes), ""], paper) if not context.quick else []
    return Report("Table 1: time to stylize one frame", lines, summary=_summary(list(seconds.values())))


def _ratios(seconds: Mapping[str, Mapping[str, float]], method: str) -> str:
    return " / ".join(f"{at[PAPER] / at[method]:.3g}×" for at in seconds.values())


def _summary(seconds: Sequence[Mapping[str, float]]) -> list[Comparison]:
    def times(other: str, method: str) -> str:
        return " / ".join(f"{at[other] / at[method]:.0f}" for at in seconds)

    theirs = TABLE1["MVStylizer"]
    luan, li = (values for name, values in TABLE1.items() if name != "MVStylizer")

    def paper(values: Sequence[float]) -> str:
        return " / ".join(f"{value / own:.0f}" for value, own in zip(values, theirs, strict=True))

    own = " / ".join(f"{at[OURS]:.2f}" for at in seconds)
    return [
        Comparison("seconds a frame, four sizes", " / ".join(f"{value:g}" for value in theirs), own),
        Comparison("times faster than an optimization", f"{paper(luan)} or more", times(GATYS, OURS)),
        Comparison(
            "times faster than Li et al. (paper), than the paper's own shape (ours)", paper(li), times(PAPER, OURS)
        ),
        Comparison("the same as shipped, on a proxy", "", times(PAPER, SHIPPED)),
    ]


def _once(context: Context, size: Size) -> dict[str, float]:
    key = context.key("table 1", size.name, _TURNS, TIMED_STEPS)
    return dict(context.finished.once(key, lambda: _measured(context, size)))


def _measured(context: Context, size: Size) -> dict[str, float]:
    frame = frames_of(context.material.clips[0], size.width, size.height, 1)[0]
    works = _works(context, frame, context.material.style(0))
    for name in (OURS, SHIPPED):
        works[name]()  # what only a session's first run costs
    turns = [{name: _seconds(work) for name, work in works.items()} for _ in range(1 if context.quick else _TURNS)]
    best = {name: min(turn[name] for turn in turns) for name in works}
    return best | {GATYS: best[GATYS] / TIMED_STEPS * GATYS_STEPS}


def _works(context: Context, frame: Picture, style: Picture) -> dict[str, Work]:
    engine, code = context.engine, context.engine.encode_style(style)
    proxy, planes = fit_within(frame, PROXY_SIZE), planes_of(frame)
    way = AffinePropagation(COLOUR, estimator("dis"))
    real, real_style = (picture.astype(np.float32) / np.float32(255) for picture in (frame, style))
    return {
        GATYS: gatys(frame, style),
        PAPER: paper_shape(frame),
        MKL: lambda: mkl(real, real_style),
        OURS: lambda: engine.stylize(frame, code),
        SHIPPED: lambda: way.key(proxy, engine.stylize(proxy, code)).look.on_planes(planes),
    }


def _seconds(work: Work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
