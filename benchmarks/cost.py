"""What stylizing costs next to the paper's network: time at proxy size, sizes of files, parameters.

``python -m benchmarks.cost`` prints Markdown. The paper's shape is ``PAPER``: VGG-19 to relu4_1 and its mirror, with
random weights, since time does not depend on them. Ours is the release's own graphs in ONNX Runtime, and in torch the
network of the same configuration. All run on one thread, in turns, so that whatever else the machine does meets them
alike; a time is the median over turns of the process's own CPU time. Ratios compare one runtime with itself.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from benchmarks.clips import machine
from export.graphs import style_graph, stylize_graph
from mvstylizer import release as releases
from mvstylizer.errors import MVStylizerError
from mvstylizer.network.stylizer import PAPER, Stylizer, config_from

SHAPE = (288, 512)
"""Height and width of frame and style photo: a proxy."""
REPEATS = 7
MUST, AIM = 0.60, 1 / 20
"""Of the paper's CPU time, in the same runtime."""
LARGEST_RELEASE = 4_000_000
"""Bytes of a release with all its files."""

Key = tuple[str, str]
"""Network and runtime."""
Work = Callable[[], object]
Graphs = dict[str, bytes]
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Time:
    """Milliseconds of one run: of the processor, and of the clock on the wall."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Way:
    """A network in a runtime, ready to be timed."""

    stylize: Work
    encode_style: Work
    parameters: int
    graphs: Graphs | None = None
    """Where the runtime runs files."""


def in_torch(stylizer: Stylizer, shape: tuple[int, int]) -> Way:
    """The network in torch's eager mode, on frames of ``(height, width)``."""
    frame = torch.from_numpy(_picture(shape))
    with torch.inference_mode():
        code = stylizer.eval().encode_style(frame)

    @torch.inference_mode()
    def stylize() -> object:
        return stylizer(frame, code, 1.0).clamp(0, 1)

    @torch.inference_mode()
    def encode_style() -> object:
        return stylizer.encode_style(frame)

    return Way(stylize, encode_style, _parameters(stylizer))


def in_onnx_runtime(graphs: Graphs, parameters: int, shape: tuple[int, int]) -> Way:
    """A release's two graphs on frames of ``(height, width)``."""
    style, stylize = _session(graphs[releases.STYLE_GRAPH]), _session(graphs[releases.STYLIZE_GRAPH])
    picture = _picture(shape)
    (code,) = style.run(["code"], {"photo": picture})
    feeds = {"frame": picture, "code": code, "r": np.array(1, np.float32)}
    return Way(
        lambda: stylize.run(["stylized"], feeds), lambda: style.run(["code"], {"photo": picture}), parameters, graphs
    )


def ways(release: releases.Release, shape: tuple[int, int]) -> dict[Key, Way]:
    """Ours and the paper's in both runtimes, by network and runtime."""
    torch.manual_seed(0)
    ours, paper = Stylizer(config_from(release.manifest["stylizer"])), Stylizer(PAPER)
    exported = {releases.STYLE_GRAPH: style_graph(paper), releases.STYLIZE_GRAPH: stylize_graph(paper)}
    return {
        ("ours", "ONNX Runtime"): in_onnx_runtime(release.graphs, _parameters(ours), shape),
        ("paper", "ONNX Runtime"): in_onnx_runtime(exported, _parameters(paper), shape),
        ("ours", "torch"): in_torch(ours, shape),
        ("paper", "torch"): in_torch(paper, shape),
    }


def measure(works: Mapping[Key, Work], repeats: int) -> dict[Key, Time]:
    """The median time of each work over so many turns, after one that does not count."""
    turns = [{name: _timed(work) for name, work in works.items()} for _ in range(repeats + 1)][1:]
    return {
        name: Time(statistics.median(t[name].cpu for t in turns), statistics.median(t[name].wall for t in turns))
        for name in works
    }


def _timed(work: Work) -> Time:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Time((time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000)


def _session(graph: bytes) -> ort.InferenceSession:
    """As the engine sets it up, but on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 3
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _picture(shape: tuple[int, int]) -> Array:
    """Noise ``(1, 3, height, width)`` in 0..1."""
    return np.random.default_rng(0).random((1, 3, *shape), np.float32)


def _parameters(stylizer: Stylizer) -> int:
    return sum(p.numel() for p in stylizer.parameters())


def ratios(stylizing: dict[Key, Time]) -> dict[str, float]:
    """Our CPU time for a frame divided by the paper's, by runtime."""
    runtimes = {runtime for _, runtime in stylizing}
    return {name: stylizing["ours", name].cpu / stylizing["paper", name].cpu for name in sorted(runtimes)}


def table(found: dict[Key, Way], stylizing: dict[Key, Time], encoding: dict[Key, Time]) -> Iterator[str]:
    """Markdown: a line for each network in each runtime."""
    yield "| network | runtime | frame: CPU ms | wall ms | style: CPU ms | parameters | stylize.onnx | style.onnx |"
    yield "|---|---|---|---|---|---|---|---|"
    for key, way in found.items():
        sizes = [f"{len(way.graphs[name]):,}" if way.graphs else "" for name in releases.GRAPHS[::-1]]
        times = f"{stylizing[key].cpu:.0f} | {stylizing[key].wall:.0f} | {encoding[key].cpu:.0f}"
        yield f"| {' | '.join(key)} | {times} | {way.parameters:,} | {' | '.join(sizes)} |"


def missed(found: dict[str, float], size: int) -> list[str]:
    """What of the musts is not met, given the ratios and the release's size in bytes."""
    lines = [f"{name}: {ratio:.3f}, must be {MUST:.2f} or less" for name, ratio in found.items() if ratio > MUST]
    too_large = size > LARGEST_RELEASE
    return [*lines, *([f"release of {size:,} bytes, must be {LARGEST_RELEASE:,} or less"] if too_large else [])]


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="turns, default %(default)s")
    parser.add_argument("--check", action="store_true", help="exit 1 unless the musts are met")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats} leaves nothing to measure; give 1 or more")
    torch.set_num_threads(1)
    directory = options.release or releases.bundled()
    release = releases.load(directory)
    found = ways(release, SHAPE)
    stylizing = measure({key: way.stylize for key, way in found.items()}, options.repeats)
    encoding = measure({key: way.encode_style for key, way in found.items()}, options.repeats)
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    compared = ratios(stylizing)
    about = f"release {release.version}, {SHAPE[1]} × {SHAPE[0]}, one thread, medians of {options.repeats}"
    print("\n".join([*machine(), f"- torch {torch.__version__}; {about}", "", *table(found, stylizing, encoding), ""]))
    for name, ratio in compared.items():
        print(f"- {name}: ours ÷ paper's {ratio:.3f} of the CPU time (must {MUST:.2f}, aim {AIM:.2f})")
    print(f"- release: {size:,} bytes with all its files (must {LARGEST_RELEASE:,})")
    failures = missed(compared, size)
    print("\n".join(["", *(f"not met: {line}" for line in failures)]) if failures else "\nThe musts are met.")
    return 1 if failures and options.check else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.cost: error: {error}")
