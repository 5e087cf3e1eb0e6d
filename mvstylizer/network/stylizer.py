"""The stylizer of Figure 4: encoder → colorization → decoder → meta-smoothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mvstylizer.network.colorization import Colorization, ColorizationName, OptimalTransport, colorization
from mvstylizer.network.decoder import Decoder
from mvstylizer.network.encoder import STRIDE, Encoder, EncoderName
from mvstylizer.network.grid_decoder import GridDecoder
from mvstylizer.network.smoothing import MetaSmoothing

DecoderName = Literal["grid", "mirrored"]

_MARGIN = 16
"""Pixels mirrored around a picture, so that the convolutions' zero padding darkens what is cut away again."""


@dataclass(frozen=True)
class StylizerConfig:
    """Which variant of each box; the paper's own is ``PAPER``."""

    encoder: EncoderName = "compact"
    colorization: ColorizationName = "adain"
    decoder: DecoderName = "grid"
    levels: tuple[int, ...] = (1, 2, 3, 4)
    """Levels at which features are colorized; 4 is relu4_1. The grid decoder needs them all."""
    skips: bool = True
    """Whether the mirrored decoder gets the encoder's high frequencies."""


PAPER = StylizerConfig("vgg19", "mean", "mirrored", levels=(4,), skips=False)


class Stylizer(nn.Module):
    """A picture and a style code → the picture in that style, r times as large.

    Pictures are RGB ``(N, 3, H, W)`` in 0..1 of any size; codes are ``(N, code_size)``.
    """

    def __init__(self, config: StylizerConfig | None = None) -> None:
        super().__init__()
        self.config = config or StylizerConfig()
        self.encoder = Encoder(self.config.encoder)
        self.encoder.requires_grad_(False)
        ways: dict[int, Colorization] = {level: colorization(self.config.colorization) for level in self.config.levels}
        self.decoder: GridDecoder | Decoder
        if self.config.decoder == "grid":
            ways[0] = OptimalTransport()
        channels = (3, *self.encoder.widths)
        self._ways = {level: ways[level] for level in sorted(ways)}
        self._code_sizes = {level: way.code_size(channels[level]) for level, way in self._ways.items()}
        if self.config.decoder == "grid":
            self.decoder = GridDecoder(self.encoder.widths, self.code_size)
        else:
            self.decoder = Decoder(self.encoder.widths, self.config.skips)
        self.smoothing = MetaSmoothing()

    @property
    def code_size(self) -> int:
        """Length of a style code."""
        return sum(self._code_sizes.values())

    def encode_style(self, photo: Tensor) -> Tensor:
        """Style photo → style code: the statistics of the colorized levels, the picture's own first."""
        return self._statistics(self._levels(photo))

    def forward(self, rgb: Tensor, code: Tensor, r: float = 1.0) -> Tensor:
        """The stylized picture ``(N, 3, round(r·H), round(r·W))``; may leave 0..1 slightly, callers clamp."""
        decoded = self.decode(rgb, code).float()
        # The last step makes the pixels: half precision would band smooth skies.
        with torch.autocast(rgb.device.type, enabled=False):
            return self.smoothing(decoded, r)  # type: ignore[no-any-return]

    def decode(self, rgb: Tensor, code: Tensor) -> Tensor:
        """The decoder's picture I_cs, at the size of ``rgb``: everything before the meta-smoothing."""
        codes = dict(zip(self._code_sizes, torch.split(code, list(self._code_sizes.values()), dim=1), strict=True))

        def colorize(level: int, features: Tensor) -> Tensor:
            if level not in codes:
                return features
            # Statistics and matrix roots in half precision would lose the small eigenvalues.
            with torch.autocast(features.device.type, enabled=False):
                return self._ways[level](features.float(), codes[level])  # type: ignore[no-any-return]

        levels = self._levels(rgb)
        if isinstance(self.decoder, GridDecoder):
            decoded = self.decoder(levels, colorize, torch.cat([self._statistics(levels), code], dim=1))
        else:
            decoded = self.decoder(levels[1:], colorize)
        return crop(decoded, rgb.shape[2], rgb.shape[3])

    def _levels(self, rgb: Tensor) -> list[Tensor]:
        """The padded picture and the encoder's levels of it."""
        padded = pad(rgb)
        return [padded, *self.encoder(padded)]

    def _statistics(self, levels: list[Tensor]) -> Tensor:
        # Like colorize: in half precision the training's codes would not be the release's.
        with torch.autocast(levels[0].device.type, enabled=False):
            return torch.cat([way.statistics(levels[level].float()) for level, way in self._ways.items()], dim=1)


def pad(rgb: Tensor) -> Tensor:
    """Mirror the borders by a margin, and on to multiples of the encoder's stride."""
    for dimension in (2, 3):
        size = rgb.shape[dimension]
        padded = (size + 2 * _MARGIN + STRIDE - 1) // STRIDE * STRIDE
        rgb = rgb.index_select(dimension, _mirrored(size, padded, rgb.device))
    return rgb


def crop(rgb: Tensor, height: int, width: int) -> Tensor:
    """Undo ``pad``."""
    return rgb[:, :, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]


def _mirrored(size: int, padded: int, device: torch.device) -> Tensor:
    """Source index of each padded row or column; clamped, so that pictures smaller than the margin work too."""
    position = torch.arange(padded, device=device) - _MARGIN
    position = position.abs()
    last = size - 1
    return (last - (last - position).abs()).clamp(0, last)


def config_from(values: dict[str, object]) -> StylizerConfig:
    """A config from a manifest's JSON; raises TypeError for unknown names."""
    levels = values.get("levels", StylizerConfig.levels)
    if not isinstance(levels, Sequence):
        raise TypeError(f"levels must be a list, not {levels!r}")
    return StylizerConfig(**{**values, "levels": tuple(levels)})  # type: ignore[arg-type]
