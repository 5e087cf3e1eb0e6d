"""The decoder box of Figure 4: the encoder mirrored, from relu4_1 back to a picture.

Beyond the paper, features can be colorized again at every finer level, and the encoder's high frequencies, which
pooling loses, can be carried across (Chiu and Gurari, "PhotoWCT2", WACV 2022; "PCA-KD", CVPR 2022). The paper's own
decoder is ``levels=(4,)`` without ``skips``; how it upsamples, activates and pads is not said, and chosen here.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from mvstylizer.network.encoder import LEVELS

Colorize = Callable[[int, Tensor], Tensor]
"""Colorizes features of a level (1 the finest, 4 the deepest)."""


class Decoder(nn.Module):
    """Encoder features → RGB ``(N, 3, H, W)``, not clamped.

    Mirrors VGG's convolutions per block: one at level 4, four at level 3, two at levels 2 and 1.
    """

    def __init__(self, widths: Sequence[int], skips: bool = True, negative_slope: float = 0.1) -> None:
        super().__init__()
        self.skips = skips
        self.negative_slope = negative_slope
        one, two, three, four = widths
        self.blocks = nn.ModuleList(
            [
                _convolutions(four, three, 1),
                _convolutions(three, two, 4),
                _convolutions(two, one, 2),
                _convolutions(one, one, 1),
            ]
        )
        self.to_rgb = nn.Conv2d(one, 3, 3, padding=1)

    def forward(self, features: Sequence[Tensor], colorize: Colorize) -> Tensor:
        """``features`` are the encoder's four levels, finest first."""
        x = features[-1]
        for level, block in zip(range(LEVELS, 0, -1), self.blocks, strict=True):
            if level < LEVELS:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
                if self.skips:
                    x = x + _high_frequencies(features[level - 1])
            x = colorize(level, x)
            for convolution in cast(nn.ModuleList, block):
                x = F.leaky_relu(convolution(x), self.negative_slope)
        return self.to_rgb(x)  # type: ignore[no-any-return]


def _convolutions(channels: int, to: int, count: int) -> nn.ModuleList:
    """``count`` convolutions, the last of which goes to the next block's width."""
    widths = [channels] * count + [to]
    return nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))


def _high_frequencies(features: Tensor) -> Tensor:
    """What 2×2 pooling loses of these features."""
    return features - F.interpolate(F.avg_pool2d(features, 2), scale_factor=2.0, mode="nearest")
