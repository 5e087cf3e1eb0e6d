"""Training photos: split once and for all, cropped at random."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mvstylizer.errors import InputError
from mvstylizer.pictures import read_picture, write_picture
from mvstylizer.training.photos import HELD_OUT_SHARE, Photos, is_held_out, photo_paths, to_tensor
from tests.networks import write_photos


def touched(folder: Path, count: int) -> Path:
    folder.mkdir()
    for index in range(count):
        (folder / f"{index}.jpg").touch()
    return folder


def test_both_sides_of_the_split_are_the_whole(tmp_path: Path) -> None:
    """Every photo is on exactly one side, the same on every call, about one in twenty held out."""
    folder = touched(tmp_path / "photos", 1000)
    (folder / "notes.txt").touch()
    training, held_out = (photo_paths(folder, held_out=side) for side in (False, True))
    assert sorted(training + held_out) == sorted(folder.glob("*.jpg"))
    assert not set(training) & set(held_out)
    assert abs(len(held_out) / 1000 - HELD_OUT_SHARE) < 0.02
    assert training == photo_paths(folder, held_out=False) == sorted(training)


def test_photos_stay_on_their_side(tmp_path: Path) -> None:
    """More photos, and a move to another folder, change the side of none."""
    few = photo_paths(touched(tmp_path / "a", 300), held_out=True)
    folder = touched(tmp_path / "b", 600)
    (folder / "deeper").mkdir()
    shutil.move(folder / few[0].name, folder / "deeper")
    more = photo_paths(folder, held_out=True)
    assert {path.name for path in few} <= {path.name for path in more}
    assert all(is_held_out(path.name) for path in more)


def test_folders_without_photos_are_refused(tmp_path: Path) -> None:
    """A missing folder, an empty one, one of other files: an InputError that names it."""
    (tmp_path / "notes.txt").touch()
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="--photos") as caught:
            photo_paths(folder, held_out=False)
        assert str(folder) in str(caught.value)


def test_photos_that_are_too_small_are_left_out(tmp_path: Path) -> None:
    """Smaller photos than a crop are left out; when none is left that is an InputError."""
    small = sorted(write_photos(tmp_path / "small", 3, 40).iterdir())
    large = sorted(write_photos(tmp_path / "large", 2, 64).iterdir())
    assert len(Photos(small + large, 64)) == 2
    with pytest.raises(InputError, match="65 px"):
        Photos(small + large, 65)


def test_crops_are_pieces_of_the_photos(tmp_path: Path) -> None:
    """Crops are (N, 3, size, size) in 0..1, each found pixel by pixel in a photo, some of them mirrored."""
    paths = sorted(write_photos(tmp_path / "photos", 2, 24).iterdir())
    crops = Photos(paths, 16).crops(12, 16, np.random.default_rng(0))
    assert crops.shape == (12, 3, 16, 16) and crops.dtype == torch.float32
    assert 0 <= crops.min() < crops.max() <= 1
    windows = np.concatenate(
        [
            np.lib.stride_tricks.sliding_window_view(read_picture(p), (16, 16), (0, 1)).reshape(-1, 3, 16, 16)
            for p in paths
        ]
    )
    known, mirrored = ({w.tobytes() for w in side} for side in (windows, windows[..., ::-1]))
    codes = (crops * 255).round().to(torch.uint8).contiguous().numpy()
    straight = [crop.tobytes() in known for crop in codes]
    assert all(is_straight or crop.tobytes() in mirrored for is_straight, crop in zip(straight, codes, strict=True))
    assert 0 < sum(straight) < 12


def test_crops_follow_the_seed(tmp_path: Path) -> None:
    """The same random generator gives the same crops, another one others; a crop may be the whole photo."""
    photos = Photos(sorted(write_photos(tmp_path / "photos", 4, 32).iterdir()), 32)
    first, again, other = (photos.crops(4, 32, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_two_crops_of_a_photo_are_of_the_same(tmp_path: Path) -> None:
    """Each pair of crops comes from one photo, at places of its own."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(4):
        shades = np.tile(np.linspace(0, 40, 40).astype(np.uint8)[:, None, None], (1, 40, 3)) + 60 * index
        write_picture(folder / f"{index}.png", shades.astype(np.uint8))
    photos = Photos(sorted(folder.iterdir()), 40)
    first, second = photos.crops_of_same(16, 16, np.random.default_rng(0))
    assert first.shape == second.shape == (16, 3, 16, 16) and not torch.equal(first, second)
    photo_of = [(crops.amin((1, 2, 3)) * 255 / 60).floor() for crops in (first, second)]
    assert torch.equal(*photo_of) and len(set(photo_of[0].tolist())) == 4


def test_pictures_become_tensors() -> None:
    """0 and 255 become 0 and 1, channels first."""
    pictures = np.zeros((2, 4, 5, 3), np.uint8)
    pictures[1, 2, 3] = (255, 51, 0)
    tensor = to_tensor(pictures)
    assert tensor.shape == (2, 3, 4, 5) and tensor.sum() == pytest.approx(1.2)
    torch.testing.assert_close(tensor[1, :, 2, 3], torch.tensor([1.0, 0.2, 0.0]))
