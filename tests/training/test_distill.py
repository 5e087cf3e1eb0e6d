"""Distillation of the compact encoder: it learns, and an interrupted run ends where an uninterrupted one does."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mvstylizer.errors import InputError
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.training import checkpoint
from mvstylizer.training.distill import DistillConfig, distill, encoder_from
from mvstylizer.training.photos import Photos
from tests.networks import perturbed_stylizer, save_stylizer, smooth_picture
from tests.training.conftest import RecordedPhotos

SHORT = DistillConfig(steps=5, batch=2, crop=32, save_every=2, bf16=False)


def assert_same_ending(first: Path, second: Path) -> None:
    a, b = checkpoint.load(first), checkpoint.load(second)
    assert a.step == b.step and a.weights.keys() == b.weights.keys() and a.optimizer.keys() == b.optimizer.keys()
    for name, value in {**a.weights, **a.optimizer}.items():
        assert torch.equal(value, {**b.weights, **b.optimizer}[name]), name


@pytest.mark.parametrize("bf16", [False, True])
def test_it_learns(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path, bf16: bool) -> None:
    """The variance explained, reported every fifty steps, is above that of a constant at every level."""
    reports: list[str] = []
    config = DistillConfig(steps=100, batch=2, crop=32, save_every=1000, bf16=bf16)
    path = distill(photos, teacher, config, tmp_path, reports.append)
    assert path == tmp_path / "step-000100" and len(reports) == 2
    explained = [float(x) for x in re.findall(r"-?\d\.\d{3}", reports[-1])]
    assert len(explained) == 4 and min(explained) > 0.02 and sum(explained) > 1.2


def test_an_encoder_comes_out(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """The last checkpoint holds finite weights, the run's settings, and an encoder that works."""
    path = distill(photos, teacher, SHORT, tmp_path)
    saved = checkpoint.load(path)
    assert saved.kind == "encoder" and saved.step == 5 and saved.config["distillation"]["crop"] == 32
    assert all(value.isfinite().all() for value in saved.weights.values())
    levels = encoder_from(tmp_path)(smooth_picture(16, 16))
    assert all(level.isfinite().all() and level.any() for level in levels)


def test_interrupted_and_resumed_is_uninterrupted(
    photos: Photos, interrupted: Callable[[int], Photos], teacher: SixteenfoldProxy, tmp_path: Path
) -> None:
    """A run that is stopped and started again ends with exactly the weights of one that was not."""
    distill(photos, teacher, SHORT, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        distill(interrupted(4), teacher, SHORT, tmp_path / "stopped")
    assert checkpoint.load(tmp_path / "stopped").step == 2
    distill(photos, teacher, SHORT, tmp_path / "stopped")
    assert_same_ending(tmp_path / "whole", tmp_path / "stopped")


def test_the_seed_decides(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """The same seed gives the same weights, another one others."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        distill(photos, teacher, DistillConfig(2, 2, 32, seed=seed, bf16=False), tmp_path / name)
    assert_same_ending(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same_ending(tmp_path / "a", tmp_path / "c")


def test_every_step_sees_other_photos(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """No two batches of a run are the same crops."""
    recorded = RecordedPhotos(photos)
    distill(recorded, teacher, SHORT, tmp_path)
    assert len(set(recorded.batches)) == len(recorded.batches) == 1 + SHORT.steps


def test_other_checkpoints_are_no_encoders(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """A stylizer's checkpoint, or none, in the encoder's place is an InputError that names it."""
    path = save_stylizer(perturbed_stylizer(), tmp_path)
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        encoder_from(path)
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        distill(photos, teacher, SHORT, tmp_path)
    with pytest.raises(InputError):
        encoder_from(tmp_path / "none")
