"""Figure 5: how much faster a clip of 300 frames is stylized with key frames than frame by frame.

Two systems are run on the frames of a clip in memory, without decoding and encoding: the paper's (key frames through
the DNN at full size, Algorithm 1 between them) and what we ship (key frames on proxies, affine fields between them).
Both are compared with the DNN at full size on every frame, which is timed on some frames and multiplied. Runs that
would take longer than ``_LIMIT`` are left out. Equation 6 is drawn from the same run's times of single frames.
"""

import time
from collections.abc import Callable
from functools import cached_property
from itertools import cycle, islice

from benchmarks.paper.material import COLOUR, frames_of, planes_of
from benchmarks.paper.part import Comparison, Context, Picture, Report, Size, table
from benchmarks.plot import Line, line_plot
from mvstylizer.device import PROXY_SIZE
from mvstylizer.flow import estimator
from mvstylizer.pictures import fit_within
from mvstylizer.propagation import AffinePropagation, Propagation, WarpPropagation
from mvstylizer.propagation.look import StylizedKey
from mvstylizer.styles import StyleCode
from mvstylizer.video.frame import Planes

INTERVALS = (1, 2, 5, 10, 15, 30)
FRAMES = 300
_DISTINCT = 60
"""Frames that are held at a time: shown forwards and backwards, so that there is no cut."""
_TIMED = 3
_LIMIT = 60.0
"""Seconds."""
PAPER, SHIPPED = "the paper's way", "as shipped"

Times = dict[str, float]


def measure(context: Context) -> Report:
    """Speedups at every size and interval."""
    frames = 30 if context.quick else FRAMES
    systems = (PAPER, SHIPPED)
    runs = {size: {system: _runs(context, size, system, frames) for system in systems} for size in context.sizes}
    lines = []
    for system in (PAPER, SHIPPED):
        rows = [
            (size.name, *(_cell(by_system[system], n) for n in INTERVALS), f"{by_system[system]['dnn']:.3f}",
             f"{by_system[system]['between'] * 1e3:.1f}")
            for size, by_system in runs.items()
        ]  # fmt: skip
        heads = [f"speedup, {system}", *(f"every {n}" for n in INTERVALS), "DNN, s", "intermediate frame, ms"]
        lines += [*table(heads, rows), ""]
    lines.append(
        f"{frames} frames; in brackets what Equation 6 says with the measured times of single frames. The paper's way "
        "is at best as fast as its interval; as shipped key frames are proxies too, so that even every frame as a "
        "key frame is faster than the full size, and the speedup ends where intermediate frames take the time."
    )
    plots = {f"figure5_{name}.png": _plot(runs, system) for name, system in (("paper", PAPER), ("shipped", SHIPPED))}
    return Report(f"Figure 5: speedup of a clip of {frames} frames", lines, plots, _summary(runs))


def equation6(at: Times, interval: int) -> float:
    """Speedup with a key frame every so many frames; ``dnn``, ``key`` and ``between`` are seconds a frame."""
    return at["dnn"] * interval / (at["key"] + (interval - 1) * at["between"])


def _cell(at: Times, interval: int) -> str:
    measured = at.get(str(interval))
    return f"{'—' if measured is None else f'{measured:.1f}'} ({equation6(at, interval):.1f})"


def _plot(runs: dict[Size, dict[str, Times]], system: str) -> Picture:
    lines = []
    for size, by_system in runs.items():
        at = by_system[system]
        if measured := [(n, at[str(n)]) for n in INTERVALS if str(n) in at]:
            lines.append(Line(f"{size.name}, measured", measured))
    largest = list(runs)[-1]
    for size in (next(iter(runs)), largest):
        at = runs[size][system]
        lines.append(Line(f"{size.name}, Equation 6", [(n, equation6(at, n)) for n in INTERVALS]))
    return line_plot(lines, f"Speedup against the DNN on every frame, {system}", "key-frame interval", "speedup", False)


def _summary(runs: dict[Size, dict[str, Times]]) -> list[Comparison]:
    size, at = next(iter(runs.items()))
    measured, expected = at[PAPER].get("30", 0.0), equation6(at[PAPER], 30)
    largest = list(runs)[-1]
    way = "speedup with a key frame every 30"
    return [
        Comparison(f"{size.name}: {way}, the paper's way", "about 30", f"{measured:.1f}", f"Eq. 6 here {expected:.1f}"),
        Comparison(f"{largest.name}: {way}, as shipped", "", f"{runs[largest][SHIPPED].get('30', 0.0):.0f}"),
    ]


def _runs(context: Context, size: Size, system: str, frames: int) -> Times:
    """Seconds of single frames, ``dnn``, ``key`` and ``between``, and speedups by interval."""
    clip = _Clip(context, size, system, frames)
    at: Times = dict(context.finished.once(context.key("figure 5, frames", size.name, system), clip.single_frames))
    for interval in INTERVALS:
        if at["dnn"] * frames / equation6(at, interval) <= _LIMIT:
            key = context.key("figure 5", size.name, system, interval, frames)
            seconds = context.finished.once(key, lambda n=interval: clip.seconds(n))  # type: ignore[misc]
            at[str(interval)] = at["dnn"] * frames / float(seconds)
    return at


class _Clip:
    """The clip at one size, read when it is needed, and a system to stylize it with."""

    def __init__(self, context: Context, size: Size, system: str, frames: int) -> None:
        self._engine, self._material, self._size, self._count = context.engine, context.material, size, frames
        flow = estimator("dis")
        self._way: Propagation = WarpPropagation(COLOUR, flow) if system == PAPER else AffinePropagation(COLOUR, flow)

    @cached_property
    def _code(self) -> StyleCode:
        return self._engine.encode_style(self._material.style(0))

    @cached_property
    def _frames(self) -> list[tuple[Picture, Picture, Planes]]:
        """Picture, proxy and planes of each, as a decoder would give them."""
        found = frames_of(self._material.clips[0], self._size.width, self._size.height, min(_DISTINCT, self._count))
        shown = [(picture, fit_within(picture, PROXY_SIZE), planes_of(picture)) for picture in found]
        return list(islice(cycle([*shown, *shown[-2:0:-1]]), self._count))

    def single_frames(self) -> Times:
        """Seconds of the DNN at full size, of a key frame and of one between, from pictures to planes."""
        first, middle = self._frames[0], self._frames[5]
        self._engine.stylize(first[1], self._code)
        keys = self._key(0), self._key(10)
        return {
            "dnn": _seconds(lambda: self._engine.stylize(first[0], self._code), _TIMED),
            "key": _seconds(lambda: self._key(0).look.on_planes(first[2]), _TIMED),
            "between": _seconds(lambda: self._way.between(middle[1], *keys, 0.5).on_planes(middle[2]), 5 * _TIMED),
        }

    def seconds(self, interval: int) -> float:
        """Of the whole clip with a key frame every so many frames."""
        frames = self._frames
        began = time.perf_counter()
        following: StylizedKey | None = self._key(0)
        for first in range(0, len(frames), interval):
            key = following
            if key is None:
                break
            end = first + interval
            following = self._key(end) if end < len(frames) else None
            key.look.on_planes(frames[first][2])
            for i in range(first + 1, min(end, len(frames))):
                _, proxy, planes = frames[i]
                self._way.between(proxy, key, following, (i - first) / interval).on_planes(planes)
        return time.perf_counter() - began

    def _key(self, index: int) -> StylizedKey:
        picture, proxy, _ = self._frames[index]
        return self._way.key(proxy, self._engine.stylize(picture if self._way.full_size else proxy, self._code))


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """The best of so many."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
