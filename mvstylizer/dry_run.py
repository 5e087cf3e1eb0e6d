"""What stylizing a video would take: its beginning is tried, its key frames are counted, as far as time allows."""

import tempfile
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from mvstylizer.device import (
    DeviceOptions,
    KeyFrameStylizer,
    Picture,
    Progress,
    key_frame_selector,
    stylize_video,
)
from mvstylizer.pictures import encode_jpeg
from mvstylizer.styles import Style
from mvstylizer.video import VideoReader

TRIAL_SECONDS = 4.0
_TRIAL_FRAMES = 40
"""Fewer tell little, because the encoder holds some dozen back; twice the time may go by for them."""
_WARM_UP = 0.25
"""Of the trial; before, queues fill up, and frames seem to cost less than they do."""
_EDGE_QUALITY = 95
"""Of the JPEGs in which key frames travel both ways."""


@dataclass(frozen=True)
class Estimate:
    """What one video takes, scaled up from the ``tried_frames`` that were stylized."""

    frames: int
    tried_frames: int
    key_frames: int
    counted_frames: int
    """Frames in which key frames were counted; if that is not all, their number is scaled up too."""
    seconds: float
    output_bytes: int
    """Of the picture, and of all tracks where it is counted."""
    bytes_up: int
    """What key frames weigh on their way to an edge, and back."""
    bytes_down: int


def estimate(
    source: Path,
    style: Style,
    stylizer: KeyFrameStylizer,
    options: DeviceOptions,
    suffix: str = ".mp4",
    trial_seconds: float = TRIAL_SECONDS,
) -> Estimate:
    """Stylize ``source`` for ``trial_seconds`` into a temporary folder, which is gone afterwards, and scale that up.

    Counting key frames, for which the video is only decoded, takes as long again at most.
    ``suffix`` is that of the output. Raises what ``stylize_video`` does for the source, the style and the stylizer.
    """
    with tempfile.TemporaryDirectory(prefix="mvstylizer-") as folder:
        weighed = _WeighedStylizer(stylizer)
        trial = _Trial(Path(folder), trial_seconds)
        output = Path(folder) / f"trial{suffix}"
        try:
            done = stylize_video(source, style, output, weighed, options, trial.report)
        except _EnoughError:
            return trial.scaled_up(weighed, _count(source, options, trial_seconds), source.stat().st_size)
        seconds = time.monotonic() - trial.begin
        size = output.stat().st_size
        frames, keys = done.frames, done.key_frames
        return Estimate(frames, frames, keys, frames, seconds, size, weighed.up, weighed.down)


@dataclass(frozen=True)
class _Count:
    frames: int
    key_frames: int
    is_all: bool


def _count(source: Path, options: DeviceOptions, seconds: float) -> _Count:
    """Key frames from the beginning on, until time is up."""
    frames = keys = 0
    end = time.monotonic() + seconds
    with VideoReader(source, options.proxy_size) as reader:
        selector = key_frame_selector(options, reader.info)
        for frame in reader:
            if time.monotonic() > end:
                return _Count(frames, keys, is_all=False)
            keys += selector.decide(frame.proxy, frame.is_key).is_key
            frames += 1
    return _Count(frames, keys, is_all=True)


class _EnoughError(Exception):
    """The trial has run for long enough."""


@dataclass(frozen=True)
class _Mark:
    time: float
    frames: int
    bytes: int


class _Trial:
    """Takes the time of a run and the size of what it leaves in ``folder``, and ends it."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.begin = time.monotonic()
        self._folder, self._seconds = folder, seconds
        self._marks: list[_Mark] = []
        self._last = Progress(0, None, 0)

    def report(self, progress: Progress) -> None:
        self._last = progress
        if not self._marks:
            self._mark()
        passed = time.monotonic() - self._marks[0].time
        if len(self._marks) == 1 and passed > _WARM_UP * self._seconds and _size(self._folder) > self._marks[0].bytes:
            self._mark()
        is_enough = passed > self._seconds and progress.frames >= _TRIAL_FRAMES
        # A video that is all but done tells more when it is done.
        if (is_enough or passed > 2 * self._seconds) and progress.total != progress.frames:
            self._mark()
            raise _EnoughError

    def scaled_up(self, weighed: "_WeighedStylizer", count: _Count, source_bytes: int) -> Estimate:
        begun, (early, late) = self._marks[0], self._marks[-2:]
        total = count.frames if count.is_all else max(self._last.total or 0, self._last.frames, count.frames)
        share = total / max(1, late.frames - early.frames)
        keys = max(1, round(count.key_frames * total / max(1, count.frames)))
        grown = late.bytes - early.bytes
        return Estimate(
            frames=total,
            tried_frames=self._last.frames,
            key_frames=keys,
            counted_frames=count.frames,
            seconds=begun.time - self.begin + (late.time - early.time) * share,
            # On a slow machine the encoder may still hold all that it got: the source is the better guess then.
            output_bytes=round(grown * share) if grown > 0 else source_bytes,
            bytes_up=round(weighed.up / max(1, weighed.submitted) * keys),
            bytes_down=round(weighed.down / max(1, weighed.answered) * keys),
        )

    def _mark(self) -> None:
        self._marks.append(_Mark(time.monotonic(), self._last.frames, _size(self._folder)))


class _WeighedStylizer:
    """Another stylizer, whose key frames are weighed as the JPEGs that travel to an edge and back."""

    def __init__(self, stylizer: KeyFrameStylizer) -> None:
        self._stylizer = stylizer
        self.submitted = self.answered = self.up = self.down = 0

    @property
    def identity(self) -> str:
        return self._stylizer.identity

    def set_style(self, style: Style) -> None:
        self._stylizer.set_style(style)

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        answer = self._stylizer.submit(proxy, r)
        self.submitted += 1
        self.up += len(encode_jpeg(proxy, _EDGE_QUALITY))
        answer.add_done_callback(self._weigh)
        return answer

    def close(self) -> None:
        """Whoever made the other one closes it."""

    def _weigh(self, answer: Future[Picture]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self.answered += 1
            self.down += len(encode_jpeg(answer.result(), _EDGE_QUALITY))


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            # The writer has renamed or removed it meanwhile.
            continue
    return total
