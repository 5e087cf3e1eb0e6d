"""Table 5: how long a key frame takes to the edge and to two far clouds, and how fast a clip comes out over each link.

Between device and edge stands a TCP proxy of our own with a delay and a bandwidth cap. Both follow from the paper's own
table: for each of its three servers the line through its four times, over the bytes of full-size JPEGs of those sizes.
A key frame is sent to a server that reads it and answers, so what is timed is the way there and an empty answer. Then a
real edge stands behind the same links, and a clip is stylized over each from file to file.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import aiohttp
import numpy as np
from aiohttp import web

from benchmarks.edge.process import edge_process
from benchmarks.edge.traffic import FULL_QUALITY, PROXY_QUALITY
from benchmarks.paper.material import frames_of, write_clip
from benchmarks.paper.part import Comparison, Context, Report, Size, table
from benchmarks.paper.published import TABLE5
from benchmarks.tcp_proxy import TcpProxy
from inference.client import EdgeStylizer
from mvstylizer.device import PROXY_SIZE, DeviceOptions, stylize_video
from mvstylizer.pictures import encode_jpeg, fit_within
from mvstylizer.styles import Style

_SENT = 8
"""Frames a size and link."""
_FRAMES = 90
_INTERVAL = 15
FULL, PROXY = "full-size JPEG", "our proxy"
SHIPPED, PAPER = "as shipped", "the paper's way: Algorithm 1"
_TURNS = {SHIPPED: 2, PAPER: 1}
Times = dict[str, float]


@dataclass(frozen=True)
class Link:
    """Seconds one way, and bytes a second."""

    name: str
    latency: float
    rate: float


_NO_LINK = Link("no link between", 0.0, float("inf"))


def fitted_link(name: str, sizes: Sequence[float], seconds: Sequence[float]) -> Link:
    """The link whose times come nearest, in shares, to those of so many bytes: ``latency + bytes ÷ rate``."""
    weights = 1 / np.asarray(seconds)
    columns = np.stack([np.ones(len(sizes)), np.asarray(sizes)], 1)
    latency, per_byte = np.linalg.lstsq(columns * weights[:, None], np.ones(len(sizes)), rcond=None)[0]
    if latency < 0:  # the smallest times are shorter than the line says: all of it is bandwidth
        latency, per_byte = 0.0, float(np.average(np.asarray(seconds) / np.asarray(sizes)))
    return Link(name, float(latency), 1 / float(per_byte))


def measure(context: Context) -> Report:
    """Seconds of a key frame and frames a second of a clip, link by link."""
    sent = {size: _key_frame(context, size) for size in context.sizes}
    links = [fitted_link(name, [len(jpeg) for jpeg, _ in sent.values()], times[: len(sent)]) for name, times in
             TABLE5.items()]  # fmt: skip
    seconds = {link.name: _once(context, link, list(sent.items())) for link in links}
    lines = table(
        ["link, from the paper's times", "one way, ms", "MB/s"],
        [(link.name, f"{1e3 * link.latency:.1f}", f"{link.rate / 1e6:.2f}") for link in links],
    )
    lines += [
        "",
        f"Seconds until a key frame has arrived, median of {_SENT} (JPEG {FULL_QUALITY} and {PROXY_QUALITY}):",
    ]
    rows = []
    for size, jpegs in sent.items():
        for kind, jpeg in zip((FULL, PROXY), jpegs, strict=True):
            times = (f"{seconds[link.name][f'{size.name} {kind}']:.3f}" for link in links)
            rows.append((size.name, f"{len(jpeg) / 1e3:.0f} kB", kind, *times))
    lines += ["", *table(["frame", "bytes", "sent as", *(link.name for link in links)], rows)]
    paper = [(size.name, *(times[i] for times in TABLE5.values())) for i, size in enumerate(sent)]
    lines += ["", "The paper's:", "", *table(["frame", *TABLE5], paper)]
    speeds = {link.name: _clip_speeds(context, link) for link in (_NO_LINK, *links)}
    lines += [
        "",
        f"A clip of {context.sizes[-1].name}, key frame every {_INTERVAL}, frames a second from file to file:",
        "",
    ]
    lines += table(["", *speeds], [(way, *(f"{at[way]:.1f}" for at in speeds.values())) for way in (SHIPPED, PAPER)])
    lines += [
        "",
        "Device and edge share this machine's cores; the last line's key frames are of full size on both ways, in the "
        "DNN and for the flow.",
    ]
    return Report("Table 5: a key frame on its way", lines, summary=_summary(context, seconds, speeds))


def _key_frame(context: Context, size: Size) -> tuple[bytes, bytes]:
    """A frame as a full-size JPEG, and as the proxy that the device sends."""
    picture = frames_of(context.material.clips[0], size.width, size.height, 1)[0]
    return encode_jpeg(picture, FULL_QUALITY), encode_jpeg(fit_within(picture, PROXY_SIZE), PROXY_QUALITY)


def _summary(context: Context, seconds: dict[str, Times], speeds: dict[str, Times]) -> list[Comparison]:
    name = context.sizes[-1].name

    def arrived(link: str) -> Comparison:
        full, proxy = (seconds[link][f"{name} {kind}"] for kind in (FULL, PROXY))
        sooner = f"{full / proxy:.1f}× sooner than full size here"
        return Comparison(f"{name} key frame to the {link}, s", f"{TABLE5[link][-1]:g}", f"{proxy:.3f}", sooner)

    ours, paper = (" / ".join(f"{at[way]:.1f}" for at in speeds.values()) for way in (SHIPPED, PAPER))
    fps = Comparison(f"frames a second of a clip: {', '.join(speeds)}", "", ours, f"the paper's way {paper}")
    return [*map(arrived, seconds), fps]


def _once(context: Context, link: Link, sent: Sequence[tuple[Size, tuple[bytes, bytes]]]) -> Times:
    """Median seconds by size and kind."""
    bodies = {
        f"{size.name} {kind}": jpeg for size, jpegs in sent for kind, jpeg in zip((FULL, PROXY), jpegs, strict=True)
    }
    key = context.key("table 5", link, {name: len(body) for name, body in bodies.items()})
    return dict(context.finished.once(key, lambda: asyncio.run(arrivals(link, bodies))))


async def arrivals(link: Link, bodies: Mapping[str, bytes]) -> Times:
    """Median seconds from the begin of a request until its whole body has arrived, over one open connection."""
    arrived: list[float] = []

    async def read(request: web.Request) -> web.Response:
        await request.read()
        arrived.append(time.perf_counter())
        return web.Response(status=204)

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/", read)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with TcpProxy("127.0.0.1", port) as proxy, aiohttp.ClientSession() as http:
            proxy.latency, proxy.rate = link.latency, link.rate
            return {name: await _median(http, proxy.url, body, arrived) for name, body in bodies.items()}
    finally:
        await runner.cleanup()


async def _median(http: aiohttp.ClientSession, url: str, body: bytes, arrived: list[float]) -> float:
    taken = []
    for turn in range(_SENT + 1):
        began = time.perf_counter()
        async with http.post(url, data=body) as reply:
            reply.raise_for_status()
        if turn:  # the first one opens the connection
            taken.append(arrived[-1] - began)
    return float(np.median(taken))


def _clip_speeds(context: Context, link: Link) -> Times:
    """Frames a second by way."""

    def speeds() -> Times:
        frames = frames_of(context.material.clips[0], *_shape(context.sizes[-1]), 20 if context.quick else _FRAMES)
        clip = write_clip(context.scratch / "clip.mp4", frames, 30)
        # The better of two: whatever only the first run pays must not count for or against a link.
        return {way: max(_speed(context, link, clip, way) for _ in range(turns)) for way, turns in _TURNS.items()}

    return dict(context.finished.once(context.key("table 5, clip, full size", link, _FRAMES, _INTERVAL), speeds))


def _shape(size: Size) -> tuple[int, int]:
    return size.width, size.height


def _speed(context: Context, link: Link, clip: Path, way: str) -> float:
    options = DeviceOptions(interval=_INTERVAL, preset="ultrafast", overwrite=True)
    if way == PAPER:
        options = replace(options, propagation="warp", proxy_size=context.sizes[-1].long_side)
    style = Style.of_photo(context.material.style(0))
    output = context.scratch / "stylized.mp4"
    with (
        edge_process("--release", str(context.release)) as edge,
        _behind(link, edge.url) as url,
        EdgeStylizer(url, timeout=300, patience=300) as stylizer,
    ):
        began = time.perf_counter()
        done = stylize_video(clip, style, output, stylizer, options)
        return done.frames / (time.perf_counter() - began)


@contextmanager
def _behind(link: Link, url: str) -> Iterator[str]:
    """The address of a server behind a link; the proxy has a thread and an event loop of its own."""
    if link is _NO_LINK:
        yield url
        return
    host, port = url.removeprefix("http://").split(":")
    ready: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        async with TcpProxy(host, int(port)) as proxy:
            proxy.latency, proxy.rate = link.latency, link.rate
            over = asyncio.Event()
            ready.set_result((proxy.url, asyncio.get_running_loop(), over))
            await over.wait()

    thread = Thread(target=lambda: asyncio.run(live()), name="link")
    thread.start()
    address, loop, over = ready.result(10)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
