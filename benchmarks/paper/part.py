"""What every table and figure has in common: what it is measured on, and what it says at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.finished import Finished
from benchmarks.paper.material import Material
from mvstylizer.engine import Engine

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Size:
    """Of the paper's frames, in pixels."""

    width: int
    height: int

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def long_side(self) -> int:
        return max(self.width, self.height)


SIZES = (Size(512, 256), Size(768, 384), Size(1024, 512), Size(1920, 1080))
"""Of all the paper's tables."""
QUICK_SIZES = (Size(256, 128), Size(384, 192))


@dataclass(frozen=True)
class Context:
    """What a part is measured with."""

    material: Material
    engine: Engine
    release: Path
    """The directory of what the engine runs."""
    finished: Finished
    quick: bool
    """Small sizes and few frames: shows that everything works, and measures nothing that means anything."""
    scratch: Path
    """For files that are of no use afterwards."""

    @property
    def sizes(self) -> Sequence[Size]:
        return QUICK_SIZES if self.quick else SIZES

    def key(self, part: str, *about: object) -> str:
        """The name of a measurement: all that decides it, the release among it."""
        return " · ".join(map(str, (part, *about, self.material.name, self.engine.sha256, "quick" * self.quick)))


@dataclass(frozen=True)
class Comparison:
    """A line of the page that puts the paper beside us. Ratios are said in words, since what is good differs."""

    what: str
    paper: str
    ours: str
    ratio: str = ""


@dataclass(frozen=True)
class Report:
    """A part's page: Markdown, plots by file name, and its lines of the summary."""

    title: str
    lines: Sequence[str]
    plots: Mapping[str, Picture] = field(default_factory=dict)
    summary: Sequence[Comparison] = ()


Part = Callable[[Context], Report]
"""Measures a table or a figure, or what is left of it; raises MVStylizerError where it cannot."""


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Markdown."""
    return [f"| {' | '.join(map(str, row))} |" for row in (heads, ["---"] * len(heads), *rows)]
