"""A release of other weights, made without tracing the network again."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from export.parity import TOLERANCE, check_parity
from export.weights import stylizer_of_release
from fl_clients.reweighting import reweighted, write_release
from mvstylizer import release as releases
from mvstylizer.errors import ReleaseError
from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.release import Release
from mvstylizer.training.packing import pack


def changed(stylizer: Stylizer, scale: float, seed: int = 0) -> Stylizer:
    """A copy whose trained weights are changed by a share of their spread."""
    other = copy.deepcopy(stylizer)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise * scale * parameter.abs().mean())
    return other


def test_it_is_what_torch_makes(stylizer: Stylizer, release: Release, tmp_path: Path) -> None:
    """The release computes what the network with these weights computes, in sizes and factors that were not tried."""
    other = changed(stylizer, 0.1)
    write_release(reweighted(release, other, "round-000007"), tmp_path / "made")
    made = releases.load(tmp_path / "made")
    style, stylize = (made.graphs[name] for name in releases.GRAPHS)
    assert check_parity(other, style, stylize, ((96, 160),), (0.5, 1.3)) <= TOLERANCE
    np.testing.assert_array_equal(pack(stylizer_of_release(made)), pack(other))
    with pytest.raises(ReleaseError, match="differs"):
        check_parity(stylizer, style, stylize, ((64, 64),), (1.0,))


def test_style_codes_stay_valid(stylizer: Stylizer, release: Release, tmp_path: Path) -> None:
    """Frames' codes and presets of the release before belong to the new one, too."""
    write_release(reweighted(release, changed(stylizer, 0.1), "round-000007"), tmp_path / "made")
    made = releases.load(tmp_path / "made")
    assert (made.version, made.encoder_sha256) == ("round-000007", release.encoder_sha256)
    assert made.sha256 != release.sha256
    assert made.presets.keys() == release.presets.keys() != set()
    assert made.descriptions == release.descriptions
    for name, code in release.presets.items():
        np.testing.assert_array_equal(made.presets[name], code)


def test_same_weights_same_release(stylizer: Stylizer, release: Release) -> None:
    """Weights that are already there change nothing, to the last byte."""
    assert reweighted(release, stylizer, "again").graphs == release.graphs


def test_another_encoder(stylizer: Stylizer, release: Release) -> None:
    """An encoder that was changed would make all codes wrong, so it is refused."""
    other = copy.deepcopy(stylizer)
    with torch.no_grad():
        next(other.encoder.parameters()).add_(0.01)
    with pytest.raises(ReleaseError, match="another encoder"):
        reweighted(release, other, "round-000007")


def test_another_network(release: Release) -> None:
    """A network of another configuration has to be exported."""
    with pytest.raises(ReleaseError, match="another network"):
        reweighted(release, Stylizer(StylizerConfig(colorization="wct")), "round-000007")
