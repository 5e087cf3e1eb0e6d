"""Photos and a teacher, small enough to train with in a test."""

from collections.abc import Callable

import numpy as np
import pytest
from torch import Tensor

from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.training.photos import Photos, photo_paths
from tests.networks import proxy_weights, write_photos


class InterruptedPhotos(Photos):
    """Photos at which the user presses Ctrl-C when the so many-th crops are asked for."""

    def __init__(self, photos: Photos, after: int) -> None:
        self.pictures = photos.pictures
        self._left = after

    def crops(self, count: int, size: int, rng: np.random.Generator) -> Tensor:
        self._count_down()
        return super().crops(count, size, rng)

    def crops_of_same(self, count: int, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        self._count_down()
        return super().crops_of_same(count, size, rng)

    def _count_down(self) -> None:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1


class RecordedPhotos(Photos):
    """Photos that remember which batches were asked for."""

    def __init__(self, photos: Photos) -> None:
        self.pictures = photos.pictures
        self.batches: list[bytes] = []

    def crops(self, count: int, size: int, rng: np.random.Generator) -> Tensor:
        crops = super().crops(count, size, rng)
        self.batches.append(crops.contiguous().numpy().tobytes())
        return crops


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """A dozen photos of 96 × 104."""
    folder = write_photos(tmp_path_factory.mktemp("training") / "photos")
    return Photos(photo_paths(folder, held_out=False), 96)


@pytest.fixture
def interrupted(photos: Photos) -> Callable[[int], Photos]:
    """The same photos, which interrupt the run after so many batches."""
    return lambda after: InterruptedPhotos(photos, after)


@pytest.fixture
def teacher() -> SixteenfoldProxy:
    """A perceptual network of random weights."""
    return SixteenfoldProxy(proxy_weights((4, 6, 8, 10, 10), 12))
