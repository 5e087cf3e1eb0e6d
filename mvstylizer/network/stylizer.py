"""The stylizer of Figure 4: encoder → colorization → decoder → meta-smoothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mvstylizer.network.colorization import Colorization, ColorizationName, OptimalTransport, colorization
from mvstylizer.network.decoder import Decoder
from mvstylizer.network.encoder import STRIDE, Encoder, EncoderName
from mvstylizer.network.grid_decoder import GridDecoder, Window
from mvstylizer.network.smoothing import MetaSmoothing

DecoderName = Literal["grid", "mirrored"]

PASSES = 2
"""How often the grid decoder looks at what it has made of the picture and mends it."""
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
        return self.perceive(photo)[1]

    def perceive(self, photo: Tensor) -> tuple[list[Tensor], Tensor]:
        """A picture as the encoder sees it: features of its four levels, finest first, and its style code."""
        padded = pad(photo)
        features: list[Tensor] = self.encoder(padded)
        return features, self._statistics([padded, *features])

    def by_level(self, code: Tensor) -> dict[int, Tensor]:
        """The parts of style codes ``(N, code_size)`` by level, 0 the picture's own colours, 4 relu4_1.

        Each begins with the channels' means; what is left says how they spread.
        """
        parts = torch.split(code, list(self._code_sizes.values()), dim=1)
        return dict(zip(self._code_sizes, parts, strict=True))

    def forward(self, rgb: Tensor, code: Tensor, r: float = 1.0, passes: int = PASSES) -> Tensor:
        """The stylized picture ``(N, 3, round(r·H), round(r·W))``; may leave 0..1 slightly, callers clamp."""
        decoded = self.decode(rgb, code, passes).float()
        # The last step makes the pixels: half precision would band smooth skies.
        with torch.autocast(rgb.device.type, enabled=False):
            return self.smoothing(decoded, r)  # type: ignore[no-any-return]

    def decode(self, rgb: Tensor, code: Tensor, passes: int = PASSES) -> Tensor:
        """The decoder's picture I_cs, at the size of ``rgb``: everything before the meta-smoothing.

        Of several ``passes`` (the grid decoder's), only the last is differentiated.
        """
        padded, window = pad(rgb), window_of(rgb)
        if isinstance(self.decoder, GridDecoder):
            return self._mapped(self.decoder, padded, code, window, passes)
        style = self.by_level(code)

        def colorize(level: int, x: Tensor) -> Tensor:
            if level not in style:
                return x
            way = self._ways[level]
            return _colorized(way, x, _statistics(way, x), style[level])

        return crop(self.decoder(self.encoder(padded), colorize), window)

    def _mapped(self, decoder: GridDecoder, padded: Tensor, code: Tensor, window: Window, passes: int) -> Tensor:
        transport = self._ways[0]
        picture = _colorized(transport, padded, _statistics(transport, padded), self.by_level(code)[0])
        with torch.no_grad():
            for _ in range(passes - 1):
                picture = self._mended(decoder, padded, picture, code)
        return self._mended(decoder, padded, picture, code, window)

    def _mended(
        self, decoder: GridDecoder, padded: Tensor, picture: Tensor, code: Tensor,
        window: Window = (slice(None), slice(None)),
    ) -> Tensor:  # fmt: skip
        """The ``window`` of a picture that is nearer to the style than ``picture``, a map of ``padded``'s colours."""
        style, transport = self.by_level(code), self._ways[0]
        # What is still missing shows best in features of the picture as far as it has come.
        features = self.encoder(picture.clamp(0, 1))
        statistics = self._statistics([padded, *features])
        own = self.by_level(statistics)

        def colorize(level: int, x: Tensor) -> Tensor:
            return _colorized(self._ways[level], x, own[level], style[level])

        codes = torch.cat([statistics, code], dim=1)
        mapped, closing = decoder(padded, picture, features, colorize, codes, window)
        own_colours = _statistics(transport, mapped.clamp(0, 1))
        # Some of what the maps lost of the style's overall colours comes back; all of it would undo local light.
        return torch.lerp(mapped, _colorized(transport, mapped, own_colours, style[0]), closing)

    def _statistics(self, levels: list[Tensor]) -> Tensor:
        return torch.cat([_statistics(way, levels[level]) for level, way in self._ways.items()], dim=1)


# Statistics and matrix roots in half precision would lose small eigenvalues, and training's codes not be the release's.
def _statistics(way: Colorization, features: Tensor) -> Tensor:
    with torch.autocast(features.device.type, enabled=False):
        return way.statistics(features.float())


def _colorized(way: Colorization, features: Tensor, own: Tensor, style: Tensor) -> Tensor:
    with torch.autocast(features.device.type, enabled=False):
        return way(features.float(), own, style)  # type: ignore[no-any-return]


def pad(rgb: Tensor) -> Tensor:
    """Mirror the borders by a margin, and on to multiples of the encoder's stride."""
    for dimension in (2, 3):
        size = rgb.shape[dimension]
        padded = (size + 2 * _MARGIN + STRIDE - 1) // STRIDE * STRIDE
        rgb = rgb.index_select(dimension, _mirrored(size, padded, rgb.device))
    return rgb


def window_of(rgb: Tensor) -> Window:
    """Where ``rgb`` lies in what ``pad`` makes of it."""
    height, width = rgb.shape[2:]
    return slice(_MARGIN, _MARGIN + height), slice(_MARGIN, _MARGIN + width)


def crop(rgb: Tensor, window: Window) -> Tensor:
    """Undo ``pad``."""
    return rgb[:, :, window[0], window[1]]


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
