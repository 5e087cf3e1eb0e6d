"""The encoder box of Figure 4: VGG-19 up to relu4_1, in full (`vgg19`) or thinned and distilled (`compact`).

Features are read after the first convolution of each of the four blocks (relu1_1, relu2_1, relu3_1, relu4_1) at
1, 1/2, 1/4 and 1/8 of the input's size. The encoder stays frozen while the rest of the stylizer is trained
(paper §4.2).
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvstylizer.errors import InputError

EncoderName = Literal["compact", "vgg19"]
LEVELS = 4
STRIDE = 2 ** (LEVELS - 1)
"""Input sides must be multiples of this, so that a decoder can mirror the pooling exactly."""

# VGG-19's convolutions in order: (block, index within the block); pooling lies between the blocks.
_LAYERS = ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (3, 4), (4, 1))
_WIDTHS: dict[str, tuple[int, ...]] = {"compact": (16, 32, 64, 64), "vgg19": (64, 128, 256, 512)}
_TORCHVISION_INDEX = (0, 2, 5, 7, 10, 12, 14, 16, 19)
"""Position of each convolution in torchvision's ``vgg19().features``."""

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Encoder(nn.Module):
    """RGB pictures ``(N, 3, H, W)`` in 0..1 → features of four levels; H and W multiples of ``STRIDE``.

    ``negative_slope`` is 0 (ReLU) for VGG-19 itself; the compact encoder is trained with a leak so that its
    thin layers do not die.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: EncoderName = "compact") -> None:
        super().__init__()
        self.name = name
        self.widths = _WIDTHS[name]
        self.negative_slope = 0.1 if name == "compact" else 0.0
        self.convolutions = nn.ModuleDict()
        channels = 3
        for block, index in _LAYERS:
            width = self.widths[block - 1]
            self.convolutions[f"conv{block}_{index}"] = nn.Conv2d(channels, width, 3, padding=1)
            channels = width
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Features at relu1_1 … relu4_1: ``(N, widths[l], H / 2^l, W / 2^l)`` for l = 0..3."""
        x = (rgb - self.mean) / self.std
        levels = []
        for block, index in _LAYERS:
            if block > 1 and index == 1:
                x = F.max_pool2d(x, 2)
            x = F.leaky_relu(self.convolutions[f"conv{block}_{index}"](x), self.negative_slope)
            if index == 1:
                levels.append(x)
        return levels


def load_imagenet_weights(encoder: Encoder) -> None:
    """Fill a ``vgg19`` encoder with torchvision's ImageNet weights, fetched the first time (548 MB).

    Raises:
        InputError: torchvision is not installed or its weights cannot be fetched.
    """
    try:
        # torchvision breaks on import beside a torch of another build; only who asks for VGG-19 pays for that.
        from torchvision.models import VGG19_Weights, vgg19

        features = vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"VGG-19's ImageNet weights cannot be had from torchvision ({error}); run once with internet access, "
            "put vgg19-dcbb9e9d.pth into ~/.cache/torch/hub/checkpoints, or use the 'compact' encoder"
        ) from error
    for (block, index), position in zip(_LAYERS, _TORCHVISION_INDEX, strict=True):
        encoder.convolutions[f"conv{block}_{index}"].load_state_dict(features[position].state_dict())
