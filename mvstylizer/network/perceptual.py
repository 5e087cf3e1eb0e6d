"""The frozen network that the objective looks through: the "16x proxy", a 16-times pruned VGG-19.

Its weights (Wang et al., "Collaborative Distillation for Ultra-Resolution Universal Style Transfer", CVPR 2020)
stand in for VGG-19's where ImageNet's cannot be downloaded; it is never called VGG-19 in results.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from mvstylizer.errors import InputError

_ORDER = (
    "11",
    "12",
    "pool",
    "21",
    "22",
    "pool",
    "31",
    "32",
    "33",
    "34",
    "pool",
    "41",
    "42",
    "43",
    "44",
    "pool",
    "51",
)


class SixteenfoldProxy(nn.Module):
    """RGB ``(N, 3, H, W)`` in 0..1 → features at relu1_1 … relu5_1.

    ``thin`` features have 16, 32, 64, 128, 128 channels; ``forward`` maps them by 1×1 convolutions into VGG-19's own
    spaces of 64, 128, 256, 512, 512 channels. H and W must be at least 32.
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict()
        for key in (name.removesuffix(".weight") for name in weights if name.endswith(".weight")):
            out_channels, in_channels, size, _ = weights[f"{key}.weight"].shape
            convolution = nn.Conv2d(
                in_channels,
                out_channels,
                size,
                padding=size // 2,
                padding_mode="reflect" if size > 1 else "zeros",
            )
            convolution.load_state_dict({"weight": weights[f"{key}.weight"], "bias": weights[f"{key}.bias"]})
            self.convolutions[key] = convolution
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: Path) -> "SixteenfoldProxy":
        """Read the safetensors file; raises InputError where it is missing or of another shape."""
        try:
            proxy = cls(load_file(path))
            proxy(torch.zeros(1, 3, 32, 32))  # Tensors of another network fail here, not in the middle of a run.
        except (OSError, KeyError, RuntimeError, ValueError, SafetensorError) as error:
            raise InputError(
                f"{path} cannot be read as the 16x proxy's weights ({error}); name its safetensors file with --teacher"
            ) from error
        return proxy

    def thin(self, rgb: Tensor, levels: int = 5) -> list[Tensor]:
        """The pruned features themselves at the first ``levels`` of relu1_1 … relu5_1."""
        x = self.convolutions["conv0"](rgb)
        features: list[Tensor] = []
        for name in _ORDER:
            if name == "pool":
                if len(features) == levels:
                    break
                x = F.max_pool2d(x, 2)
                continue
            x = torch.relu(self.convolutions[f"conv{name}"](x))
            if name.endswith("1"):
                features.append(x)
        return features

    def wide(self, thin: list[Tensor]) -> list[Tensor]:
        """Thin features, finest first, in VGG-19's spaces."""
        return [torch.relu(self.convolutions[f"conv{level}1_aux"](x)) for level, x in enumerate(thin, start=1)]

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Features in VGG-19's spaces, finest first."""
        return self.wide(self.thin(rgb))
