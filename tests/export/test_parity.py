"""The parity check: lets equal graphs pass, for every variant of the stylizer, and no others."""

import pytest

from export.graphs import style_graph, stylize_graph
from export.parity import TOLERANCE, check_parity
from mvstylizer.errors import ReleaseError
from mvstylizer.network.stylizer import StylizerConfig
from mvstylizer.release import STYLE_GRAPH, STYLIZE_GRAPH
from tests.networks import Exported, perturbed_stylizer

# The default is the release of the other tests; the paper's decoder is exported in test_release.py.
VARIANTS = [
    StylizerConfig(colorization="mean"),
    StylizerConfig(colorization="wct"),
    StylizerConfig(decoder="mirrored", colorization="adain"),
]


def graphs(exported: Exported) -> tuple[bytes, bytes]:
    style, stylize = ((exported.directory / name).read_bytes() for name in (STYLE_GRAPH, STYLIZE_GRAPH))
    return style, stylize


def test_the_release_agrees_with_torch(exported: Exported) -> None:
    """Three sizes and four factors of the default stylizer differ by far less than what a user could see."""
    assert 0 < check_parity(exported.stylizer, *graphs(exported)) < TOLERANCE / 10


@pytest.mark.slow
@pytest.mark.parametrize("config", VARIANTS, ids=lambda c: f"{c.decoder}-{c.colorization}-{len(c.levels)}")
def test_every_variant_can_be_exported(config: StylizerConfig) -> None:
    """Each decoder with each colorization exports to graphs that agree with torch."""
    stylizer = perturbed_stylizer(config)
    assert check_parity(stylizer, style_graph(stylizer), stylize_graph(stylizer)) <= TOLERANCE


def test_graphs_of_another_stylizer_are_refused(exported: Exported) -> None:
    """Graphs with other weights, or with a code of another length, are a ReleaseError that says by how much."""
    with pytest.raises(ReleaseError, match=r"differs from torch by .*nothing was exported"):
        check_parity(perturbed_stylizer(seed=1), *graphs(exported))
    with pytest.raises(ReleaseError, match="style code"):
        check_parity(perturbed_stylizer(StylizerConfig(colorization="mean")), *graphs(exported))
