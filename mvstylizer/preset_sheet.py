"""A sheet that shows what presets look like: one picture as it is and in each of them, with their names."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mvstylizer.device import PROXY_SIZE, stylize_picture
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import UsageError
from mvstylizer.pictures import fit_within, refuse_picture_target, write_picture
from mvstylizer.styles import Picture, Style

COLUMNS = 4
_CELL = 360
_GAP = 10
_LABEL = 30
_QUALITY = 82
_PAPER = (250, 250, 248)
_INK = (40, 42, 48)


def write_sheet(target: Path, picture: Picture, engine: Engine, overwrite: bool = False) -> None:
    """Write ``picture``, RGB ``(H, W, 3) uint8``, in all presets of the engine's release as a jpg, png or webp.

    Raises:
        UsageError: the release has no presets.
        OutputError, NoSpaceError: ``target`` cannot be written.
    """
    if not engine.presets:
        raise UsageError(f"release {engine.version} has no presets to show; name one that has with --release")
    refuse_picture_target(target, overwrite)
    write_picture(target, _laid_out(_cells(fit_within(picture, PROXY_SIZE), engine)), _QUALITY, overwrite)


def _cells(picture: Picture, engine: Engine) -> dict[str, Picture]:
    """The picture and its looks by their labels."""
    stylizer = LocalStylizer(engine)
    try:
        looks = {name: stylize_picture(picture, Style.of_preset(name), stylizer) for name in engine.presets}
    finally:
        stylizer.close()
    return {label: fit_within(cell, _CELL) for label, cell in {"the picture itself": picture, **looks}.items()}


def _laid_out(cells: dict[str, Picture]) -> Picture:
    height, width = next(iter(cells.values())).shape[:2]
    columns = min(COLUMNS, len(cells))
    across, down = width + _GAP, height + _LABEL
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (_GAP + columns * across, rows * down + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=17)
    for index, (label, cell) in enumerate(cells.items()):
        left, top = _GAP + index % columns * across, index // columns * down
        draw.text((left, top + _LABEL - 8), label, _INK, font, anchor="ls")
        sheet.paste(Image.fromarray(cell), (left, top + _LABEL))
    return np.asarray(sheet)
