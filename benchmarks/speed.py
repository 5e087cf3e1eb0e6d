"""Where the device's time goes on a full-size clip, stage by stage, and how many frames a second come out.

``python -m benchmarks.speed`` writes ``speed.md`` and ``speed.png`` into benchmarks/results. Stages are timed one after
the other on the same frames (the whole runs them overlapped), so their sum is work, not waiting; ratios within one run
are what can be compared between machines.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED, machine
from benchmarks.plot import Bar, bar_plot
from mvstylizer.device import DeviceOptions, stylize_video
from mvstylizer.durable import write_bytes
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import MVStylizerError
from mvstylizer.flow import estimator, luma
from mvstylizer.pictures import fit_within, read_picture, write_picture
from mvstylizer.propagation import AffinePropagation
from mvstylizer.propagation.affine import SMALL_SIZE
from mvstylizer.styles import Style
from mvstylizer.video import Encoding, Frame, VideoInfo, VideoReader, VideoWriter
from mvstylizer.video.convert import FrameConverter
from mvstylizer.video.encoder import encoder_frame

FRAMES = 45
INTERVAL = 15
PRESETS = ("veryfast", "ultrafast")


def stage_times(clip: Path, style: NDArray[np.uint8], engine: Engine) -> dict[str, float]:
    """Milliseconds a frame of each stage; a key frame's own work under names that start with "key frame"."""
    times: dict[str, float] = {}
    code = engine.encode_style(style)
    with VideoReader(clip) as reader:
        frames: list[Frame] = []
        both = _milliseconds(lambda: frames.extend(islice(reader, FRAMES))) / FRAMES
        proxy = _proxy(frames[0], reader.info)
        times |= {"decode": both - proxy, "proxy": proxy}
        way = AffinePropagation(reader.info.colour, estimator("dis"))
        first, last = frames[0].proxy, frames[-1].proxy
        stylized = engine.stylize(first, code)
        times["key frame: DNN at proxy size"] = _milliseconds(lambda: engine.stylize(first, code), 5)
        times["key frame: fit of the field"] = _milliseconds(lambda: way.key(first, stylized), 5)
        times["key frame: DNN at full size"] = _full_size(frames[0], engine, code)
        before, after = way.key(first, stylized), way.key(last, engine.stylize(last, code))
        middle = frames[FRAMES // 2]
        flow = estimator("dis")
        small, other = (luma(fit_within(proxy, SMALL_SIZE)) for proxy in (middle.proxy, first))
        times["flow (two a frame)"] = 2 * _milliseconds(lambda: flow(small, other), 20)
        whole = _milliseconds(lambda: way.between(middle.proxy, before, after, 0.5), 20)
        times["propagate (without flow)"] = whole - times["flow (two a frame)"]
        look = way.between(middle.proxy, before, after, 0.5)
        times["apply to the full frame"] = _milliseconds(lambda: look.on_planes((middle.y, middle.u, middle.v)), 20)
        for preset in PRESETS:
            times[f"encode, x264 {preset}"] = _encode(reader, frames, preset)
    return times


def whole_speed(clip: Path, style: NDArray[np.uint8], engine: Engine, preset: str) -> float:
    """Frames a second of ``stylize_video`` from file to file."""
    with tempfile.TemporaryDirectory() as folder:
        stylizer = LocalStylizer(engine)
        began = time.perf_counter()
        options = DeviceOptions(interval=INTERVAL, preset=preset)
        done = stylize_video(clip, Style.of_photo(style), Path(folder) / "out.mp4", stylizer, options)
        seconds = time.perf_counter() - began
        stylizer.close()
    return done.frames / seconds


def _proxy(frame: Frame, info: VideoInfo) -> float:
    """What a decoded frame takes to be scaled down."""
    decoded = encoder_frame((frame.y, frame.u, frame.v), info, 0)
    converter = FrameConverter(info.colour, max(frame.proxy.shape))
    return _milliseconds(lambda: converter.planes_and_proxy(decoded), 20)


def _full_size(frame: Frame, engine: Engine, code: NDArray[np.float32]) -> float:
    """What stylizing a frame without any propagation or proxy would cost."""
    picture = np.repeat(frame.y[..., None], 3, axis=2)
    return _milliseconds(lambda: engine.stylize(picture, code), 3)


def _encode(reader: VideoReader, frames: list[Frame], preset: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with VideoWriter(Path(folder) / "out.mp4", reader, Encoding(preset=preset)) as writer:
            for frame in frames:
                writer.write((frame.y, frame.u, frame.v), frame.pts)
        return (time.perf_counter() - began) * 1000 / len(frames)


def _milliseconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Best of ``repeats``: what the work takes when nothing else runs."""
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1000


def table(times: dict[str, float], speeds: dict[str, float]) -> Iterator[str]:
    """Markdown of both measurements and the ratios that do not depend on the machine."""
    yield "| stage | ms a frame |"
    yield "|---|---|"
    for name, value in times.items():
        yield f"| {name} | {value:.1f} |"
    intermediate = sum(times[n] for n in ("flow (two a frame)", "propagate (without flow)", "apply to the full frame"))
    yield f"| **intermediate frame, flow included** | {intermediate:.1f} |"
    yield ""
    yield f"Full-size DNN ÷ intermediate frame: {times['key frame: DNN at full size'] / intermediate:.1f}"
    for preset, speed in speeds.items():
        yield f"Whole clip, key frame every {INTERVAL}, x264 {preset}: {speed:.1f} frames a second"


def split(times: dict[str, float]) -> list[Bar]:
    """What a frame's time is spent on, milliseconds by stage, for each preset; key frames shared out among all."""
    stages = {
        "decode": "decode",
        "proxy": "proxy",
        "flow": "flow (two a frame)",
        "field": "propagate (without flow)",
        "apply": "apply to the full frame",
    }
    key = times["key frame: DNN at proxy size"] + times["key frame: fit of the field"]
    parts = [(name, max(0.0, times[stage])) for name, stage in stages.items()]
    return [
        Bar(f"x264 {preset}", [*parts, ("encode", times[f"encode, x264 {preset}"]), ("key frames", key / INTERVAL)])
        for preset in PRESETS
    ]


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=SHARED / "clips" / "gsam2_car.mp4", help="1920x1080")
    parser.add_argument("--style", type=Path, default=SHARED / "styles" / "stylenas_content_10.jpg")
    parser.add_argument("--release", type=Path, help="default: the bundled one")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder to write to")
    options = parser.parse_args()
    engine = Engine(options.release)
    style = read_picture(options.style)
    times = stage_times(options.clip, style, engine)
    speeds = {preset: whole_speed(options.clip, style, engine, preset) for preset in PRESETS}
    lines = [
        "# Speed: a 1080p clip, `python -m benchmarks.speed`",
        "",
        *machine(),
        f"- {options.clip.name}, release {engine.version}",
        "",
        *table(times, speeds),
        "",
        "![How the time of a frame splits over the stages](speed.png)",
    ]
    print("\n".join(lines))
    write_bytes(options.results / "speed.md", ("\n".join(lines) + "\n").encode(), overwrite=True)
    title = f"The work on a frame of {options.clip.stem}, key frame every {INTERVAL}, in ms"
    write_picture(options.results / "speed.png", bar_plot(split(times), title), overwrite=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.speed: error: {error}")
