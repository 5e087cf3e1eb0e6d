"""Segments and the source's other tracks → one file, with the source's exact timing."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from mvstylizer.video.encoder import Encoding, add_picture
from mvstylizer.video.info import VideoInfo
from mvstylizer.video.segments import SegmentStore
from mvstylizer.video.tracks import OtherTracks
from mvstylizer.video.verify import Expected

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


def new_output(
    name: str, kind: str, info: VideoInfo, encoding: Encoding, tracks: OtherTracks
) -> tuple[OutputContainer, VideoStream]:
    """A container with all its tracks; nothing is written before its encoding starts.

    Raises UsageError for a track that the format ``kind`` cannot hold.
    """
    # Left to itself the muxer would move everything by the sound's priming, which starts before 0.
    options = {"avoid_negative_ts": "disabled"}
    if kind != "matroska":
        options = {"movflags": tracks.mov_flags(), "movie_timescale": str(tracks.movie_timescale())}
    output = av.open(name, "w", format=kind, container_options=options)
    streams: list[VideoStream] = []

    def picture() -> VideoStream:
        streams.append(add_picture(output, info, encoding))
        return streams[0]

    tracks.attach(output, picture)
    return output, streams[0]


def join(store: SegmentStore, kind: str, info: VideoInfo, encoding: Encoding, tracks: OtherTracks) -> Expected:
    """Write ``store.joined`` as a file of the format ``kind``; returns what it must hold."""
    timeline = _Timeline(store, info, tracks.picture_end())
    output, stream = new_output(str(store.joined), kind, info, encoding, tracks)
    try:
        output.start_encoding()
        for packet in timeline.packets(stream):
            # The other tracks keep pace with the picture, so that the muxer buffers little.
            tracks.advance(output, (packet.dts or 0) * info.time_base)
            output.mux(packet)
        tracks.advance(output, None)
        output.close()
    except BaseException:
        # It goes first, so that no index is written into it.
        store.joined.unlink(missing_ok=True)
        with suppress(av.FFmpegError, OSError):
            output.close()
        raise
    return timeline.expected(tracks)


class _Timeline:
    """When each picture of all segments is decoded and shown, and for how long."""

    def __init__(self, store: SegmentStore, info: VideoInfo, end: Fraction | None) -> None:
        self._store, self._info = store, info
        self._shown = sorted(packet.pts for segment in store.segments for packet in segment.packets)
        self._end = self._shown[-1] + self._last_duration(end)
        first = store.segments[0].packets
        self._first_dts = first[0].dts
        # So many pictures are decoded before the first is shown. Every segment's encoder says the same, but counts its
        # own pictures only: where the frame rate varies, one would begin to be decoded before the last has ended.
        self._delay = sum(packet.dts < self._shown[0] for packet in first)

    def packets(self, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
        """All pictures in the order of decoding."""
        following = dict(zip(self._shown, chain(self._shown[1:], [self._end]), strict=True))
        index, count = 0, len(self._shown)
        for segment, payloads in self._store.stored():
            for stored, data in zip(segment.packets, payloads, strict=True):
                packet = cast("Packet[VideoStream]", Packet(data))
                packet.stream, packet.time_base = stream, self._info.time_base
                packet.pts, packet.is_keyframe = stored.pts, stored.is_key
                packet.dts = stored.dts if segment.first == 0 else self._shown[index - self._delay]
                packet.duration = following[stored.pts] - stored.pts
                index += 1
                if index == count:
                    packet.duration = self._rest(packet.dts)
                yield packet

    def expected(self, tracks: OtherTracks) -> Expected:
        """What the file must hold."""
        first, last = (pts * self._info.time_base for pts in (self._shown[0], self._shown[-1]))
        return Expected(len(self._shown), first, last, tracks.counts())

    def _rest(self, dts: int) -> int:
        """Let the last packet fill the track.

        mp4 adds its length up from decoding times, and these fall short of the presentation where the frame rate
        varies and frames are reordered.
        """
        return max(1, self._end - self._shown[0] - (dts - self._first_dts))

    def _last_duration(self, end: Fraction | None) -> int:
        rest = 0 if end is None else round(end / self._info.time_base) - self._shown[-1]
        if rest > 0:
            return rest
        if len(self._shown) > 1:
            return self._shown[-1] - self._shown[-2]
        return max(1, round(1 / self._info.frame_rate / self._info.time_base))
