"""A contact sheet: frames of a video before and after, one row each, and the style photo beside them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mvstylizer.pictures import read_picture, write_picture
from mvstylizer.video import VideoReader, upright

Picture = NDArray[np.uint8]

_CELL = 480
_GAP = 10
_MARGIN = 28
_LABEL = 34
_PAPER = (250, 250, 248)
_INK = (40, 42, 48)
_FAINT = (130, 134, 142)


def contact_sheet(original: Path, stylized: Path, style: Path, output: Path, columns: int = 4) -> Path:
    """Write a PNG with ``columns`` frames of both videos, at equal times, to ``output`` and return that.

    Each video is read once, frame by frame; only the frames shown are kept.

    Raises:
        InputError: a video or the style photo cannot be read.
        OutputError, NoSpaceError: ``output`` cannot be written.
    """
    duration = _duration(original)
    times = [(column + 0.5) * duration / columns for column in range(columns)]
    rows = [_frames_at(path, times) for path in (original, stylized)]
    sheet = _lay_out(rows, times, Image.fromarray(read_picture(style)))
    write_picture(output, np.asarray(sheet), overwrite=True)
    return output


def _duration(path: Path) -> float:
    """Return how many seconds lie between the first and the last frame of the video at ``path``."""
    with VideoReader(path, proxy_size=16) as reader:
        if reader.info.duration is not None:
            return float(reader.info.duration)
        times = [float(frame.pts * reader.info.time_base) for frame in reader]
    return times[-1] - times[0]


def _frames_at(path: Path, times: list[float]) -> list[Picture]:
    """Return the first frame at or after each of ``times`` (rising, seconds from the first), or the last."""
    shown: list[Picture] = []
    with VideoReader(path, proxy_size=_CELL) as reader:
        start: int | None = None
        for frame in reader:
            start = frame.pts if start is None else start
            now = float((frame.pts - start) * reader.info.time_base)
            picture = upright(frame.proxy, reader.info.rotation)
            while len(shown) < len(times) and times[len(shown)] <= now:
                shown.append(picture)
            if len(shown) == len(times):
                break
    return shown + [picture] * (len(times) - len(shown))


def _lay_out(rows: list[list[Picture]], times: list[float], style: Image.Image) -> Image.Image:
    """Return the sheet: a labelled row for each of ``rows``, and ``style`` to the right of them."""
    height = max(picture.shape[0] for row in rows for picture in row)
    width = max(picture.shape[1] for row in rows for picture in row)
    below = _LABEL + height + _GAP
    style = ImageOps.contain(style, (_CELL, 2 * height + _LABEL + _GAP), Image.Resampling.LANCZOS)
    beside = _MARGIN + len(times) * (width + _GAP) + 2 * _GAP
    sheet = Image.new("RGB", (beside + style.width + _MARGIN, _MARGIN + 2 * below - _GAP + _MARGIN), _PAPER)
    for index, (row, label) in enumerate(zip(rows, ("Before", "After"), strict=True)):
        top = _MARGIN + index * below
        _write(sheet, (_MARGIN, top), label)
        for column, (picture, time) in enumerate(zip(row, times, strict=True)):
            left = _MARGIN + column * (width + _GAP)
            sheet.paste(Image.fromarray(picture), (left, top + _LABEL))
            _write(sheet, (left + width, top), f"{time:.1f} s", right=True)
    _write(sheet, (beside, _MARGIN), "Style photo")
    sheet.paste(style, (beside, _MARGIN + _LABEL))
    return sheet


def _write(sheet: Image.Image, corner: tuple[int, int], text: str, right: bool = False) -> None:
    """Write ``text`` into the label strip whose upper left (or, fainter, upper ``right``) corner is given."""
    place = (corner[0], corner[1] + _LABEL - 10)
    font = ImageFont.load_default(size=16 if right else 21)
    ImageDraw.Draw(sheet).text(place, text, _FAINT if right else _INK, font, anchor="rs" if right else "ls")
