"""One frame of a video: the one that a viewer sees at a given time, found without reading all before it."""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from os import PathLike
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from mvstylizer.errors import UsageError
from mvstylizer.video.convert import FrameConverter
from mvstylizer.video.frame import Frame
from mvstylizer.video.info import MAX_PIXELS, VideoInfo, open_container, picture_stream
from mvstylizer.video.reader import VideoReader

_LEAD = Fraction(1)
"""Seconds: farther than frames are moved between decoding and showing, so that nothing the frame needs is missed."""
_SLACK = Fraction(2)
"""Seconds by which a container's word on its length may be wrong."""
# After a seek nobody can tell which frame of these is which: their packets have decoding times only.
_UNTIMED = ("avi",)


def still(path: str | PathLike[str], seconds: Fraction | None, proxy_size: int = 512) -> tuple[VideoInfo, Frame]:
    """The frame shown ``seconds`` after the video begins, as a player counts; None for the middle.

    Seeks, and where a file cannot be sought in, or what is found there makes no sense, reads from the start.

    Raises:
        InputError: the file is not a readable video.
        UsageError: the video is over by then.
    """
    with VideoReader(path, proxy_size) as reader:
        info = reader.info
        if seconds is None:
            seconds = (info.duration or Fraction(0)) / 2
        with closing(_Sought(info, seconds)) as sought:
            if info.duration is not None and seconds > info.duration + _SLACK:
                raise _too_late(info.path, seconds, info.duration)
            decoded = sought.frame()
            if decoded is None:
                return info, _read_until(reader, sought.begin, seconds)
            planes, proxy = FrameConverter(info.colour, proxy_size).planes_and_proxy(decoded)
            return info, Frame(*planes, decoded.pts or 0, decoded.key_frame, proxy)


class _Sought:
    """A second look into the file of ``info``, near ``seconds``."""

    def __init__(self, info: VideoInfo, seconds: Fraction) -> None:
        self._info, self._seconds = info, seconds
        self._container = open_container(info.path)
        # Below 0 lies what a sound encoder puts before the sound; players count from 0 all the same.
        self.begin = max(Fraction(0), Fraction(self._container.start_time or 0, av.time_base))

    def close(self) -> None:
        self._container.close()

    def frame(self) -> VideoFrame | None:
        """The frame that is shown at the time; None where seeking does not lead there for certain."""
        if self._seconds < _LEAD or self._container.format.name in _UNTIMED:
            return None
        try:
            return self._shown(_decoded_from(self._container, self._info, self.begin + self._seconds - _LEAD))
        except (av.FFmpegError, OSError):
            return None

    def _shown(self, frames: Iterator[VideoFrame]) -> VideoFrame | None:
        shown: VideoFrame | None = None
        wanted = (self.begin + self._seconds) / self._info.time_base
        for frame in frames:
            if frame.pts is None or (frame.width, frame.height) != (self._info.width, self._info.height):
                return None
            if frame.pts > wanted:
                return None if shown is None or shown.is_corrupt else shown
            shown = frame
        if shown is not None and shown.pts is not None:
            length = shown.duration * self._info.time_base or 1 / self._info.frame_rate
            _refuse_too_late(self._info, self.begin, self._seconds, shown.pts, length)
        return shown


def _decoded_from(container: InputContainer, info: VideoInfo, time: Fraction) -> Iterator[VideoFrame]:
    stream = picture_stream(container, info.path)
    stream.thread_type = av.codec.context.ThreadType.AUTO
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    container.seek(int(time / info.time_base), stream=stream)
    yield from container.decode(stream)


def _read_until(reader: VideoReader, begin: Fraction, seconds: Fraction) -> Frame:
    info = reader.info
    wanted = (begin + seconds) / info.time_base
    frames = iter(reader)
    shown = next(frames)
    for frame in frames:
        if frame.pts > wanted:
            return shown
        shown = frame
    _refuse_too_late(info, begin, seconds, shown.pts, 1 / info.frame_rate)
    return shown


def _refuse_too_late(info: VideoInfo, begin: Fraction, seconds: Fraction, last: int, length: Fraction) -> None:
    end = last * info.time_base + length - begin
    if seconds > end:
        raise _too_late(info.path, seconds, end)


def _too_late(path: Path, seconds: Fraction, end: Fraction) -> UsageError:
    # Rounded down, so that what the message names is possible.
    return UsageError(f"{path}: is over at {int(end * 100) / 100:g} s, before {float(seconds):g} s; choose less")
