"""What the commands run: files in, checkpoints out, and a stylizer at the end."""

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file

from mvstylizer.errors import InputError, UsageError
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.stylizer import PAPER
from mvstylizer.training import checkpoint
from mvstylizer.training.loop import load_stylizer
from mvstylizer.training.runs import run_distillation, run_training
from tests.networks import proxy_weights, write_photos


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    path = tmp_path / "teacher.safetensors"
    save_file(proxy_weights((4, 6, 8, 10, 10), 12), path)
    return path


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A checkpoint such as distillation leaves."""
    weights = {f"student.{name}": value for name, value in Encoder("compact").state_dict().items()}
    return checkpoint.save(tmp_path / "encoder", checkpoint.Checkpoint("encoder", 1, {}, weights, {}))


def test_a_stylizer_is_trained_from_files(
    tmp_path: Path, teacher: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Photos, teacher and encoder in, a checkpoint of a stylizer with that encoder out, its path printed."""
    folder = write_photos(tmp_path / "photos")
    overrides = {"steps": 1, "crop": 64, "batch": 1}
    run_training(folder, teacher, encoder, tmp_path / "run", False, "mean", overrides)
    assert capsys.readouterr().out.split() == [str(tmp_path / "run" / "step-000001")]
    stylizer, saved = load_stylizer(tmp_path / "run")
    assert saved.config["training"]["crop"] == 64 and stylizer.config.colorization == "mean"
    expected = checkpoint.load(encoder).weights
    assert all((value == expected[f"student.{name}"]).all() for name, value in stylizer.encoder.state_dict().items())


def test_the_papers_configuration_takes_a_compact_encoder(tmp_path: Path, teacher: Path, encoder: Path) -> None:
    """Where VGG-19 cannot be had, everything else of the paper's configuration trains around our encoder."""
    folder = write_photos(tmp_path / "photos")
    run_training(folder, teacher, encoder, tmp_path / "run", True, "adain", {"steps": 1, "crop": 64})
    stylizer, saved = load_stylizer(tmp_path / "run")
    assert stylizer.config == replace(PAPER, encoder="compact")
    assert (saved.config["training"]["batch"], saved.config["training"]["learning_rate"]) == (2, 1e-4)


def test_an_encoder_is_distilled_from_files(tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Photos and teacher in, a checkpoint of an encoder out, its path printed."""
    folder = write_photos(tmp_path / "photos", 3, 128)
    run_distillation(folder, teacher, tmp_path / "run", 1, 1)
    assert capsys.readouterr().out.split() == [str(tmp_path / "run" / "step-000001")]
    assert checkpoint.load(tmp_path / "run").kind == "encoder"


def test_what_is_missing_is_named(tmp_path: Path, teacher: Path, encoder: Path) -> None:
    """No photos, no teacher, no encoder, photos or crops that are too small: each is said before any training."""
    folder, to = write_photos(tmp_path / "photos", 3, 64), tmp_path / "run"
    with pytest.raises(InputError, match="--photos"):
        run_distillation(tmp_path / "none", teacher, to, 1, 1)
    with pytest.raises(InputError, match="--teacher"):
        run_distillation(folder, tmp_path / "none", to, 1, 1)
    with pytest.raises(InputError, match="smaller"):
        run_distillation(folder, teacher, to, 1, 1)
    with pytest.raises(UsageError, match="--encoder"):
        run_training(folder, teacher, None, to, False, "wct", {"crop": 64})
    with pytest.raises(InputError, match="none"):
        run_training(folder, teacher, tmp_path / "none", to, False, "wct", {"crop": 64})
    with pytest.raises(InputError, match="65 px"):
        run_training(folder, teacher, encoder, to, False, "wct", {"crop": 65})
    with pytest.raises(UsageError, match="64"):
        run_training(folder, teacher, encoder, to, False, "wct", {"crop": 16, "steps": 1})
    assert not to.exists()
