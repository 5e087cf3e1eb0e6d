"""A style: one photo or preset, or several of them by weight; and the command line's way of naming one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import InputError, UsageError
from mvstylizer.pictures import read_picture
from mvstylizer.presets import is_preset_name

Picture = NDArray[np.uint8]
StyleCode = NDArray[np.float32]

MAX_PARTS = 8
"""Photos and presets that one style may be blended of."""


@dataclass(frozen=True, eq=False)
class Part:
    """One photo, RGB ``(H, W, 3) uint8``, or the name of one preset, and its weight in the style."""

    look: Picture | str
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Style:
    """What key frames are to look like: one to ``MAX_PARTS`` parts, whose weights are scaled to the sum 1.

    Raises:
        UsageError: there are no parts or too many, a weight is not positive and finite, or a name is no preset's.
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.parts) <= MAX_PARTS:
            raise UsageError(f"a style of {len(self.parts)} parts is not possible; give 1 to {MAX_PARTS}")
        for part in self.parts:
            _check(part)
        weights = normalised([part.weight for part in self.parts])
        parts = tuple(Part(part.look, weight) for part, weight in zip(self.parts, weights, strict=True))
        object.__setattr__(self, "parts", parts)

    @classmethod
    def of_photo(cls, photo: Picture) -> "Style":
        """The style of one photo, RGB ``(H, W, 3) uint8``."""
        return cls((Part(photo),))

    @classmethod
    def of_preset(cls, name: str) -> "Style":
        """The style of one of the release's presets."""
        return cls((Part(name),))


def normalised(weights: Sequence[float]) -> list[float]:
    """Positive, finite weights scaled to the sum 1; a single one becomes exactly 1."""
    largest = max(weights)
    total = math.fsum(weight / largest for weight in weights)
    return [weight / largest / total for weight in weights]


def blended(codes: Sequence[StyleCode], weights: Sequence[float]) -> StyleCode:
    """The weighted mean of style codes ``(code_size,) float32``; of a single one, that very code."""
    shares = np.array(normalised(weights))
    return np.asarray(shares @ np.stack(codes).astype(np.float64), np.float32) if len(codes) > 1 else codes[0]


def unknown_preset(name: str, known: Sequence[str], owner: str) -> UsageError:
    """The error for a name that is neither a file's nor a preset's of ``owner``, such as "release 2026.11-1"."""
    has = f"it has {', '.join(known)}" if known else "it has none"
    return UsageError(f"there is no file {name!r}, and {owner} has no preset of that name ({has})")


@dataclass(frozen=True)
class NamedLook:
    """One ``--style`` as it was given: a photo's file or a preset's name, and a weight."""

    look: Path | str
    weight: float


def parse_look(text: str) -> NamedLook:
    """Read ``PHOTO[:WEIGHT]`` or ``PRESET[:WEIGHT]``; an existing file of the whole name or before the colon wins.

    Whether there is such a preset shows only where the release is known.

    Raises:
        InputError: there is no such file, and no preset can have that name.
        UsageError: the weight is not a positive, finite number.
    """
    if _is_file(text):
        return NamedLook(Path(text), 1.0)
    name, colon, weight = text.rpartition(":")
    if not colon or "/" in weight:
        name, weight = text, "1"
    if _is_file(name):
        return NamedLook(Path(name), _weight(weight, text))
    if not is_preset_name(name):
        raise InputError(f"{text}: no such file; check the name, or take a preset (`mvstylizer styles` lists them)")
    return NamedLook(name, _weight(weight, text))


def read_style(looks: Sequence[NamedLook]) -> Style:
    """The style of what the command line named, with its photos read.

    Raises:
        InputError: a photo cannot be read.
        UsageError: there are too many.
    """
    if len(looks) > MAX_PARTS:
        raise UsageError(f"--style is given {len(looks)} times; at most {MAX_PARTS} can be blended")
    parts = (Part(read_picture(each.look) if isinstance(each.look, Path) else each.look, each.weight) for each in looks)
    return Style(tuple(parts))


def _check(part: Part) -> None:
    if not 0 < part.weight < math.inf:
        raise UsageError(f"a style's weight of {part.weight:g} is not possible; choose a finite one above 0")
    if isinstance(part.look, str) and not is_preset_name(part.look):
        raise UsageError(f"{part.look!r} cannot be a preset's name; `mvstylizer styles` lists those there are")


def _weight(text: str, spec: str) -> float:
    weight = float(text) if _is_number(text) else math.nan
    if not 0 < weight < math.inf:
        raise UsageError(f"--style {spec}: a weight of {text!r} is not possible; choose a finite number above 0")
    return weight


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_file(text: str) -> bool:
    """Whether something other than a directory has that name; pipes of a shell count too."""
    try:
        return bool(text) and Path(text).exists() and not Path(text).is_dir()
    except (OSError, ValueError):
        return False
