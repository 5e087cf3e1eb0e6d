"""Table 4: how near interpolated frames come to the DNN's own, at every size, adjacent to a key frame and far from it.

Each clip's frame of an index is made from the key frames around it and compared with what the DNN makes of it at that
size (MS-SSIM of luma): by Algorithm 1 from the stylized key frame at full size, by our affine fields with the proxy at
full size, which is the like comparison, and as shipped, with key frames stylized on proxies of 512. *Adjacent* is the
frame right after a key frame, as in the paper; other intervals take the frame half-way, where it is worst.

Beside it, at proxy size over whole clips: warping error, edit-warp error (the same of what the look adds, which does
not reward blur) and edge similarity, never one of them alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import proxies
from benchmarks.footage import Footage, Picture, float_luma
from benchmarks.pair_scores import real
from benchmarks.paper.material import COLOUR, frames_of
from benchmarks.paper.part import Comparison, Context, Report, Size, table
from benchmarks.paper.published import TABLE4
from benchmarks.propagation import ways
from benchmarks.steady_video import Values, matched
from mvstylizer.device import PROXY_SIZE
from mvstylizer.flow import DenseInverseSearch, Flow, FlowEstimator, estimator, luma, sample
from mvstylizer.metrics import edge_ssim, ms_ssim
from mvstylizer.pictures import fit_within
from mvstylizer.propagation import AffinePropagation, Propagation, WarpPropagation

CASES = {"adjacent": (22, 23, 37), "every 5": (20, 22, 25), "every 15": (15, 22, 30), "every 45": (0, 22, 45)}
"""Key frame, the frame that is compared, the next key frame."""
_FRAMES = 46
_INTERVAL = 15
_LARGE = 1100
"""Width beyond which not all clips are measured."""
WARP, AFFINE, SHIPPED = "Algorithm 1", "ours, proxy at full size", "ours as shipped"
METHODS = (WARP, AFFINE, SHIPPED)
INPUT, DNN, STEADY_WARP, STEADY_AFFINE = "the input", "DNN on every frame", "Algorithm 1", "ours"

Scores = dict[str, dict[str, float]]


def measure(context: Context) -> Report:
    """MS-SSIM by size and interval, and how steady the clips are."""
    by_size = {size: [_likeness(context, number, size) for number in _clips(context, size)] for size in context.sizes}
    means = {
        size: {method: {case: _mean([clip[method][case] for clip in found]) for case in CASES} for method in METHODS}
        for size, found in by_size.items()
    }
    rows = [
        (size.name, method, *(f"{means[size][method][case]:.4f}" for case in CASES))
        for size in means for method in METHODS
    ]  # fmt: skip
    lines = table(["MS-SSIM to the DNN at full size", "", *CASES], rows)
    counts = ", ".join(f"{len(found)} at {size.name}" for size, found in by_size.items())
    lines += ["", f"Means over clips ({counts}), one frame each. The paper's, adjacent frames:", ""]
    lines += table([size.name for size in context.sizes], [TABLE4[: len(context.sizes)]])
    lines += ["", f"Steadiness at proxy size, key frame every {_INTERVAL}, all frames of the clips:", ""]
    steady = [_steadiness(context, number) for number in _clips(context)]
    return Report("Table 4: interpolated frames against the DNN's own", lines + list(_steady_table(steady)),
                  summary=_summary(means, steady))  # fmt: skip


def _clips(context: Context, size: Size | None = None) -> range:
    """All of them; of full HD, where each takes minutes, every third."""
    return range(0, len(context.material.clips), 3 if size is not None and size.width > _LARGE else 1)


def _likeness(context: Context, number: int, size: Size) -> Scores:
    key = context.key("table 4", context.material.clips[number].name, size.name)
    return dict(context.finished.once(key, lambda: _compared(context, number, size)))


def _compared(context: Context, number: int, size: Size) -> Scores:
    """A clip's MS-SSIM by method and case."""
    frames = frames_of(context.material.clips[number], size.width, size.height, _FRAMES)
    engine = context.engine
    code, flow = engine.encode_style(context.material.style(number)), estimator("dis")

    @cache
    def stylized(index: int) -> Picture:
        return engine.stylize(frames[index], code)

    def result(method: str, before: int, middle: int, after: int) -> Picture:
        way: Propagation = WarpPropagation(COLOUR, flow) if method == WARP else AffinePropagation(COLOUR, flow)
        position = (middle - before) / (after - before)
        if method == SHIPPED:
            proxies = {i: fit_within(frames[i], PROXY_SIZE) for i in (before, middle, after)}
            first, last = (way.key(proxies[i], engine.stylize(proxies[i], code)) for i in (before, after))
            return way.between(proxies[middle], first, last, position).on_proxy(frames[middle])
        first, last = (way.key(frames[i], stylized(i)) for i in (before, after))
        return way.between(frames[middle], first, last, position).on_proxy(frames[middle])

    return {
        method: {
            case: ms_ssim(float_luma(result(method, before, middle, after)), float_luma(stylized(middle)))
            for case, (before, middle, after) in CASES.items()
        }
        for method in METHODS
    }


