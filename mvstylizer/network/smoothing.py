"""The meta-smoothing box of Figure 4 (Eqs. 3 and 4): any output size from one kernel, then a smoothing convolution.

The paper leaves open how Q(r), "a matrix filled with r", acts for a factor that is no integer. Read here: Eq. 4's
W_u^r = Q(r) * W_u^1 is a convolution, Q(r) the filter filled with one value over r output pixels (applied twice, a
triangle, so that neighbours blend), with r in the role of the gain that makes up for the zeros a deconvolution inserts.
Deconvolving with it is bilinear resampling by r followed by the meta kernel: for r = 1 a plain convolution, for every
r > 0 well defined, and a constant picture stays constant. Below 1 the triangle widens with 1/r (antialiasing).
"""

import torch
from torch import Tensor, nn

from mvstylizer.release import output_shape

_SIZE = 5


class MetaSmoothing(nn.Module):
    """RGB ``(N, 3, H, W)`` and a factor r > 0 → RGB ``(N, 3, round(r·H), round(r·W))``."""

    def __init__(self) -> None:
        super().__init__()
        self.meta = _identity_convolution()
        self.smoothing = _identity_convolution()

    def forward(self, rgb: Tensor, r: float = 1.0) -> Tensor:
        return self.smooth(resample(rgb, r))

    def smooth(self, rgb: Tensor) -> Tensor:
        """The two 5×5 convolutions of Eq. 3, at the output's size."""
        return self.smoothing(self.meta(rgb))  # type: ignore[no-any-return]


def resample(rgb: Tensor, r: float) -> Tensor:
    """Resampling by r with a triangle filter: Q(r) of Eq. 4. As two matrix products it is the same in every runtime."""
    height, width = rgb.shape[2:]
    new_height, new_width = output_shape(height, width, r)
    if (new_height, new_width) == (height, width):
        return rgb
    return triangle_weights(height, new_height) @ rgb @ triangle_weights(width, new_width).T


def triangle_weights(size: int, new_size: int) -> Tensor:
    """Resampling matrix ``(new_size, size)``: rows of a triangle one source pixel wide, or 1/r where that is wider."""
    step = size / new_size
    centre = (torch.arange(new_size, dtype=torch.float32) + 0.5) * step - 0.5
    distance = (centre[:, None] - torch.arange(size, dtype=torch.float32)).abs() / max(1.0, step)
    weights = (1 - distance).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def _identity_convolution() -> nn.Conv2d:
    convolution = nn.Conv2d(3, 3, _SIZE, padding=_SIZE // 2, padding_mode="replicate")
    with torch.no_grad():
        convolution.weight.zero_()
        for channel in range(3):
            convolution.weight[channel, channel, _SIZE // 2, _SIZE // 2] = 1
        if convolution.bias is not None:
            convolution.bias.zero_()
    return convolution
