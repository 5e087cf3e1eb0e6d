"""From checkpoint to release: complete, true to its manifest, or not there at all."""

import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from export.parity import FACTORS, TOLERANCE
from export.release import export_release
from mvstylizer import release as releases
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError, MVStylizerError, OutputError, ReleaseError
from mvstylizer.network.stylizer import StylizerConfig, config_from
from mvstylizer.training import checkpoint
from tests.networks import Exported, perturbed_stylizer, save_stylizer, smooth_picture

QUICK = StylizerConfig(decoder="mirrored", colorization="mean", levels=(4,), skips=False)
"""The variant that is exported soonest."""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: the nearest thing to a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_release_is_three_files(exported: Exported) -> None:
    """The directory holds manifest and graphs, nothing else, and nothing is left beside it."""
    assert names(exported.directory) == sorted([releases.MANIFEST, *releases.GRAPHS])
    assert names(exported.directory.parent) == ["checkpoints", "release"]


def test_the_manifest_is_true(exported: Exported) -> None:
    """Version, code size, configuration, file sizes, training and measured parity are those of this release."""
    release = releases.load(exported.directory)
    manifest = release.manifest
    assert release.version == manifest["version"] == "test-1"
    assert release.code_size == exported.stylizer.code_size
    assert config_from(manifest["stylizer"]) == exported.stylizer.config
    for name in releases.GRAPHS:
        assert manifest["files"][name]["bytes"] == (exported.directory / name).stat().st_size
    assert manifest["training"] == {"steps": 1} and manifest["exporter"]["torch"] == torch.__version__
    assert manifest["parity"]["max_abs_difference"] <= TOLERANCE and manifest["parity"]["r"] == list(FACTORS)


def test_what_was_trained_is_what_runs(exported: Exported) -> None:
    """The engine on the release gives the checkpoint's own picture, within a code value."""
    engine = Engine(exported.directory, threads=1)
    frame, photo = (
        (smooth_picture(40, 56, seed)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8) for seed in (1, 2)
    )
    inputs = [torch.from_numpy(x).permute(2, 0, 1)[None].float() / 255 for x in (frame, photo)]
    with torch.no_grad():
        expected = exported.stylizer(inputs[0], exported.stylizer.encode_style(inputs[1]), 1.7).clamp(0, 1)
    result = engine.stylize(frame, engine.encode_style(photo), 1.7)
    assert np.abs(result - expected[0].permute(1, 2, 0).numpy() * 255).max() < 1


def test_a_release_is_never_overwritten(exported: Exported, tmp_path: Path) -> None:
    """A release, an empty directory and a file under the name are left as they are."""
    before = (exported.directory / releases.MANIFEST).read_bytes()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    for to in (exported.directory, tmp_path / "empty", tmp_path / "file"):
        with pytest.raises(OutputError, match="never overwritten"):
            export_release(exported.checkpoint, to, "test-2")
    assert (exported.directory / releases.MANIFEST).read_bytes() == before
    assert names(tmp_path) == ["empty", "file"] and (tmp_path / "file").read_text() == "mine"


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    """No checkpoint, or an encoder's, is an InputError that leaves nothing behind."""
    encoder = checkpoint.save(tmp_path / "encoder", checkpoint.Checkpoint("encoder", 1, {}, {}, {}))
    for source in (encoder, tmp_path / "none"):
        with pytest.raises(InputError, match=re.escape(str(source))):
            export_release(source, tmp_path / "release", "test-1")
    assert names(tmp_path) == ["encoder"]


@pytest.mark.slow
def test_a_stylizer_that_gives_no_pictures_is_refused(tmp_path: Path) -> None:
    """Weights that are not finite never become a release."""
    stylizer = perturbed_stylizer(QUICK)
    with torch.no_grad():
        stylizer.smoothing.meta.weight[0, 0, 0, 0] = torch.nan
    path = save_stylizer(stylizer, tmp_path / "checkpoints")
    with pytest.raises(ReleaseError, match="nothing was exported"):
        export_release(path, tmp_path / "release", "test-1")
    assert names(tmp_path) == ["checkpoints"]


@pytest.mark.slow
def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    """A disk that takes no more is said, no half release remains, and the next try succeeds."""
    path = save_stylizer(perturbed_stylizer(QUICK), tmp_path / "checkpoints")
    with pytest.raises(MVStylizerError) as caught, file_size_limit(200_000):
        export_release(path, tmp_path / "release", "test-1")
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    assert names(tmp_path) == ["checkpoints"]
    # What an earlier, killed export left is no obstacle.
    (tmp_path / ".release.part").mkdir()
    (tmp_path / ".release.part" / "style.onnx").touch()
    manifest = export_release(path, tmp_path / "release", "test-1")
    assert json.loads((tmp_path / "release" / releases.MANIFEST).read_text())["files"] == manifest["files"]
    assert names(tmp_path) == ["checkpoints", "release"]
