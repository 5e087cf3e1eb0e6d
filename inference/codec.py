"""Pictures on the wire: bytes that a client sent to RGB and back, refusing bombs by their header.

Everything here takes milliseconds of computing and belongs off the event loop.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.errors import ApiError
from mvstylizer.errors import InputError
from mvstylizer.pictures import decode_picture, encode_jpeg, encode_png

_FORMATS = ("JPEG", "PNG", "WEBP")


def check_header(data: bytes, max_pixels: int, r: float = 1.0) -> None:
    """Refuse what is no JPEG, PNG or WebP (422), or has too many pixels before or after scaling by r (413).

    Reads the header only.
    """
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as picture:
            width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(max_pixels) from None
    except Exception as error:  # Pillow's parsers raise whatever a hostile header leads them to
        raise _undecodable() from error
    if max(1.0, r * r) * width * height > max_pixels:
        raise _too_large(max_pixels)
    if min(round(r * width), round(r * height)) < 1:
        raise ApiError(422, "too-small", f"{width}×{height} pixels times r = {r:g} leave nothing")


def decode(data: bytes, max_pixels: int, r: float = 1.0) -> NDArray[np.uint8]:
    """A client's picture as ``(H, W, 3)`` uint8 RGB; raises ApiError 413 or 422, see ``check_header``."""
    check_header(data, max_pixels, r)
    try:
        return decode_picture(data, max_pixels)
    except InputError as error:
        raise _undecodable() from error


def encode(picture: NDArray[np.uint8], form: str, quality: int) -> bytes:
    """``(H, W, 3)`` uint8 RGB as bytes of the form ``jpeg`` or ``png``."""
    return encode_png(picture) if form == "png" else encode_jpeg(picture, quality)


def _too_large(max_pixels: int) -> ApiError:
    return ApiError(413, "too-many-pixels", f"the picture has, or would have, more than {max_pixels} pixels")


def _undecodable() -> ApiError:
    return ApiError(422, "undecodable", "the body is no whole JPEG, PNG or WebP picture")
