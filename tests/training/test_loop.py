"""The training loop: the encoder stays, all else learns, and an interrupted run ends as if it had not been."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mvstylizer.errors import InputError
from mvstylizer.network import stylizer as networks
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.training import checkpoint
from mvstylizer.training.config import PAPER, TrainConfig
from mvstylizer.training.distill import DistillConfig, distill
from mvstylizer.training.loop import load_stylizer, new_stylizer, train
from mvstylizer.training.photos import Photos
from mvstylizer.training.step import step_loss
from tests.networks import smooth_picture
from tests.training.conftest import RecordedPhotos

SHORT = TrainConfig(steps=5, batch=2, crop=64, save_every=2, bf16=False, identity_share=0.4, projected_share=0.5)


def fresh(seed: int = 0, config: StylizerConfig | None = None) -> Stylizer:
    """An untrained stylizer around an encoder of random weights, the same one for every seed."""
    config = config or StylizerConfig()
    torch.manual_seed(100)
    return new_stylizer(config, Encoder(config.encoder), seed)


def assert_same_ending(first: Path, second: Path) -> None:
    a, b = checkpoint.load(first), checkpoint.load(second)
    assert a.step == b.step and a.weights.keys() == b.weights.keys() and a.optimizer.keys() == b.optimizer.keys()
    for name, value in {**a.weights, **a.optimizer}.items():
        assert torch.equal(value, {**b.weights, **b.optimizer}[name]), name


@pytest.mark.parametrize(
    "config",
    [StylizerConfig(), StylizerConfig(colorization="wct"), StylizerConfig(decoder="mirrored", colorization="mean")],
    ids=["grid-adain", "grid-wct", "mirrored-mean"],
)
def test_all_but_the_encoder_learns(
    photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path, config: StylizerConfig
) -> None:
    """After a few steps every trained weight has moved and is finite, and the encoder is what it was."""
    stylizer, before = fresh(config=config), fresh(config=config).state_dict()
    path = train(stylizer, photos, teacher, replace(SHORT, steps=3, bf16=True), tmp_path)
    assert path == tmp_path / "step-000003"
    for name, value in checkpoint.load(path).weights.items():
        assert value.isfinite().all()
        original = before[name.removeprefix("average.")]
        assert torch.equal(value, original) == name.startswith("encoder."), name


def test_interrupted_and_resumed_is_uninterrupted(
    photos: Photos, interrupted: Callable[[int], Photos], teacher: SixteenfoldProxy, tmp_path: Path
) -> None:
    """A run that is stopped and started again ends with exactly the weights of one that was not."""
    train(fresh(), photos, teacher, SHORT, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(fresh(), interrupted(5), teacher, SHORT, tmp_path / "stopped")
    assert 0 < checkpoint.load(tmp_path / "stopped").step < SHORT.steps
    # What it starts from does not matter: all weights are the checkpoint's.
    train(fresh(seed=5), photos, teacher, SHORT, tmp_path / "stopped")
    assert_same_ending(tmp_path / "whole", tmp_path / "stopped")


def test_the_seed_decides(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """The same seed gives the same weights, another one others."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(fresh(), photos, teacher, replace(SHORT, steps=2, seed=seed), tmp_path / name)
    assert_same_ending(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same_ending(tmp_path / "a", tmp_path / "c")


def test_every_step_sees_other_photos(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """No two batches of a run, and not content and style of a step, are the same crops."""
    recorded = RecordedPhotos(photos)
    train(fresh(), recorded, teacher, replace(SHORT, identity_share=0.0, known_share=0.0, toned_share=0.0), tmp_path)
    assert len(recorded.batches) == len(set(recorded.batches)) == 2 * SHORT.steps


def test_a_finished_run_is_left_alone(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """Started again after its last step, a run returns its last checkpoint as it is."""
    config = replace(SHORT, steps=1)
    path = train(fresh(), photos, teacher, config, tmp_path)
    manifest = (path / "manifest.json").read_bytes()
    again = train(fresh(seed=3), photos, teacher, config, tmp_path)
    assert checkpoint.load(again).step == 1 and (path / "manifest.json").read_bytes() == manifest


def test_it_learns(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """The identity loss, reported every fifty steps, falls: the mirrored decoder learns to invert the encoder."""
    reports: list[str] = []
    config = replace(
        SHORT, steps=100, batch=1, identity_share=1.0, resized_share=0.0, save_every=100, learning_rate=2e-3
    )
    mirrored = StylizerConfig(decoder="mirrored", colorization="adain")
    train(fresh(config=mirrored), photos, teacher, config, tmp_path, reports.append)
    losses = [float(x) for report in reports for x in re.findall(r"identity (\d\.\d+)", report)]
    assert len(losses) == 2 and losses[1] < 0.7 * losses[0]


def test_photos_that_break_the_loss_are_left_out(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """A step whose gradient is not finite changes no weight and is reported; the steps after it go on learning."""

    class Broken(Photos):
        def __init__(self) -> None:
            self.pictures = photos.pictures
            self.calls = 0

        def crops(self, count: int, size: int, rng: np.random.Generator) -> torch.Tensor:
            self.calls += 1
            crops = super().crops(count, size, rng)
            return crops * float("nan") if self.calls == 1 else crops

    reports: list[str] = []
    path = train(
        fresh(), Broken(), teacher, replace(SHORT, steps=3, known_share=0.0, toned_share=0.0), tmp_path, reports.append
    )
    assert sum("left out" in report for report in reports) == 1 and "step 1:" in reports[0]
    weights = checkpoint.load(path).weights
    assert all(value.isfinite().all() for value in weights.values())
    assert not torch.equal(weights["decoder.to_grid.weight"], fresh().state_dict()["decoder.to_grid.weight"])


@pytest.mark.parametrize("what", ["known", "toned"])
def test_its_gradient_leads_to_the_known_answer(photos: Photos, teacher: SixteenfoldProxy, what: str) -> None:
    """Looks of another part of the photo, tones of greys: a stylizer that follows one step's gradient gets nearer."""
    only = replace(SHORT, identity_share=0.0, known_share=0.0, toned_share=0.0, resized_share=0.0)
    config = replace(only, known_share=1.0) if what == "known" else replace(only, toned_share=1.0)
    stylizer = fresh().train()
    optimizer = torch.optim.Adam([p for p in stylizer.parameters() if p.requires_grad], lr=2e-4)
    with torch.no_grad():
        hardest = max(range(20), key=lambda step: step_loss(stylizer, photos, teacher, config, step)[1][what])
    losses = []
    for _ in range(120):
        loss, parts = step_loss(stylizer, photos, teacher, config, hardest)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(parts[what])
    assert min(losses[-10:]) < 0.8 * losses[0]


def test_the_papers_own_configuration_trains(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """VGG-19, Eq. 2, the mirrored decoder and §4.2's settings take steps at a small crop, whatever r is drawn."""
    stylizer = fresh(config=networks.PAPER)
    before = stylizer.smoothing.meta.weight.detach().clone()
    path = train(stylizer, photos, teacher, replace(PAPER, steps=2, crop=64, resized_share=1.0), tmp_path)
    trained, saved = load_stylizer(path)
    assert saved.step == 2 and trained.config == networks.PAPER
    assert not torch.equal(trained.smoothing.meta.weight, before)
    assert trained(smooth_picture(16, 16), trained.encode_style(smooth_picture(16, 16))).isfinite().all()


@pytest.mark.parametrize("seed", range(4))
def test_any_factor_can_be_drawn_at_small_crops(
    photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path, seed: int
) -> None:
    """Crops of 64 px train with every r of 0.5..2."""
    config = replace(SHORT, steps=1, batch=1, seed=seed, identity_share=0.0, resized_share=1.0)
    train(fresh(), photos, teacher, config, tmp_path)


def test_what_is_loaded_is_the_average(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """load_stylizer gives the encoder and the averaged weights, in evaluation mode, under the same config."""
    config = StylizerConfig(decoder="mirrored", colorization="mean", levels=(3, 4), skips=False)
    stylizer = fresh(config=config)
    train(stylizer, photos, teacher, replace(SHORT, steps=3), tmp_path)
    loaded, saved = load_stylizer(tmp_path)
    assert loaded.config == config and not loaded.training
    average = {k.removeprefix("average."): v for k, v in saved.weights.items() if k.startswith("average.")}
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, average[name] if name in average else stylizer.state_dict()[name])
    assert any(not torch.equal(average[name], stylizer.state_dict()[name]) for name in average)


def test_other_checkpoints_are_refused(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """An encoder's checkpoint is no stylizer's, and a run is not resumed with another network: an InputError each."""
    encoder = distill(photos, teacher, DistillConfig(1, 1, 32, bf16=False), tmp_path / "encoder")
    with pytest.raises(InputError, match="encoder"):
        load_stylizer(encoder)
    with pytest.raises(InputError, match="another network"):
        train(fresh(), photos, teacher, SHORT, tmp_path / "encoder")
    train(fresh(), photos, teacher, replace(SHORT, steps=1), tmp_path / "grid")
    for other in (StylizerConfig(decoder="mirrored"), StylizerConfig(colorization="wct")):
        with pytest.raises(InputError, match=re.escape(str(tmp_path / "grid"))):
            train(fresh(config=other), photos, teacher, SHORT, tmp_path / "grid")


def test_weights_that_do_not_fit_are_refused(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """A checkpoint that lacks a weight, as of an older version, is refused: nothing is exported as it was drawn."""
    path = train(fresh(), photos, teacher, replace(SHORT, steps=1, batch=1), tmp_path / "whole")
    whole = checkpoint.load(path)
    weights = {k: v for k, v in whole.weights.items() if "to_grid" not in k}
    checkpoint.save(tmp_path / "older", replace(whole, weights=weights))
    with pytest.raises(InputError, match="does not fit"):
        load_stylizer(tmp_path / "older")
    with pytest.raises(InputError, match="does not fit"):
        train(fresh(), photos, teacher, SHORT, tmp_path / "older")


def test_settings_are_kept_as_json(photos: Photos, teacher: SixteenfoldProxy, tmp_path: Path) -> None:
    """A checkpoint's manifest says with which settings it was trained."""
    config = replace(SHORT, steps=1, batch=1)
    path = train(fresh(), photos, teacher, config, tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["config"]["training"] == asdict(config)
    assert networks.config_from(manifest["config"]["stylizer"]) == StylizerConfig()
