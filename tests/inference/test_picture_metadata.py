"""Pictures that hold more than a picture are told from those that do not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from inference.picture_metadata import is_picture_only
from mvstylizer.pictures import encode_jpeg, encode_png

_PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def saved(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_PIXELS).save(file, form, **options)
    return file.getvalue()


def exif() -> bytes:
    """Where a picture was taken."""
    tags = Image.Exif()
    tags[0x010F] = "a camera"
    tags.get_ifd(0x8825)[1] = "N"
    return tags.tobytes()


def noted() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "somebody")
    return info


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PLAIN = {
    "what the device sends": encode_jpeg(_PIXELS, 95),
    "what the device sends as png": encode_png(_PIXELS),
    "progressive": saved("JPEG", progressive=True, quality=30),
    "with restarts": saved("JPEG", restart_marker_blocks=2),
    "grey": saved("JPEG", quality=1),
    "jpeg profile": saved("JPEG", icc_profile=PROFILE),
    "png profile": saved("PNG", icc_profile=PROFILE),
    "webp": saved("WEBP"),
    "exact webp": saved("WEBP", lossless=True),
    "webp profile": saved("WEBP", icc_profile=PROFILE),
}
MORE = {
    "jpeg exif": saved("JPEG", exif=exif()),
    "jpeg comment": saved("JPEG", comment=b"at home"),
    "jpeg xmp": saved("JPEG", xmp=b"<x/>"),
    "jpeg with a film behind it": encode_jpeg(_PIXELS, 95) + b"ftypmp42" + bytes(99),
    "jpeg with a jpeg behind it": 2 * encode_jpeg(_PIXELS, 95),
    "png exif": saved("PNG", exif=exif()),
    "png text": saved("PNG", pnginfo=noted()),
    "png with something behind it": encode_png(_PIXELS) + b"more",
    "webp exif": saved("WEBP", exif=exif()),
    "webp xmp": saved("WEBP", xmp=b"<x/>"),
    "webp with something behind it": saved("WEBP") + b"more",
    "another format": saved("BMP"),
    "nothing": b"",
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_picture_alone_passes(name: str) -> None:
    """With its colours' profile, in all ways that pictures are encoded."""
    assert is_picture_only(PLAIN[name])


@pytest.mark.parametrize("name", MORE)
def test_anything_more_does_not(name: str) -> None:
    """Places, devices, names, comments, films that hang on."""
    assert not is_picture_only(MORE[name])


@pytest.mark.parametrize("name", ["what the device sends", "png profile", "webp profile"])
def test_no_part_of_a_picture_passes(name: str) -> None:
    """However it is cut off, it is refused without an error."""
    data = PLAIN[name]
    assert [n for n in range(len(data)) if is_picture_only(data[:n])] == []
