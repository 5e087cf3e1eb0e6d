"""All of the source that is not its picture: sound, subtitles, attachments, cover, chapters, metadata."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import lcm

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream

from mvstylizer.errors import UsageError
from mvstylizer.video.info import OtherStream, VideoInfo, open_container, other_stream, picture_stream

_COPIED = ("audio", "subtitle", "attachment")
# Written anew by the muxer, or no longer true of the new file.
_STALE = ("major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id", "duration", "bps")
_STALE_PREFIXES = ("number_of_", "_statistics_", "duration-", "bps-")
_APPLE_KEYS = "com.apple.quicktime."
_COVER_TYPES = {"mjpeg": "image/jpeg", "png": "image/png"}
_MILLISECONDS = 1000
_DURATION_FROM_ZERO = ("matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2")
_MAX_TIMESCALE = 2**31 - 1


class OtherTracks:
    """A second demuxer over the source that hands its other tracks on, packet for packet, as time passes.

    ``left_out`` lists the streams that are not copied: further pictures, and data such as GPS. A cover picture becomes
    an attachment where the container keeps covers so; a time code goes along as metadata.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._path = info.path
        self._source = open_container(self._path)
        self._picture = picture_stream(self._source, info.path)
        self._targets: dict[int, Stream] = {}
        self._pending: Packet[Stream] | None = None
        self._packets: Iterator[Packet[Stream]] = iter(())
        self.left_out: tuple[OtherStream, ...] = ()

    def close(self) -> None:
        """Release the source."""
        self._source.close()

    def attach(self, output: OutputContainer, add_picture: Callable[[], Stream]) -> None:
        """Give ``output`` the source's tracks in the source's order, its chapters and its metadata.

        Raises UsageError for a track that the container of ``output`` cannot hold.
        """
        left_out = []
        chapters = self._source.chapters()
        for stream in self._source.streams:
            if stream.index == self._picture.index:
                _copy_description(stream, add_picture())
            elif self._is_copied(stream, output):
                self._targets[stream.index] = self._attach_one(stream, output)
            elif _is_cover(stream) and self._attach_cover(stream, output):
                continue
            # mp4 keeps chapters as such a track too; they are copied as chapters.
            elif not (chapters and other_stream(stream).codec == "bin_data") and not self._is_time_code(stream):
                left_out.append(other_stream(stream))
        self.left_out = tuple(left_out)
        output.metadata.update(_lasting(self._source.metadata))
        if chapters:
            output.set_chapters(chapters)
        if self._targets:  # demux() of no streams means all of them
            self._packets = self._source.demux([self._source.streams[index] for index in self._targets])

    def advance(self, output: OutputContainer, until: Fraction | None) -> None:
        """Mux all packets up to ``until`` seconds of the source (None: all that are left)."""
        while (packet := self._pending or next(self._packets, None)) is not None:
            self._pending = None
            if packet.size == 0 and packet.dts is None:
                continue
            if until is not None and _time(packet) > until:
                self._pending = packet
                return
            if self._targets[packet.stream_index].type != "attachment":
                packet.stream = self._targets[packet.stream_index]
                output.mux(packet)

    def movie_timescale(self) -> int:
        """Units per second in which an mp4 can say exactly when each track starts; 1000 if that will do."""
        starts = [(stream.start_time or 0) * stream.time_base for stream in self._source.streams if stream.time_base]
        exact = lcm(_MILLISECONDS, *(start.denominator for start in starts))
        picture = ((self._picture.start_time or 0) * (self._picture.time_base or Fraction(1))).denominator
        return exact if exact <= _MAX_TIMESCALE else picture

    def picture_end(self) -> Fraction | None:
        """Seconds at which the source's last frame ends, where its container says so."""
        picture = self._picture
        is_alone = all(stream.index == picture.index for stream in self._source.streams)
        if is_alone and self._source.duration and self._source.format.name in _DURATION_FROM_ZERO:
            return Fraction(self._source.duration, av.time_base)
        # In mp4 this comes from decoding times, and can be short of variable frame rates.
        if picture.duration is None or picture.time_base is None:
            return None
        return ((picture.start_time or 0) + picture.duration) * picture.time_base

    def counts(self) -> dict[str, int]:
        """How many sound, subtitle and attachment tracks are copied."""
        types: list[str] = [stream.type for stream in self._targets.values()]
        return {kind: types.count(kind) for kind in _COPIED}

    def mov_flags(self) -> str:
        """The muxer's flags for mp4 and mov: index first, and the keys of Apple's cameras if the source has them."""
        has_keys = any(key.startswith(_APPLE_KEYS) for key in self._source.metadata)
        return "+faststart+use_metadata_tags" if has_keys else "+faststart"

    def _is_copied(self, stream: Stream, output: OutputContainer) -> bool:
        return stream.type in _COPIED or (_is_cover(stream) and output.format.name != "matroska")

    def _is_time_code(self, stream: Stream) -> bool:
        """Whether this is the picture's own time code, which the muxers write again from its metadata."""
        code = stream.metadata.get("timecode")
        return stream.type == "data" and code is not None and code == self._picture.metadata.get("timecode")

    def _attach_cover(self, stream: Stream, output: OutputContainer) -> bool:
        kind = _COVER_TYPES.get(other_stream(stream).codec)
        with open_container(self._path) as source:
            packets = source.demux(source.streams[stream.index])
            picture = next((bytes(packet) for packet in packets if packet.size), None)
        if kind is None or picture is None:
            return False
        name = stream.metadata.get("filename", f"cover.{kind.removeprefix('image/').replace('jpeg', 'jpg')}")
        output.add_attachment(name, kind, picture)
        return True

    def _attach_one(self, stream: Stream, output: OutputContainer) -> Stream:
        try:
            if isinstance(stream, AttachmentStream) and output.format.name != "matroska":
                raise ValueError("only Matroska holds attachments")
            target = output.add_stream_from_template(stream, opaque=True)
        except (ValueError, av.FFmpegError) as error:
            other = other_stream(stream)
            raise UsageError(
                f"{self._path}: {other.type} track {other.index} ({other.codec}) does not fit into "
                f"{output.format.name}; name the output {_better_name(other)} to keep it"
            ) from error
        _copy_description(stream, target)
        return target


def _is_cover(stream: Stream) -> bool:
    return stream.type == "video" and bool(stream.disposition & Disposition.attached_pic)


def _better_name(track: OtherStream) -> str:
    return "-o NAME.mp4" if track.codec == "mov_text" else "-o NAME.mkv"


def _copy_description(stream: Stream, target: Stream) -> None:
    metadata = _lasting(stream.metadata)
    if "name" in metadata:
        # What mp4 calls a track's name on reading, the muxers take as its title.
        metadata.setdefault("title", metadata.pop("name"))
    target.metadata.update(metadata)
    target.disposition = stream.disposition


def _lasting(metadata: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _STALE and not key.lower().startswith(_STALE_PREFIXES)
    }


def _time(packet: "Packet[Stream]") -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if stamp is None else stamp * packet.time_base
