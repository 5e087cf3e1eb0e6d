"""Reads a video frame by frame: planes, proxy and exact presentation time, in constant memory."""

from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from heapq import heappop, heappush
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from mvstylizer.errors import InputError
from mvstylizer.video.convert import FrameConverter
from mvstylizer.video.frame import Frame
from mvstylizer.video.info import MAX_PIXELS, describe, frame_rate, open_container, picture_stream
from mvstylizer.video.notices import source_notices

# A recording often lacks its very last packets; nobody misses them.
_TOLERATED_PACKETS = 2
# These write down how long they are, apart from the packets, so that a cut can be noticed; to what accuracy.
_PROMISED_DURATION = {
    "matroska,webm": Fraction(1, 10),
    "avi": Fraction(1, 2),
    "flv": Fraction(1, 2),
    "asf": Fraction(1, 2),
}
# Broadcasts are joined in the middle: what comes before the first key frame cannot be decoded.
_JOINED_MIDWAY = ("mpegts", "mpeg")
# Packets are timed by their place in the file, and frames that change places on decoding carry a wrong time along.
_TIMES_IN_FILE_ORDER = ("avi",)
# No codec lets more frames change places (H.264: max_dec_frame_buffering).
_MOST_REORDERED = 16


class VideoReader:
    """The frames of a video in presentation order; iterate once, and close (or use ``with``).

    ``proxy_size`` is the long side of ``Frame.proxy`` in pixels. Frames are not turned: ``info.rotation``
    says how a viewer does. Interlaced video is passed through as it is. Frames may be pulled in another
    thread, one at a time. The planes are read-only. ``notices`` says in a line each what an output cannot keep of
    the source's picture, and what may be wrong with it.

    Raises InputError when opening: no such file, a directory, not a video, no picture in it, HDR, no frame
    that can be decoded; and when iterating: the file is cut off or damaged at some second. A missing or
    broken last packet or two is no error.
    """

    def __init__(self, path: str | PathLike[str], proxy_size: int = 512) -> None:
        self._path = Path(path)
        self._container = open_container(self._path)
        try:
            self._stream = picture_stream(self._container, self._path)
            self._stream.thread_type = av.codec.context.ThreadType.AUTO
            self._stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            self._good_until = Fraction(0)
            swaps = self._container.format.name in _TIMES_IN_FILE_ORDER
            self._decoded = _with_rising_times(self._decode()) if swaps else self._decode()
            self._first = next(self._decoded, None)
            if self._first is None:
                raise InputError(f"{self._path}: holds not one frame that can be decoded; give another file")
            self.info = describe(self._path, self._container, self._stream, self._first)
            self.notices = source_notices(self.info, self._first, self._container.format.name)
            self._converter = FrameConverter(self.info.colour, proxy_size)
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and the decoder; frames already handed out stay valid."""
        self._decoded.close()
        self._first = None
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames_from(0)

    def frames_from(self, index: int) -> Iterator[Frame]:
        """The frames from ``index`` on. Those before are decoded, so that all times are the same, but no more."""
        if self._first is None:
            raise RuntimeError("a VideoReader can be iterated once; open the file again")
        first, self._first = self._first, None
        return self._frames(first, index)

    def _frames(self, first: VideoFrame, skipped: int) -> Iterator[Frame]:
        pts = self._pts(first, None)
        if skipped == 0:
            yield self._frame(first, pts)
        del first
        for index, decoded in enumerate(self._decoded, start=1):
            if (decoded.width, decoded.height) != (self.info.width, self.info.height):
                raise self._broken("the size of the picture changes")
            pts = self._pts(decoded, pts)
            if index >= skipped:
                yield self._frame(decoded, pts)

    def _frame(self, decoded: VideoFrame, pts: int) -> Frame:
        (y, u, v), proxy = self._converter.planes_and_proxy(decoded)
        return Frame(y, u, v, pts, decoded.key_frame, proxy)

    def _pts(self, decoded: VideoFrame, previous: int | None) -> int:
        """The frame's own time, or one step after the previous; in any case later than the previous."""
        step = max(1, round(1 / (self.info.frame_rate * self.info.time_base)))
        if previous is None:
            return decoded.pts if decoded.pts is not None else 0
        pts = decoded.pts if decoded.pts is not None else previous + step
        return max(pts, previous + 1)

    def _decode(self) -> Generator[VideoFrame, None, None]:
        """All frames that decode; raises InputError where the file breaks off before its end."""
        indexed, packets, failed, since = len(self._stream.index_entries), 0, 0, 0
        frames, end = 0, Fraction(0)
        for packet in self._packets():
            end = max(end, _end(packet))
            # Not packet.stream_index: the flush packets at the end have 0 there.
            if packet.stream.index != self._stream.index:
                continue
            is_flush = packet.size == 0 and packet.dts is None
            packets += not is_flush
            since += failed > 0 and not is_flush
            try:
                decoded = self._stream.decode(None if is_flush else packet)
            except av.FFmpegError:
                decoded = []
                failed += frames > 0 or self._container.format.name not in _JOINED_MIDWAY
            for frame in decoded:
                frames += 1
                self._note(frame)
                yield frame
            if frames and max(failed, since) > _TOLERATED_PACKETS:
                raise self._broken("what follows is damaged")
        self._check_complete(indexed - packets, end)

    def _packets(self) -> "Iterator[Packet[Stream]]":
        try:
            yield from self._container.demux()
        except av.FFmpegError as error:
            raise self._broken("what follows is damaged") from error

    def _note(self, frame: VideoFrame) -> None:
        if frame.pts is not None and self._stream.time_base is not None:
            self._good_until = max(self._good_until, (frame.pts + frame.duration) * self._stream.time_base)

    def _check_complete(self, missing_packets: int, end: Fraction) -> None:
        if missing_packets > _TOLERATED_PACKETS:
            raise self._broken(f"{missing_packets} frames are missing")
        promised = Fraction(self._container.duration or 0, av.time_base)
        slack: Fraction = _PROMISED_DURATION.get(self._container.format.name, promised)
        slack += (_TOLERATED_PACKETS + 1) / frame_rate(self._stream)
        if promised - end > slack:
            raise self._broken(f"the file says it lasts {float(promised):.1f} s")

    def _broken(self, what: str) -> InputError:
        second = float(self._good_until)
        return InputError(
            f"{self._path}: breaks off at {second:.1f} s ({what}); get a complete copy, or keep the rest: "
            f"ffmpeg -i IN -t {second:.1f} -c copy OUT.mkv"
        )


def _with_rising_times(frames: Iterator[VideoFrame]) -> Generator[VideoFrame, None, None]:
    """The same frames in the same order, with the same times put into order."""
    waiting: deque[VideoFrame] = deque()
    times: list[int] = []

    def next_timed() -> VideoFrame:
        frame = waiting.popleft()
        if frame.pts is not None:
            frame.pts = heappop(times)
        return frame

    for frame in frames:
        waiting.append(frame)
        if frame.pts is not None:
            heappush(times, frame.pts)
        if len(waiting) > _MOST_REORDERED:
            yield next_timed()
    while waiting:
        yield next_timed()


def _end(packet: "Packet[Stream]") -> Fraction:
    start = packet.pts if packet.pts is not None else packet.dts
    return Fraction(0) if start is None else (start + (packet.duration or 0)) * packet.time_base
