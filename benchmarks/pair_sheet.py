"""A contact sheet: a labelled column a method, a row a pair of photos or a frame."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mvstylizer import durable
from mvstylizer.pictures import encode_jpeg

_GAP = 4
_HEADER = 44
_MARGIN = 48
_PAPER = (250, 250, 248)
_INK = (40, 42, 48)

Picture = NDArray[np.uint8]


class PairSheet:
    """Collects a row a pair; pictures are RGB ``(H, W, 3) uint8`` of any size, kept only as small as they are shown.

    ``tile`` is the most that each gets, width and height; rows are folded into so many ``blocks`` side by side.
    """

    def __init__(self, tile: tuple[int, int] = (300, 200), blocks: int = 2, max_bytes: int = 1_500_000) -> None:
        self._tile, self._blocks, self._max_bytes = tile, blocks, max_bytes
        self._rows: dict[str, dict[str, Image.Image]] = {}

    def add(self, name: str, pictures: dict[str, Picture]) -> None:
        """A pair's row, pictures by the label of their column; all rows have the same labels."""
        tiles = {label: Image.fromarray(picture) for label, picture in pictures.items()}
        self._rows[name] = {n: ImageOps.contain(t, self._tile, Image.Resampling.LANCZOS) for n, t in tiles.items()}

    def write(self, path: Path) -> None:
        """Write it as a JPEG below ``max_bytes``, at the best quality that allows that.

        Raises:
            OutputError, NoSpaceError: it cannot be written.
        """
        sheet = np.asarray(self._laid_out())
        attempts = (encode_jpeg(sheet, quality) for quality in range(82, 20, -6))
        data = next((each for each in attempts if len(each) < self._max_bytes), encode_jpeg(sheet, 20))
        durable.write_bytes(path, data, overwrite=True)

    def _laid_out(self) -> Image.Image:
        names = list(self._rows)
        length = -(-len(names) // self._blocks)
        blocks = [self._block(names[start : start + length]) for start in range(0, len(names), length)]
        sheet = Image.new("RGB", (sum(b.width for b in blocks) + _GAP, blocks[0].height + _GAP), _PAPER)
        for number, block in enumerate(blocks):
            sheet.paste(block, (number * block.width, 0))
        return sheet

    def _block(self, names: list[str]) -> Image.Image:
        labels = list(self._rows[names[0]])
        tile_width, tile_height = self._tile
        width, height = tile_width + _GAP, tile_height + _GAP
        block = Image.new("RGB", (_MARGIN + len(labels) * width, _HEADER + len(names) * height), _PAPER)
        for column, label in enumerate(labels):
            _write(block, (_MARGIN + column * width + tile_width // 2, _HEADER // 2), label)
        for row, name in enumerate(names):
            _write(block, (_MARGIN // 2, _HEADER + row * height + tile_height // 2), name)
            for column, tile in enumerate(self._rows[name].values()):
                left, top = _MARGIN + column * width, _HEADER + row * height
                block.paste(tile, (left + (tile_width - tile.width) // 2, top + (tile_height - tile.height) // 2))
        return block


def _write(block: Image.Image, centre: tuple[int, int], text: str) -> None:
    ImageDraw.Draw(block).text(centre, text, _INK, ImageFont.load_default(size=28), anchor="mm")
