"""How much trouble to take: one word that stands for several settings, each of which can be given apart."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mvstylizer.keyframes import QualityName

DEFAULT_EFFORT = "balanced"


@dataclass(frozen=True)
class Effort:
    """What one word stands for; the names are those of the command line's options."""

    crf: int
    preset: str
    quality: "QualityName"


EFFORTS = {
    "draft": Effort(crf=26, preset="ultrafast", quality="draft"),
    DEFAULT_EFFORT: Effort(crf=18, preset="veryfast", quality="balanced"),
    "best": Effort(crf=14, preset="medium", quality="best"),
}


def apply_effort(options: argparse.Namespace) -> None:
    """Fill in every setting that neither an option nor a variable has given, and that is therefore None."""
    for name, value in vars(EFFORTS[options.effort]).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
