"""Whether a JPEG, PNG or WebP holds anything beside its picture: where it was taken, with what, by whom.

Read by the structure of the files alone. Only what is known to be harmless passes: a list of what is not would never be
whole. Sources: ITU-T T.81 annex B, the PNG specification (third edition) §11, RFC 9649 (WebP).
"""

from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = set(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP sBIT pHYs bKGD".split())
_WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}
# Frame headers (C0-CF hold DHT and DAC too), DQT, DRI, the start of a scan.
_JPEG_MARKERS = frozenset((*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDD))
_JPEG_APPLICATION = {0xE0: (b"JFIF\0",), 0xE2: (b"ICC_PROFILE\0",), 0xEE: (b"Adobe",)}


def is_picture_only(data: bytes) -> bool:
    """Whether a JPEG, PNG or WebP file holds nothing but a picture and its colour profile; False for other files."""
    try:
        if data.startswith(_PNG):
            return _is_plain_png(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _is_plain_webp(data)
        return data.startswith(b"\xff\xd8") and _is_plain_jpeg(data)
    except (IndexError, ValueError):
        return False


def _is_plain_png(data: bytes) -> bool:
    position, names = len(_PNG), list[bytes]()
    while position < len(data):
        names.append(data[position + 4 : position + 8])
        position += 12 + int.from_bytes(data[position : position + 4])
    return position == len(data) and names[-1:] == [b"IEND"] and set(names) <= _PNG_CHUNKS


def _is_plain_webp(data: bytes) -> bool:
    position, names = 12, set[bytes]()
    while position < len(data):
        names.add(data[position : position + 4])
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
    return position == len(data) == 8 + int.from_bytes(data[4:8], "little") and names <= _WEBP_CHUNKS


def _is_plain_jpeg(data: bytes) -> bool:
    return all(
        marker in _JPEG_MARKERS or segment.startswith(_JPEG_APPLICATION.get(marker, ()))
        for marker, segment in _jpeg_segments(data)
    )


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment; raises ValueError if the file does not end where the picture does."""
    position = 2
    while True:
        if data[position] != 0xFF:
            raise ValueError("no marker")
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker == 0xD9:
            break
        size = int.from_bytes(data[position + 2 : position + 4])
        if size < 2:
            raise ValueError("no segment")
        yield marker, data[position + 4 : position + 2 + size]
        position += 2 + size
        if marker == 0xDA:
            position = _end_of_scan(data, position)
    if position + 2 != len(data):
        raise ValueError("something follows the picture")


def _end_of_scan(data: bytes, position: int) -> int:
    """Where the marker lies that ends the scan's data; restarts and stuffed bytes belong to these."""
    while True:
        position = data.index(b"\xff", position)
        following = data[position + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7 and following != 0xFF:
            return position
        position += 1 if following == 0xFF else 2
