"""Our decoder: features → a bilateral grid of colour maps, applied to the picture itself.

A photorealistic look changes light and colour but no shapes. So instead of painting pixels from features, this decoder
predicts, for cells of 32 px and a few levels of luma, how colours move (Chen, Paris and Durand, "Real-time
edge-aware image processing with the bilateral grid", 2007; Gharbi et al., "HDRnet", 2017; Xia et al., "Joint bilateral
learning for real-time universal photorealistic style transfer", ECCV 2020). Edges stay the picture's own, and a tight
halo cannot be expressed, only a soft glow as wide as a cell. It starts from the closed-form colour transport and learns
what that misses.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvstylizer.network.encoder import STRIDE

BINS = 8
"""Levels of luma in the grid."""
CELL = 32
"""Side of a grid cell in pixels."""
_COEFFICIENTS = 12
_HIDDEN = 96

Window = tuple[slice, slice]
"""Rows and columns of a picture."""
Colorize = Callable[[int, Tensor], Tensor]
"""Colorizes features of a level (0 the picture, 1 the finest, 4 the deepest)."""


class GridDecoder(nn.Module):
    """A picture, its closed-form transport and the encoder's features of that → RGB of the same size, not clamped."""

    luma: Tensor

    def __init__(self, widths: Sequence[int], code_size: int, negative_slope: float = 0.1) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.gather = nn.Conv2d(2 * (sum(widths) + 3), _HIDDEN, 1)
        self.shrink = nn.ModuleList(_convolution(stride=2) for _ in range(2))
        self.local = nn.ModuleList(_convolution(stride=1) for _ in range(2))
        self.overall = nn.ModuleList([nn.Linear(2 * code_size, _HIDDEN), nn.Linear(_HIDDEN, _HIDDEN)])
        self.to_grid = nn.Conv2d(_HIDDEN, BINS * _COEFFICIENTS, 1)
        self.to_closing = nn.Linear(_HIDDEN, 1)
        # An untrained decoder changes nothing of the closed-form transport.
        for last in (self.to_grid, self.to_closing):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.register_buffer("luma", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1), persistent=False)

    def forward(
        self,
        rgb: Tensor,
        transported: Tensor,
        features: Sequence[Tensor],
        colorize: Colorize,
        codes: Tensor,
        window: Window = (slice(None), slice(None)),
    ) -> tuple[Tensor, Tensor]:
        """The ``window`` of the decoder's picture, and how much of the way to close, 0..1 ``(N, 1, 1, 1)``: how far
        the picture should be moved to the style's mean and covariance of colours.

        ``features`` are the encoder's four levels of the transported picture, ``codes`` the statistics of the content
        and of these features beside the style's.
        """
        code, mixed = self.overall
        overall = self._activated(code(codes))
        grid = self.grid(rgb, transported, features, colorize, mixed(overall))
        rows, columns = window
        mapped = transported[:, :, rows, columns] + self.changes(rgb, transported, grid, window)
        return mapped, self.to_closing(overall).float().sigmoid()[:, :, None, None]

    def grid(
        self, rgb: Tensor, transported: Tensor, features: Sequence[Tensor], colorize: Colorize, overall: Tensor
    ) -> Tensor:
        """The bilateral grid: ``(N, BINS · 12, ⌈H / 32⌉, ⌈W / 32⌉)``, bins outermost."""
        seen = [F.avg_pool2d(picture, STRIDE) for picture in (rgb, transported)]
        for level, x in enumerate(features, start=1):
            pooled = F.avg_pool2d(x, STRIDE >> (level - 1))
            seen += [pooled, colorize(level, pooled)]
        x = self._activated(_normalised(self.gather(torch.cat(seen, dim=1))))
        for convolution in self.shrink:
            x = self._activated(convolution(x))
        x = x + overall[:, :, None, None]
        for convolution in self.local:
            x = x + self._activated(convolution(x))
        return self.to_grid(x)  # type: ignore[no-any-return]

    def changes(
        self, rgb: Tensor, transported: Tensor, grid: Tensor, window: Window = (slice(None), slice(None))
    ) -> Tensor:
        """Slice the grid with the picture's luma and apply its 3×4 maps to the transported colours."""
        rows, columns = (_centres(size, rgb.device)[part] for size, part in zip(rgb.shape[2:], window, strict=True))
        rgb, transported = (x[:, :, window[0], window[1]] for x in (rgb, transported))
        volume = grid.float().reshape(len(rgb), BINS, _COEFFICIENTS, *grid.shape[2:]).transpose(1, 2)
        luma = (rgb * self.luma).sum(1).clamp(0, 1)
        # A bin is centred on its luma: black on the first, white on the last.
        depth = (luma * (BINS - 1) + 0.5) * (2 / BINS) - 1
        positions = torch.stack(
            [columns[None, None].expand_as(depth), rows[None, :, None].expand_as(depth), depth], dim=3
        )
        maps = F.grid_sample(volume, positions[:, None], padding_mode="border", align_corners=False)
        return _apply(maps[:, :, 0], transported)

    def _activated(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)


def _convolution(stride: int) -> nn.Conv2d:
    # Padded with zeros, the few cells of a grid would know where the border is, and learn to darken it.
    return nn.Conv2d(_HIDDEN, _HIDDEN, 3, stride=stride, padding=1, padding_mode="replicate")


def _centres(size: int, device: torch.device) -> Tensor:
    """Positions of ``size`` pixels between -1 and 1."""
    return (torch.arange(size, device=device) + 0.5) * (2 / size) - 1


def _normalised(x: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the channels of each position: features of all levels on one scale."""
    centred = x - x.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()


def _apply(maps: Tensor, rgb: Tensor) -> Tensor:
    """``(N, 12, H, W)`` 3×4 colour maps on RGB ``(N, 3, H, W)``."""
    red, green, blue, offset = torch.split(maps, 3, dim=1)
    moved: Tensor = red * rgb[:, 0:1] + green * rgb[:, 1:2] + blue * rgb[:, 2:3] + offset
    return moved
