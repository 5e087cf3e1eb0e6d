"""What will not be quite as it is in the source: a line each, for the user to know before looking at the result."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from av.video.frame import VideoFrame

from mvstylizer.video.info import OtherStream, VideoInfo, is_rgb

_WRITTEN_BITS = 8
_SAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (1, 2): "4:4:0", (4, 1): "4:1:1", (4, 4): "4:1:0"}
_BT2020, _UNSPECIFIED = 9, 2
# Packets of MPEG transport streams: plain, with Blu-ray's time codes, with error correction.
_TRANSPORT_PACKETS = (188, 192, 204)
_GIF_END = b"\x3b"
# More than two Ogg pages, of which each has at most 65,307 bytes.
_TAIL = 2**17
_OGG_HEADER = 27
_OGG_END_OF_STREAM = 4


def source_notices(info: VideoInfo, first: VideoFrame, container: str) -> tuple[str, ...]:
    """What the output cannot hold, or what may be wrong with the source, by its first frame and its file's end.

    ``container`` is the name of FFmpeg's demuxer. Each notice is a line without the file's name.
    """
    notices = [*_format_notices(info, first), *_shape_notices(info, first)]
    if info.tags.primaries == _BT2020 and info.tags.transfer == _UNSPECIFIED:
        notices.append("wide colour (BT.2020) that does not tell its transfer curve is taken for SDR")
    if _looks_cut_off(info.path, container):
        notices.append("the file does not end as it should; it may be cut off")
    return tuple(notices)


def left_out_notices(streams: Iterable[OtherStream]) -> tuple[str, ...]:
    """A line for each stream that is not copied (``VideoWriter.left_out``)."""
    return tuple(f"{each.type} track {each.index} ({each.codec}) is left out" for each in streams)


def _format_notices(info: VideoInfo, first: VideoFrame) -> Iterator[str]:
    if info.bit_depth > _WRITTEN_BITS:
        yield f"{info.bit_depth}-bit video is written with {_WRITTEN_BITS} bits"
    components = first.format.components
    if is_rgb(first):
        yield "RGB video is written as YUV 4:2:0"
    elif len(components) > 1:
        chroma = components[1]
        sampling = round(first.width / chroma.width), round(first.height / chroma.height)
        if sampling in _SAMPLINGS:
            yield f"{_SAMPLINGS[sampling]} colour is written as 4:2:0"
    if any(component.is_alpha for component in components):
        yield "transparency is left out"


def _shape_notices(info: VideoInfo, first: VideoFrame) -> Iterator[str]:
    even = info.width + info.width % 2, info.height + info.height % 2
    if even != (info.width, info.height):
        yield f"{info.width}x{info.height} is written as {even[0]}x{even[1]}, its edge repeated: 4:2:0 has even sizes"
    if first.interlaced_frame:
        yield (
            "interlaced video is passed on line by line, marked as progressive; if combs show, deinterlace it first: "
            "ffmpeg -i IN -vf bwdif -c:a copy OUT.mp4"
        )


def _looks_cut_off(path: Path, container: str) -> bool:
    """For containers that neither count frames nor tell a duration: whether the file ends in the middle."""
    if container == "mpegts":
        size = path.stat().st_size
        return all(size % packet for packet in _TRANSPORT_PACKETS)
    if container == "ogg":
        return not _ends_with_last_ogg_page(_tail(path))
    return container == "gif" and _tail(path)[-1:] != _GIF_END


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read()


def _ends_with_last_ogg_page(tail: bytes) -> bool:
    """Whether the last page is whole and marked as the last of its stream (RFC 3533, section 6)."""
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _OGG_HEADER:
        return False
    segments = page[_OGG_HEADER : _OGG_HEADER + page[26]]
    is_whole = len(page) >= _OGG_HEADER + len(segments) + sum(segments)
    return is_whole and bool(page[5] & _OGG_END_OF_STREAM)
