"""The edges' data: each its own source and look, held-out photos of all, and none of them seen."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.federated.edges import LOOKS, SOURCES, dealt, parted, source_of, world
from mvstylizer.errors import InputError
from mvstylizer.pictures import write_picture
from mvstylizer.training.finetuning import TrainingFrame
from mvstylizer.training.photos import is_held_out
from tests.networks import perturbed_stylizer


def test_looks_are_parted_by_brightness_then_warmth() -> None:
    """Of eight plain pictures each quarter gets two: dark before bright, cold before warm."""
    colours = [(red, 60 + offset, 120 - red) for offset in (0, 120) for red in (10, 30, 90, 110)]
    pictures = [np.full((4, 4, 3), colour, np.uint8) for colour in colours]
    order = np.random.default_rng(0).permutation(8)
    quarters = parted([pictures[i] for i in order])
    assert [len(quarter) for quarter in quarters] == [2, 2, 2, 2]
    for number, quarter in enumerate(quarters):
        found = sorted(tuple(int(x) for x in picture[0, 0]) for picture in quarter)
        assert found == colours[2 * number : 2 * number + 2]


def photos(folder: Path, each: int) -> Path:
    """Plain photos of every source and of others; a photo's red says which source it is of."""
    folder.mkdir()
    for red, source in enumerate((*SOURCES, "other")):
        for kept in (False, True):
            names = (f"{source}_{i}.png" for i in range(10000))
            for name in [
                name for name, _ in zip((n for n in names if is_held_out(n) == kept), range(each), strict=False)
            ]:
                picture = np.random.default_rng(red).integers(0, 255, (140, 140, 3), np.uint8)
                picture[..., 0] = 40 * red
                picture[..., 1] = 200 if kept else 20
                write_picture(folder / name, picture)
    return folder


def test_every_edge_has_its_own_source_and_no_held_out_photo(tmp_path: Path) -> None:
    """Edge i's frames are of source i; the held-out frames are of all sources, and no edge has them."""
    made = world(photos(tmp_path / "photos", 4), perturbed_stylizer(), frames=3, held_out=4)
    for number, frames in enumerate(made.edges):
        assert [frame.picture[0, 0, :2].tolist() for frame in frames] == [[40 * number, 20]] * 3
    assert sorted(frame.picture[0, 0, 0] for frame in made.held_out) == [0, 40, 80, 120]
    assert {int(frame.picture[0, 0, 1]) for frame in made.held_out} == {200}


def test_too_few_photos_are_an_error(tmp_path: Path) -> None:
    """Where a source has fewer photos than an edge needs, the message says which."""
    assert source_of(Path("x/bsds_train_1.jpg")) == "bsds"
    with pytest.raises(InputError, match="2 photos of bsds, 3 are needed"):
        world(photos(tmp_path / "photos", 2), perturbed_stylizer(), frames=3, held_out=4)


def test_photos_without_sources_are_parted_by_their_own_light(tmp_path: Path) -> None:
    """Any folder of photos will do: an edge has the darkest and coldest, another the brightest and warmest."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
        colour = rng.integers(20, 230, 3)
        write_picture(folder / f"photo-{number}.png", np.full((136, 140, 3), colour, np.uint8))
    made = world(folder, perturbed_stylizer(), frames=6, held_out=3)
    means = [np.mean([frame.picture[0, 0] for frame in frames], axis=0) for frames in made.edges]
    luma, warmth = ([float(m @ w) for m in means] for w in ((0.299, 0.587, 0.114), (1.0, 0.0, -1.0)))
    assert max(luma[:2]) < min(luma[2:]) and warmth[0] < warmth[1] and warmth[2] < warmth[3]
    assert made.names == LOOKS and 1 <= len(made.held_out) <= 3


def test_dealing_keeps_every_frame() -> None:
    """As many to each edge, none twice, none lost, and another seed deals otherwise."""
    frames = [[TrainingFrame(np.full((2, 2, 3), 10 * edge + i, np.uint8), np.zeros(1, np.float32)) for i in range(4)]
              for edge in range(3)]  # fmt: skip

    def values(seed: int) -> list[list[int]]:
        return [[int(frame.picture[0, 0, 0]) for frame in part] for part in dealt(frames, seed)]

    assert [len(part) for part in values(1)] == [4, 4, 4] and values(1) != values(2)
    assert sorted(value for part in values(1) for value in part) == sorted(
        10 * edge + i for edge in range(3) for i in range(4)
    )
