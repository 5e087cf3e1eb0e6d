"""Edges whose data differ: what each films, and the looks its users ask for.

The photos' source is the prefix of their file name. The four largest sources are the edges' contents, one each: nature
(bsds), houses, objects (imagenet), video frames. All other photos are styles; they are parted by how bright and how
warm they are, so that every edge's users ask for looks of one quarter. Held-out photos of all sources, in held-out
styles of all quarters, tell what a stylizer has learnt. Photos that have no such names are parted by brightness and
warmth themselves, each quarter an edge's contents and styles alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mvstylizer.errors import InputError
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.pictures import fit_within, read_picture
from mvstylizer.training.finetuning import TrainingFrame
from mvstylizer.training.photos import photo_paths, to_tensor

SOURCES = ("bsds", "houses", "imagenet", "frame")
LOOKS = ("dark cold", "dark warm", "bright cold", "bright warm")
LONG_SIDE = 320
_LEAST = 132
"""Short side, in pixels, that a crop needs."""
_STYLES = 24
"""An edge."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class World:
    """All edges' frames, and those that no edge has."""

    edges: tuple[tuple[TrainingFrame, ...], ...]
    held_out: tuple[TrainingFrame, ...]
    names: tuple[str, ...] = SOURCES
    """What each edge films."""


def world(photos: Path, stylizer: Stylizer, frames: int, held_out: int) -> World:
    """``frames`` frames an edge and ``held_out`` held-out ones; style codes are ``stylizer``'s encoder's.

    Raises:
        InputError: there are too few photos of a source.
    """
    rng = np.random.default_rng(0)
    training, rest = (photo_paths(photos, held_out=kept) for kept in (False, True))
    if not {source_of(path) for path in training} >= set(SOURCES):
        return _unnamed_world(training, rest, stylizer, frames, held_out, rng)
    contents = [_drawn(training, source, frames, rng) for source in SOURCES]
    quarters = parted(_styles(training, 8 * _STYLES, rng))
    edges = (
        _frames(stylizer, pictures, quarter[:_STYLES], rng)
        for pictures, quarter in zip(contents, quarters, strict=True)
    )
    unseen = [p for source in SOURCES for p in _drawn(rest, source, held_out // len(SOURCES), rng)]
    return World(tuple(edges), _frames(stylizer, unseen, _styles(rest, len(unseen), rng), rng))


def _unnamed_world(
    training: Sequence[Path], rest: Sequence[Path], stylizer: Stylizer, frames: int, held_out: int,
    rng: np.random.Generator,
) -> World:  # fmt: skip
    pictures = _pictures([training[i] for i in rng.permutation(len(training))], len(LOOKS) * frames)
    unseen = _pictures([rest[i] for i in rng.permutation(len(rest))], held_out)
    if len(pictures) < len(LOOKS) * frames or not unseen:
        wanted = f"{len(LOOKS) * frames} photos of {_LEAST} px or more and some held-out ones are needed"
        raise InputError(f"{wanted}, {len(pictures)} and {len(unseen)} are there; name another folder")
    edges = tuple(_frames(stylizer, quarter, quarter[:_STYLES], rng) for quarter in parted(pictures))
    return World(edges, _frames(stylizer, unseen, unseen, rng), LOOKS)


def parted(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Pictures in the order of ``LOOKS``: halves by mean luma, each in halves by how much redder than blue they are."""
    means = np.array([picture.mean((0, 1)) for picture in pictures])
    luma, warmth = means @ (0.299, 0.587, 0.114), means[:, 0] - means[:, 2]
    quarters = []
    for half in np.array_split(np.argsort(luma, kind="stable"), 2):
        quarters += np.array_split(half[np.argsort(warmth[half], kind="stable")], 2)
    return [[pictures[i] for i in quarter] for quarter in quarters]


def dealt(edges: Sequence[Sequence[TrainingFrame]], seed: int) -> list[list[TrainingFrame]]:
    """All edges' frames, in their styles, dealt anew at random: as many to each, none twice."""
    every = [frame for frames in edges for frame in frames]
    order = np.random.default_rng(seed).permutation(len(every))
    return [[every[i] for i in part] for part in np.array_split(order, len(edges))]


def source_of(path: Path) -> str:
    """Where a photo comes from: its file name up to the first ``_``."""
    return path.name.partition("_")[0]


def _drawn(paths: Sequence[Path], source: str, count: int, rng: np.random.Generator) -> list[Picture]:
    own = [path for path in paths if source_of(path) == source]
    pictures = _pictures([own[i] for i in rng.permutation(len(own))], count)
    if len(pictures) < count:
        raise InputError(f"{len(pictures)} photos of {source}, {count} are needed; name another --photos")
    return pictures


def _styles(paths: Sequence[Path], count: int, rng: np.random.Generator) -> list[Picture]:
    others = [path for path in paths if source_of(path) not in SOURCES]
    if not others:
        raise InputError(f"no photos but those of {', '.join(SOURCES)}; styles need others: name another --photos")
    return _pictures([others[i] for i in rng.permutation(len(others))], count)


def _pictures(paths: Sequence[Path], count: int) -> list[Picture]:
    pictures: list[Picture] = []
    for path in paths:
        if len(pictures) == count:
            break
        picture = fit_within(read_picture(path), LONG_SIDE)
        if min(picture.shape[:2]) >= _LEAST:
            pictures.append(picture)
    return pictures


def _frames(
    stylizer: Stylizer, contents: Sequence[Picture], styles: Sequence[Picture], rng: np.random.Generator
) -> tuple[TrainingFrame, ...]:
    with torch.no_grad():
        codes = [stylizer.encode_style(to_tensor(style[None]))[0].numpy() for style in styles]
    return tuple(TrainingFrame(content, codes[rng.integers(len(codes))]) for content in contents)
