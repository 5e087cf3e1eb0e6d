"""Still pictures: style photos and previews, in and out of files and bytes."""

import io
import warnings
from os import PathLike
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mvstylizer import durable
from mvstylizer.errors import InputError, UsageError
from mvstylizer.video.frame import proxy_shape

MAX_PIXELS = 50_000_000
_READABLE = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_WRITABLE = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_JPEG_QUALITY = 95


def read_picture(source: str | PathLike[str] | bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The picture (H, W, 3) uint8 RGB in a JPEG, PNG, WebP, BMP or TIFF file (or in its bytes).

    Turned as its EXIF says; transparency lies on white; grey, palette, 16-bit and CMYK become RGB; of several
    frames or pages the first. Raises InputError: no such file, not such a picture, damaged, more than
    ``max_pixels`` (read from the header, before anything is decoded).
    """
    if isinstance(source, bytes):
        return decode_picture(source, max_pixels)
    path = Path(source)
    try:
        return decode_picture(path.read_bytes(), max_pixels, str(path))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the name") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the name of a picture file") from error


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS, name: str = "picture") -> NDArray[np.uint8]:
    """``read_picture`` for bytes; ``name`` is what messages call them. Raises InputError."""
    # Pillow's own warning about large pictures; the check below is stricter and knows our limit.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=_READABLE) as picture:
                if picture.width * picture.height > max_pixels:
                    raise _too_large(name, f"{picture.width}x{picture.height}", max_pixels)
                return _rgb(ImageOps.exif_transpose(picture))
        except UnidentifiedImageError as error:
            raise InputError(f"{name}: not a picture; give a JPEG, PNG, WebP, BMP or TIFF") from error
        except Image.DecompressionBombError as error:
            raise _too_large(name, "the picture", max_pixels) from error
        # Pillow's decoders raise nearly anything on damaged data.
        except (
            OSError,
            SyntaxError,
            ValueError,
            EOFError,
            KeyError,
            IndexError,
            TypeError,
            ArithmeticError,
        ) as error:
            raise InputError(f"{name}: damaged picture ({error}); get a complete copy") from error


def write_picture(
    path: str | PathLike[str], rgb: NDArray[np.uint8], quality: int = _JPEG_QUALITY, overwrite: bool = False
) -> None:
    """Write (H, W, 3) uint8 RGB as .jpg, .png or .webp, whole or not at all.

    ``quality`` 1..100 is for JPEG and WebP. Raises UsageError for another extension, OutputError and
    NoSpaceError as ``durable.replacing`` does.
    """
    target = Path(path)
    refuse_picture_target(target, overwrite)
    durable.write_bytes(target, _encode(rgb, _WRITABLE[target.suffix.lower()], quality), overwrite)


def refuse_picture_target(target: Path, overwrite: bool) -> None:
    """Raise what ``write_picture`` would raise for its target, before any work is done for it."""
    if target.suffix.lower() not in _WRITABLE:
        raise UsageError(f"{target}: cannot tell the format; end the name in .jpg, .png or .webp")
    durable.refuse_target(target, overwrite)


def encode_jpeg(rgb: NDArray[np.uint8], quality: int = _JPEG_QUALITY) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG, quality 1..100; chroma is kept at full size from 90 on."""
    return _encode(rgb, "JPEG", quality)


def encode_png(rgb: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 RGB as PNG, without loss."""
    return _encode(rgb, "PNG", 0)


def fit_within(rgb: NDArray[np.uint8], long_side: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 scaled down until its long side is ``long_side``, areas averaged; never enlarged."""
    height, width = proxy_shape(rgb.shape[0], rgb.shape[1], long_side)
    if (height, width) == rgb.shape[:2]:
        return rgb
    return cast(NDArray[np.uint8], cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA))


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _from_deep_grey(np.asarray(picture))
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        picture = Image.alpha_composite(white, rgba)
    return np.array(picture.convert("RGB"), np.uint8)


def _from_deep_grey(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit grey by its high byte; float grey as 0..1, as scanners and renderers write it."""
    values = grey.astype(np.float64) * 255 if grey.dtype.kind == "f" else grey.astype(np.float64) / 257
    codes = np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8)
    return np.repeat(codes[..., np.newaxis], 3, axis=2)


def _encode(rgb: NDArray[np.uint8], kind: str, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    if kind == "PNG":
        picture.save(buffer, kind)
    elif kind == "JPEG":
        picture.save(buffer, kind, quality=quality, subsampling=0 if quality >= 90 else 2)
    else:
        picture.save(buffer, kind, quality=quality)
    return buffer.getvalue()


def _too_large(name: str, size: str, max_pixels: int) -> InputError:
    return InputError(f"{name}: {size} is too large; at most {max_pixels / 1e6:g} million pixels, scale it down first")
