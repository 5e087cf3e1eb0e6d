"""The grid decoder: its maps are the ones in the grid, sliced by luma, on top of the closed-form transport."""

import pytest
import torch
from torch import Tensor

from mvstylizer.network.grid_decoder import BINS, CELL, GridDecoder
from tests.networks import smooth_picture

WIDTHS = (4, 6, 8, 10)
CODE_SIZE = 5
CODES = torch.linspace(-1, 1, 2 * CODE_SIZE)[None]
OVERALL = torch.linspace(-1, 1, 96)[None]
HEIGHT, WIDTH = 64, 96
MAP = torch.tensor([[0.3, -0.1, 0.2], [0.05, -0.4, 0.0], [0.1, 0.2, 0.6]])
OFFSET = torch.tensor([0.1, -0.2, 0.05])


@pytest.fixture
def decoder() -> GridDecoder:
    torch.manual_seed(0)
    return GridDecoder(WIDTHS, CODE_SIZE)


def features() -> list[Tensor]:
    """Features as an encoder might give them."""
    generator = torch.Generator().manual_seed(0)
    sizes = [(channels, HEIGHT >> level, WIDTH >> level) for level, channels in enumerate(WIDTHS)]
    return [torch.randn(1, *size, generator=generator) for size in sizes]


def raised(level: int, features: Tensor) -> Tensor:
    """A colorization that is simple to follow."""
    return features + level


def coefficients(matrix: Tensor, offset: Tensor) -> Tensor:
    """One bin's twelve numbers: what each of red, green, blue and one adds to the three outputs."""
    return torch.cat([matrix.T.reshape(9), offset])


def luma(rgb: Tensor) -> Tensor:
    return (rgb * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def test_an_untrained_decoder_changes_nothing(decoder: GridDecoder) -> None:
    """Before training its output is exactly the closed-form transport, to be closed half-way."""
    rgb, transported = smooth_picture(HEIGHT, WIDTH), smooth_picture(HEIGHT, WIDTH, 1)
    mapped, closing = decoder(rgb, transported, features(), raised, CODES)
    torch.testing.assert_close(mapped, transported, rtol=0, atol=0)
    torch.testing.assert_close(closing, torch.full((1, 1, 1, 1), 0.5))


def test_the_grid_has_cells_and_bins(decoder: GridDecoder) -> None:
    """Twelve coefficients for every level of luma and every cell of 32 px."""
    rgb = smooth_picture(HEIGHT, WIDTH)
    grid = decoder.grid(rgb, rgb, features(), raised, OVERALL)
    assert grid.shape == (1, BINS * 12, HEIGHT // CELL, WIDTH // CELL)


def test_one_map_everywhere_is_that_map(decoder: GridDecoder) -> None:
    """A grid filled by hand with one affine map adds exactly that map of the transported colours."""
    rgb = smooth_picture(HEIGHT, WIDTH)
    transported = 0.5 * rgb + 0.3
    with torch.no_grad():
        assert decoder.to_grid.bias is not None
        decoder.to_grid.bias.copy_(coefficients(MAP, OFFSET).repeat(BINS))
        result, _ = decoder(rgb, transported, features(), raised, CODES)
    expected = transported + torch.einsum("ij,njhw->nihw", MAP, transported) + OFFSET.view(1, 3, 1, 1)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def test_maps_follow_the_pictures_own_luma(decoder: GridDecoder) -> None:
    """Bins are asked by the luma of the picture, not of the transported one, with blending in between."""
    grid = torch.zeros(1, BINS, 12, 2, 3)
    grid[:, :, 9] = torch.arange(BINS).view(1, BINS, 1, 1) / (BINS - 1)
    rgb = torch.cat([smooth_picture(HEIGHT, WIDTH), torch.zeros(1, 3, 1, WIDTH), torch.ones(1, 3, 1, WIDTH)], dim=2)
    changes = decoder.changes(rgb, rgb * 0.1, grid.flatten(1, 2))
    torch.testing.assert_close(changes[:, :1], luma(rgb), rtol=1e-4, atol=1e-5)
    assert not changes[:, 1:].any()


def test_each_bin_has_its_own_map(decoder: GridDecoder) -> None:
    """A grey of exactly a bin's luma gets that bin's map and none of its neighbours'."""
    grid = torch.randn(1, BINS, 12, 1, 1, generator=torch.Generator().manual_seed(1))
    for level in range(BINS):
        rgb = torch.full((1, 3, 8, 8), level / (BINS - 1))
        changes = decoder.changes(rgb, rgb, grid.flatten(1, 2))
        matrix, offset = grid[0, level, :9, 0, 0].view(3, 3).T, grid[0, level, 9:, 0, 0]
        torch.testing.assert_close(changes[0, :, 4, 4], matrix @ rgb[0, :, 4, 4] + offset, rtol=1e-4, atol=1e-4)


def test_maps_change_smoothly_over_the_picture(decoder: GridDecoder) -> None:
    """Between two cells a flat picture's change goes over from one to the other without a step."""
    grid = torch.zeros(1, BINS, 12, 1, 2)
    grid[:, :, 9, :, 1] = 1
    rgb = torch.full((1, 3, CELL, 2 * CELL), 0.4)
    changes = decoder.changes(rgb, rgb, grid.flatten(1, 2))[0, 0, 0]
    steps = changes.diff()
    assert changes[0] == 0 and changes[-1] == 1 and steps.min() >= 0 and steps.max() < 1.1 / CELL


def test_colours_beyond_the_range_keep_a_map(decoder: GridDecoder) -> None:
    """A picture that leaves 0..1 slightly is sliced like black or white, not lost."""
    grid = torch.zeros(1, BINS, 12, 1, 1)
    grid[:, :, 9] = 1
    for value in (-0.2, 1.3):
        rgb = torch.full((1, 3, 8, 8), value)
        changes = decoder.changes(rgb, rgb, grid.flatten(1, 2))
        torch.testing.assert_close(changes[:, 0], torch.ones(1, 8, 8))


def test_borders_are_not_known(decoder: GridDecoder) -> None:
    """Where all places look the same, all cells of the grid are the same: no vignette can be learned."""
    torch.nn.init.normal_(decoder.to_grid.weight)
    grey = torch.full((1, 3, HEIGHT, WIDTH), 0.5)
    with torch.no_grad():
        grid = decoder.grid(grey, grey, [torch.full_like(level, 0.5) for level in features()], raised, OVERALL)
    torch.testing.assert_close(grid, grid[:, :, :1, :1].expand_as(grid))
