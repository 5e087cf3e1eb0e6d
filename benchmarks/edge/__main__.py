"""``python -m benchmarks.edge`` writes ``edge.md`` and ``edge_overload.png`` into benchmarks/results.

- *Load*: 1, 4 and 16 clients that ask as fast as they are answered, for proxies of 512x288.
- *Overload*: requests at random moments, at parts and multiples of what the edge can do.
- *Swaps*: 30 of them under 50 requests a second, of frames small enough for that rate.
- *Bytes* of a 1080p key frame as proxies, against full-size JPEGs.
- *Failure tests*: the whole list, run.

Clients and edge share the machine's cores, as they do nowhere else: an edge of its own is quicker.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED, clip_paths, machine, proxies
from benchmarks.edge.failures import outcomes
from benchmarks.edge.failures import table as failure_table
from benchmarks.edge.load import Run, closed_loop, open_loop
from benchmarks.edge.process import edge_process
from benchmarks.edge.swaps import SwapRun, swap_under_load, two_releases
from benchmarks.edge.traffic import FULL_QUALITY, PROXY_QUALITY, Traffic, traffic
from benchmarks.plot import Line, write_plot
from inference.data_dir import DataDir
from inference.model_store import ModelStore
from mvstylizer.durable import write_text
from mvstylizer.engine import Engine
from mvstylizer.errors import MVStylizerError
from mvstylizer.pictures import encode_jpeg, read_picture
from mvstylizer.video import VideoReader
from mvstylizer.video.frame import planes_to_rgb

CLIENTS = (1, 4, 16)
OFFERED = (0.25, 0.5, 0.75, 1.0, 2.0, 4.0)
"""Of what the edge can do."""
SWAP_SECONDS = 3.0
"""From one swap to the next."""
SWAPS, SWAP_RATE, SMALL = 30, 50.0, (32, 18)
MANY = ("--per-client", "1000")
"""All clients of these runs have one address, and shares are not what they are about."""
_RESULTS = Path(__file__).resolve().parents[1] / "results"

Picture = NDArray[np.uint8]


def load(photo: bytes, frames: list[bytes], seconds: float) -> dict[int, Run]:
    """Runs by the number of clients."""
    with edge_process(*MANY, "--queue", str(max(CLIENTS))) as edge:
        return {n: asyncio.run(closed_loop(edge.url, photo, frames, n, seconds)) for n in CLIENTS}


def overload(photo: bytes, frames: list[bytes], capacity: float, seconds: float) -> dict[float, Run]:
    """Runs by the rate that was offered, as a multiple of ``capacity`` key frames a second."""
    with edge_process(*MANY) as edge:
        return {times: asyncio.run(open_loop(edge.url, photo, frames, times * capacity, seconds)) for times in OFFERED}


def swaps(photo: bytes, frames: list[Picture]) -> SwapRun:
    """Swaps between two copies of the bundled release, whose pictures are the same."""
    small = [encode_jpeg(np.asarray(cv2.resize(frame, SMALL), np.uint8)) for frame in frames]
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder) / "edge")
        store = ModelStore(data.releases)
        for release in two_releases(Path(folder)):
            store.publish(release)
        store.point_at("a")
        with edge_process(*MANY, "--queue", "100", "--threads", "1", "--data-dir", str(data.path)) as edge:
            return asyncio.run(swap_under_load(edge, data, photo, small, SWAP_RATE, SWAPS, SWAP_SECONDS))


def bytes_of_clips(folder: Path, style: Picture) -> list[Traffic]:
    """Of every 1080p clip, a key frame each second."""
    engine, rows = Engine(), list[Traffic]()
    for path in clip_paths(folder):
        with VideoReader(path) as reader:
            if max(reader.info.width, reader.info.height) < 1920:
                continue
            colour = reader.info.colour
            frames = [planes_to_rgb(each.y, each.u, each.v, colour) for each in islice(reader, 0, 90, 30)]
        rows.append(traffic(path.stem, frames, style, engine))
    return rows


def load_table(runs: dict[int, Run]) -> Iterator[str]:
    yield "| clients | key frames a second | p50 ms | p99 ms | outside of ONNX Runtime |"
    yield "|---|---|---|---|---|"
    for clients, run in runs.items():
        p50, p99 = (1000 * run.percentile(p) for p in (50, 99))
        yield f"| {clients} | {run.rate:.2f} | {p50:.0f} | {p99:.0f} | {run.outside:.1%} |"


def overload_table(runs: dict[float, Run], capacity: float) -> Iterator[str]:
    yield "| offered, of capacity | a second | accepted | p50 ms | p95 ms of what was accepted | refused | failed |"
    yield "|---|---|---|---|---|---|---|"
    for times, run in runs.items():
        refused = sum(answer.status in (429, 503) for answer in run.answers)
        failed = len(run.answers) - len(run.accepted) - refused
        p50, p95 = (1000 * run.percentile(p) for p in (50, 95))
        share = len(run.accepted) / len(run.answers)
        yield f"| {times:g} | {times * capacity:.1f} | {share:.0%} | {p50:.0f} | {p95:.0f} | {refused} | {failed} |"


def swap_lines(result: SwapRun) -> Iterator[str]:
    run, half = result.run, len(result.resident) // 2
    versions = {answer.version for answer in run.accepted}
    early, late = (float(np.mean(each)) / 2**20 for each in (result.resident[2:half], result.resident[half:]))
    failed = len(run.answers) - len(run.accepted)
    yield f"- {len(result.swaps)} swaps, {np.mean(result.swaps) * 1000:.0f} ms each, the old release serving meanwhile"
    yield f"- {len(run.answers)} requests, {len(run.answers) / run.seconds:.0f} a second, **{failed} failed**"
    yield f"- versions seen: {', '.join(sorted(versions))}"
    yield f"- p50 {1000 * run.percentile(50):.0f} ms, p99 {1000 * run.percentile(99):.0f} ms"
    yield f"- resident memory, mean of the first half and of the second: {early:.0f} MB, {late:.0f} MB"


def bytes_table(rows: list[Traffic]) -> Iterator[str]:
    yield f"Proxies as JPEG of quality {PROXY_QUALITY}; full size {FULL_QUALITY}, the answer the DNN's at full size."
    yield ""
    yield "| clip | proxy up + down | full size up + down | share |"
    yield "|---|---|---|---|"
    for row in rows:
        proxy, full = (f"{a / 1000:.0f} + {b / 1000:.0f} kB" for a, b in (row.proxy, row.full))
        yield f"| {row.name} | {proxy} | {full} | 1/{1 / row.share:.1f} |"
    mean = sum(sum(row.proxy) for row in rows) / sum(sum(row.full) for row in rows)
    yield f"| **all** | | | **1/{1 / mean:.1f}** |"


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.edge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=SHARED / "clips", metavar="DIR")
    parser.add_argument("--style", type=Path, default=SHARED / "styles" / "stylenas_content_10.jpg")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each run, default %(default)s")
    parser.add_argument("--to", type=Path, default=_RESULTS, metavar="DIR")
    options = parser.parse_args()
    style = read_picture(options.style)
    photo = encode_jpeg(style, FULL_QUALITY)
    pictures = proxies(clip_paths(options.clips)[0], 30)
    frames = [encode_jpeg(picture, PROXY_QUALITY) for picture in pictures]

    runs = load(photo, frames, options.seconds)
    capacity = max(run.rate for run in runs.values())
    offered = overload(photo, frames, capacity, options.seconds)
    parts: list[tuple[str, Callable[[], Iterator[str]]]] = [
        (f"Load ({pictures[0].shape[1]}x{pictures[0].shape[0]} proxies)", lambda: load_table(runs)),
        ("Overload", lambda: overload_table(offered, capacity)),
        ("Swaps under load", lambda: swap_lines(swaps(photo, pictures))),
        ("Bytes of a 1080p key frame", lambda: bytes_table(bytes_of_clips(options.clips, style))),
        ("Failure tests", lambda: failure_table(outcomes())),
    ]
    text = ["# The edge", "", *machine(), f"- release {Engine().version}", ""]
    for title, lines in parts:
        text += [f"## {title}", "", *lines(), ""]
    waits = [(times, run.percentile(95)) for times, run in offered.items()]
    shares = [(times, len(run.accepted) / len(run.answers)) for times, run in offered.items()]
    lines_of = [Line("p95 of what was accepted, s", waits), Line("accepted, share", shares)]
    write_plot(options.to / "edge_overload.png", lines_of, "An edge in overload", "offered, of capacity", "")
    write_text(options.to / "edge.md", "\n".join(text), overwrite=True)
    print("\n".join(text))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.edge: error: {error}")
