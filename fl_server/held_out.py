"""The cloud's own held-out photos: what a round's model is measured on, which no edge has seen."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mvstylizer.errors import InputError
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.pictures import read_picture
from mvstylizer.training.finetuning import TrainingFrame, evaluate
from mvstylizer.training.photos import to_tensor

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_SIDE = 512
_MOST = 32


class HeldOut:
    """Photos of a folder, each in the style of the next one; the first 32 by name, at most 512 px.

    Raises:
        InputError: the folder has fewer than two photos, or one cannot be read.
    """

    def __init__(self, folder: Path, stylizer: Stylizer, crop: int) -> None:
        paths = sorted(path for path in folder.glob("**/*") if path.suffix.lower() in _SUFFIXES)[:_MOST]
        if len(paths) < 2:
            raise InputError(f"{folder}: {len(paths)} photos (jpg, png, webp); name a folder of two or more with "
                             "--photos")  # fmt: skip
        pictures = [_small(read_picture(path)) for path in paths]
        codes = [_code(stylizer, picture) for picture in pictures]
        # The encoder is frozen, so codes stay what they are while the rest learns.
        self._frames = [TrainingFrame(picture, codes[(i + 1) % len(codes)]) for i, picture in enumerate(pictures)]
        self._crop = crop

    def measure(self, stylizer: Stylizer) -> dict[str, float]:
        """Means over the photos: ``loss``, ``content`` and ``style``."""
        metrics = evaluate(stylizer, self._frames, self._crop)
        return {"loss": metrics.loss, "content": metrics.content, "style": metrics.style}


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    height, width = (max(32, round(side * scale)) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _code(stylizer: Stylizer, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        code = stylizer.encode_style(to_tensor(picture[None]))[0]
    return code.numpy().astype(np.float32)
