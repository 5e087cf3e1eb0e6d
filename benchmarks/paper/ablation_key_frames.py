"""Which frames are key frames: how many there are, and how near what the device shows comes to stylizing every frame.

MS-SSIM against the whole path (DNN + affine fit), over frames drawn by lot as in ``benchmarks.key_frames``. Nothing is
known of the end of a clip, as on the device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np

from benchmarks.footage import Footage, chosen
from benchmarks.key_frames import measure
from benchmarks.paper.ablation_propagation import Section
from benchmarks.paper.part import Comparison, Context, table
from mvstylizer.device import PROXY_SIZE
from mvstylizer.keyframes import DEFAULT_INTERVAL, KeyFrameSelector, QualityName
from mvstylizer.video import VideoReader

INTERVAL, ADAPTIVE = f"interval {DEFAULT_INTERVAL}", "adaptive, balanced (default)"
SELECTORS = (INTERVAL, "codec", "adaptive, draft", ADAPTIVE, "adaptive, best")
_FRAMES = 120
"""Of each clip, at most."""
_EVERY = 6
"""One in so many frames is measured."""
_QUICK_SIZE, _QUICK_FRAMES = 128, 24


@dataclass(frozen=True)
class Chosen:
    """A clip with the key frames of one selector: how many of how many frames, and the mean of 1 − MS-SSIM."""

    clip: str
    frames: int
    keys: int
    error: float


def selectors(context: Context) -> Section:
    """The table, a row a selector."""
    found: dict[str, list[Chosen]] = {name: [] for name in SELECTORS}
    for number in range(len(context.material.clips)):
        for name, each in _of_clip(context, number).items():
            found[name].append(each)
    lines = [
        "## Key frames",
        "",
        f"Up to {_frames(context)} frames of each of {len(context.material.clips)} clips, MS-SSIM of one in {_EVERY} "
        "against every frame through the whole path. `codec` takes the stream's own I-frames, and like `adaptive` a "
        "key frame after 45 frames without one.",
        "",
        *table(
            ("key frames", "in 100 frames", "MS-SSIM", "worst clip"), [_row(name, found[name]) for name in SELECTORS]
        ),
    ]
    ours = "; ".join(f"{rate(found[name]):.1f}, {1 - error(found[name]):.4f}" for name in (INTERVAL, ADAPTIVE))
    about = f"key frames in 100 frames, MS-SSIM: {INTERVAL}; {ADAPTIVE}"
    return lines, [Comparison(about, "interval only", ours)]


def rate(clips: Sequence[Chosen]) -> float:
    """Key frames in 100 frames."""
    return 100 * sum(each.keys for each in clips) / sum(each.frames for each in clips)


def error(clips: Sequence[Chosen]) -> float:
    """1 − MS-SSIM, mean over clips."""
    return float(np.mean([each.error for each in clips]))


def _row(name: str, clips: Sequence[Chosen]) -> tuple[object, ...]:
    worst = max(clips, key=lambda each: each.error)
    return name, f"{rate(clips):.1f}", f"{1 - error(clips):.4f}", f"{worst.clip}: {1 - worst.error:.4f}"


def _of_clip(context: Context, number: int) -> dict[str, Chosen]:
    """Each selector is measured once."""
    path = context.material.clips[number]
    read = cache(lambda: _read(context, number))

    def measured(name: str) -> list[object]:
        clip, codec_keys = read()
        found = measure(clip, chosen(clip.frames, selector(name), codec_keys), _EVERY)
        return [path.stem, len(clip.frames), found.keys, float(np.mean(found.errors))]

    def once(name: str) -> Chosen:
        key = context.key("ablations, key frames", path.name, name, _frames(context), _EVERY)
        return Chosen(*context.finished.once(key, lambda: measured(name)))

    return {name: once(name) for name in SELECTORS}


def selector(name: str) -> KeyFrameSelector:
    """The product's own of a row."""
    if name == INTERVAL:
        return KeyFrameSelector("interval", DEFAULT_INTERVAL)
    if name == "codec":
        return KeyFrameSelector("codec")
    qualities: dict[str, QualityName] = {"adaptive, draft": "draft", ADAPTIVE: "balanced", "adaptive, best": "best"}
    return KeyFrameSelector("adaptive", quality=qualities[name])


def _read(context: Context, number: int) -> tuple[Footage, set[int]]:
    """A clip at proxy size, and where its stream has I-frames."""
    path = context.material.clips[number]
    with VideoReader(path, _QUICK_SIZE if context.quick else PROXY_SIZE) as reader:
        # Only proxy and flag of a frame are kept: its planes would fill the memory.
        frames = [(frame.proxy, frame.is_key) for frame in islice(reader, _frames(context))]
    codec_keys = {index for index, (_, is_key) in enumerate(frames) if is_key}
    style = context.material.style(number)
    return Footage(path.stem, [proxy for proxy, _ in frames], style, context.engine), codec_keys


def _frames(context: Context) -> int:
    return _QUICK_FRAMES if context.quick else _FRAMES