def _steadiness(context: Context, number: int) -> Scores:
    key = context.key("table 4, steadiness", context.material.clips[number].name)
    return dict(context.finished.once(key, lambda: _steady(context, number)))


def _steady(context: Context, number: int) -> Scores:
    """A clip's errors and edge similarity by method."""
    path = context.material.clips[number]
    clip = Footage(path.stem, proxies(path, _FRAMES), context.material.style(number), context.engine)
    propagated = ways(clip)
    outputs = {INPUT: clip.frames, DNN: [clip.stylized(i) for i in range(len(clip.frames))]}
    for name, way in ((STEADY_WARP, propagated["warp (Algorithm 1)"]), (STEADY_AFFINE, propagated["affine"])):
        outputs[name] = [_shown(clip, way, name, i) for i in range(len(clip.frames))]
    flow = DenseInverseSearch(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    matches = [_match(before, after, flow) for before, after in pairwise(clip.frames)]
    return {name: _errors(clip.frames, shown, matches) for name, shown in outputs.items()}


def _shown(clip: Footage, way: Callable[[int, int, int], Picture], name: str, index: int) -> Picture:
    """A frame as the device shows it; the last one is a key frame."""
    last = len(clip.frames) - 1
    before = index - index % _INTERVAL
    if index in (before, last):
        return clip.stylized(index) if name == STEADY_WARP else clip.key(index).look.on_proxy(clip.frames[index])
    return way(index, before, min(before + _INTERVAL, last))


Match = tuple[Flow, NDArray[np.bool_]]


def _match(before: Picture, after: Picture, flow: FlowEstimator) -> Match:
    """Flow from a frame to the one before, and where it can be believed; the device uses another."""
    there, back = flow(luma(after), luma(before)), flow(luma(before), luma(after))
    return there, matched(there, back)


def _errors(frames: Sequence[Picture], shown: Sequence[Picture], matches: Sequence[Match]) -> dict[str, float]:
    own, output = ([real(picture) for picture in clip] for clip in (frames, shown))
    edits = [after - before for before, after in zip(own, output, strict=True)]
    return {
        "warp": _mean([_error(*pair, match) for pair, match in zip(pairwise(output), matches, strict=True)]),
        "edit": _mean([_error(*pair, match) for pair, match in zip(pairwise(edits), matches, strict=True)]),
        "edge": _mean([edge_ssim(a, b) for a, b in list(zip(output, own, strict=True))[::5]]),
    }


def _error(before: Values, after: Values, match: Match) -> float:
    """Mean squared difference where frames match, summed over RGB (Lai et al., ECCV 2018)."""
    there, mask = match
    squares = np.square(after - sample(before, there)).sum(-1)
    return float(squares[mask].mean()) if mask.any() else 0.0


def _steady_table(steady: Sequence[Scores]) -> Iterator[str]:
    rows = []
    for name in (INPUT, DNN, STEADY_WARP, STEADY_AFFINE):
        warp, edit, edge = (_mean([clip[name][measure] for clip in steady]) for measure in ("warp", "edit", "edge"))
        ratio = _mean([clip[name]["warp"] / max(clip[INPUT]["warp"], 1e-9) for clip in steady])
        rows.append((name, f"{1e4 * warp:.2f}", f"{ratio:.2f}", f"{1e4 * edit:.2f}", f"{edge:.3f}"))
    heads = ["", "warping error ×10⁴", "÷ the input's, mean of clips", "edit-warp error ×10⁴", "edge SSIM to the input"]
    yield from table(heads, rows)


def _summary(means: Mapping[Size, Scores], steady: Sequence[Scores]) -> list[Comparison]:
    def by_size(method: str, case: str) -> str:
        return " / ".join(f"{at[method][case]:.4f}" for at in means.values())

    def beside(case: str) -> str:
        return f"Algorithm 1 here {by_size(WARP, case)}"

    paper = " / ".join(f"{value:.4f}" for value in TABLE4)
    ours, dnn = (f"{1e4 * _mean([clip[name]['edit'] for clip in steady]):.2f}" for name in (STEADY_AFFINE, DNN))
    far = "every 45"
    return [
        Comparison(
            "MS-SSIM, frame after a key frame, four sizes", paper, by_size(AFFINE, "adjacent"), beside("adjacent")
        ),
        Comparison("MS-SSIM, half-way between key frames 45 apart", "", by_size(AFFINE, far), beside(far)),
        Comparison("edit-warp error ×10⁴, as shipped", "", ours, f"DNN on every frame {dnn}"),
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
