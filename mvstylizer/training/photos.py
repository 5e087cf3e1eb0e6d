"""Training photos: a folder of pictures held in memory, split once and for all, cropped at random."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvstylizer.errors import InputError
from mvstylizer.pictures import read_picture

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
HELD_OUT_SHARE = 0.05


def is_held_out(name: str) -> bool:
    """Whether the photo of this file name is kept from training; by hash, so that adding photos moves none."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 < HELD_OUT_SHARE


def photo_paths(folder: Path, *, held_out: bool) -> list[Path]:
    """The folder's photos of one side of the split, by name.

    Raises:
        InputError: the folder does not exist or holds no photo of that side.
    """
    paths = sorted(p for p in folder.glob("**/*") if p.suffix.lower() in _SUFFIXES and is_held_out(p.name) == held_out)
    if not paths:
        raise InputError(
            f"{folder}: no {'held-out ' if held_out else ''}photos (jpg, png, webp); name another --photos"
        )
    return paths


class Photos:
    """Photos in memory as ``(H, W, 3) uint8 RGB``; smaller ones than ``minimum_side`` are left out."""

    def __init__(self, paths: Sequence[Path], minimum_side: int) -> None:
        pictures = [read_picture(path) for path in paths]
        self.pictures = [p for p in pictures if min(p.shape[:2]) >= minimum_side]
        if not self.pictures:
            raise InputError(f"all {len(paths)} photos are smaller than {minimum_side} px; choose a smaller --crop")

    @classmethod
    def of(cls, pictures: Sequence[NDArray[np.uint8]]) -> Self:
        """Pictures that are in memory already, taken as they are."""
        photos = cls.__new__(cls)
        photos.pictures = list(pictures)
        return photos

    def __len__(self) -> int:
        return len(self.pictures)

    def crops(self, count: int, size: int, rng: np.random.Generator) -> Tensor:
        """``count`` random crops of ``size`` px, half of them mirrored: ``(count, 3, size, size)`` in 0..1."""
        chosen = rng.integers(len(self.pictures), size=count)
        crops = np.stack([random_crop(self.pictures[i], size, rng) for i in chosen])
        return to_tensor(crops)

    def crops_of_same(self, count: int, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Two random crops each of ``count`` photos: both ``(count, 3, size, size)`` in 0..1."""
        chosen = rng.integers(len(self.pictures), size=count)
        first, second = (np.stack([random_crop(self.pictures[i], size, rng) for i in chosen]) for _ in range(2))
        return to_tensor(first), to_tensor(second)


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """``(N, H, W, 3) uint8`` → ``(N, 3, H, W)`` float in 0..1, channels last in memory."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def random_crop(picture: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square of ``size`` px out of ``(H, W, 3)``, mirrored in half of the cases."""
    height, width = picture.shape[:2]
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
    crop = picture[top : top + size, left : left + size]
    return crop[:, ::-1] if rng.random() < 0.5 else crop
