"""Still pictures: every usual kind becomes upright RGB; the rest is refused in one line."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mvstylizer.errors import InputError, OutputError, UsageError
from mvstylizer.pictures import (
    decode_picture,
    encode_jpeg,
    encode_png,
    fit_within,
    read_picture,
    write_picture,
)


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    y, x = np.mgrid[0:24, 0:32]
    return np.dstack([x * 7, y * 10, 255 - x * 4]).astype(np.uint8)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".webp"])
def test_written_pictures_come_back(tmp_path: Path, rgb: NDArray[np.uint8], suffix: str) -> None:
    """What is written is read again, exactly from PNG, nearly from JPEG and WebP."""
    path = tmp_path / f"a{suffix}"
    write_picture(path, rgb)
    error = np.abs(read_picture(path).astype(int) - rgb)
    assert error.max() == 0 if suffix == ".png" else error.mean() < 3
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_allowed_kinds_are_read(rgb: NDArray[np.uint8], kind: str) -> None:
    """JPEG, PNG, WebP, BMP and TIFF are read."""
    assert np.abs(decode_picture(saved(Image.fromarray(rgb), kind)).astype(int) - rgb).mean() < 6


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA", "RGBA"])
def test_all_modes_become_rgb(rgb: NDArray[np.uint8], mode: str) -> None:
    """Grey, palette, CMYK, black and white, with and without alpha: (H, W, 3) uint8."""
    picture = Image.fromarray(rgb).convert(mode)
    result = decode_picture(saved(picture, "TIFF" if mode == "CMYK" else "PNG"))
    assert result.shape == (24, 32, 3) and result.dtype == np.uint8
    expected = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(result - expected).mean() < 2


def test_transparency_lies_on_white() -> None:
    """Clear pixels are white whatever colour hides in them; half-clear ones are half-way."""
    pixels = np.array([[[10, 20, 30, 0], [0, 0, 0, 128], [10, 20, 30, 255]]], np.uint8)
    result = decode_picture(saved(Image.fromarray(pixels), "PNG"))
    assert result[0, 0].tolist() == [255, 255, 255]
    assert abs(int(result[0, 1, 0]) - 127) <= 1
    assert result[0, 2].tolist() == [10, 20, 30]


def test_sixteen_bits_become_eight() -> None:
    """16-bit grey keeps its brightness."""
    deep = np.array([[0, 32896, 65535]], np.uint16)
    assert decode_picture(saved(Image.fromarray(deep), "PNG"))[0, :, 1].tolist() == [0, 128, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(rgb: NDArray[np.uint8], orientation: int) -> None:
    """Whatever way the camera was held, the picture comes upright."""
    turned = {
        1: rgb, 2: rgb[:, ::-1], 3: rgb[::-1, ::-1], 4: rgb[::-1], 5: rgb.transpose(1, 0, 2),
        6: np.rot90(rgb), 7: rgb[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(rgb, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(turned)), "PNG", exif=exif)
    np.testing.assert_array_equal(decode_picture(data), rgb)


def test_files_that_are_no_pictures_are_named(tmp_path: Path, rgb: NDArray[np.uint8]) -> None:
    """A missing file, a directory, text, a GIF and half a JPEG: one line with the name and what is wrong."""
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "anim.png").write_bytes(saved(Image.fromarray(rgb), "GIF"))
    (tmp_path / "half.jpg").write_bytes(encode_jpeg(rgb)[:-200])
    (tmp_path / "empty.png").touch()
    for name, words in [
        ("none.jpg", "no such file"),
        (".", "cannot be read"),
        ("text.jpg", "not a picture"),
        ("anim.png", "not a picture"),
        ("half.jpg", "damaged"),
        ("empty.png", "not a picture"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            read_picture(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_garbage_never_gets_further_than_an_input_error(rgb: NDArray[np.uint8]) -> None:
    """Every truncation and many a flipped byte gives a picture or an InputError, nothing else."""
    random = np.random.default_rng(5)
    for data in (encode_jpeg(rgb), encode_png(rgb), saved(Image.fromarray(rgb), "TIFF")):
        for cut in range(0, len(data), 13):
            flipped = bytearray(data)
            flipped[cut] ^= int(random.integers(1, 256))
            for broken in (data[:cut], bytes(flipped)):
                try:
                    assert decode_picture(broken).shape[2] == 3
                except InputError as error:
                    assert "\n" not in str(error)


def test_a_bomb_is_refused_by_its_header() -> None:
    """A tiny file that claims 20000x20000 pixels is refused before anything is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    with pytest.raises(InputError, match="too large"):
        decode_picture(bomb)
    with pytest.raises(InputError, match="too large"):
        decode_picture(encode_png(np.zeros((10, 11, 3), np.uint8)), max_pixels=109)


def test_outputs_are_refused_like_videos(tmp_path: Path, rgb: NDArray[np.uint8]) -> None:
    """An existing file needs overwrite, an unknown ending is a usage error."""
    path = tmp_path / "a.png"
    write_picture(path, rgb)
    with pytest.raises(OutputError, match="exists already"):
        write_picture(path, rgb)
    write_picture(path, rgb[:5], overwrite=True)
    assert read_picture(path).shape == (5, 32, 3)
    with pytest.raises(UsageError, match="format"):
        write_picture(tmp_path / "a.gif", rgb)
    with pytest.raises(OutputError, match="no such directory"):
        write_picture(tmp_path / "no" / "a.png", rgb)


def test_fit_within_never_enlarges(rgb: NDArray[np.uint8]) -> None:
    """The long side becomes what was asked for, or stays when it is shorter."""
    assert fit_within(rgb, 16).shape == (12, 16, 3)
    assert fit_within(rgb, 64) is rgb
    assert fit_within(np.full((2, 900, 3), 9, np.uint8), 30).shape == (1, 30, 3)


def test_read_picture_takes_bytes(rgb: NDArray[np.uint8]) -> None:
    """Bytes are read like the file that holds them."""
    np.testing.assert_array_equal(read_picture(encode_png(rgb)), rgb)
