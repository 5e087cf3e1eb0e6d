"""Eq. 5 as an edge can compute it: from a key frame and a style code, with the stylizer's own frozen encoder.

Content: distance of the encoder's features at relu3_1 and relu4_1. Style: distance of the output's own style code to
the wanted one. Beside them, as in training, the edges that are lost or invented.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mvstylizer.network.colorization import OptimalTransport
from mvstylizer.network.objective import content_term, cost_of_share, edge_similarity
from mvstylizer.network.projection import locally_affine
from mvstylizer.network.smoothing import resample
from mvstylizer.network.stylizer import Stylizer

_CONTENT_LEVELS = (2, 3)
"""relu3_1 and relu4_1 of a list that starts with relu1_1."""
_NEAR = 0.05
"""Distance of codes that counts as next to nothing: a share of less would be noise."""
_FAR_ENOUGH = 0.01
"""Loss of edges that counts as next to nothing."""
_FAINT = 1e-2
"""Length of a part of a style code, such as a grey style's covariances, below which it says nothing."""


@dataclass(frozen=True)
class Weights:
    """Of the objective's parts, beside 1 for the content."""

    style: float = 6.0
    """λ of Eq. 5."""
    edges: float = 0.4


OURS = Weights()


@dataclass(frozen=True)
class FrameLoss:
    """The parts of the objective, scalars."""

    content: Tensor
    style: Tensor
    lost: Tensor
    """Lost and invented edges, as a share of what the closed form loses."""
    edges: Tensor
    """Edge similarity."""

    def total(self, weights: Weights) -> Tensor:
        """What is minimised."""
        return self.content + weights.style * self.style + weights.edges * self.lost

    def detached(self) -> "FrameLoss":
        """The same without what is needed to differentiate it."""
        return FrameLoss(*(part.detach() for part in (self.content, self.style, self.lost, self.edges)))


def frame_loss(
    stylizer: Stylizer, output: Tensor, content: Tensor, code: Tensor, r: float = 1.0, projected: bool = False
) -> FrameLoss:
    """The objective on pictures ``(N, 3, H, W)`` in 0..1 with style codes ``(N, code_size)``.

    ``output`` is what ``stylizer`` makes of ``content`` at this r. ``projected`` judges what the device makes of that.
    """
    with torch.no_grad():
        yardstick = resample(closed_form_of_code(stylizer, content, code).clamp(0, 1), r)
        content = resample(content, r)
        seen, codes = stylizer.perceive(torch.cat([content, yardstick]))
        content_features = [features[: len(content)] for features in seen]
        reached = code_distance(stylizer, codes[len(content) :], code)
        lost_by_yardstick = 1 - edge_similarity(yardstick, content)
    if projected:
        output = locally_affine(output, content)
    features, own = stylizer.perceive(output)
    edges = edge_similarity(output, content)
    return FrameLoss(
        torch.stack([content_term(features[i], content_features[i]) for i in _CONTENT_LEVELS]).mean(),
        cost_of_share(code_distance(stylizer, own, code) / (reached + _NEAR)),
        cost_of_share((1 - edges) / (lost_by_yardstick + _FAR_ENOUGH)),
        edges.mean(),
    )


def code_distance(stylizer: Stylizer, code: Tensor, wanted: Tensor) -> Tensor:
    """How far style codes are from the wanted ones: ``(N,)``, 0 at best, about 1 for styles that share nothing.

    Each level's means and spreads are compared relative to the wanted ones' own length and all count the same: plain
    distances would be those of the levels with the most channels.
    """
    channels = (3, *stylizer.encoder.widths)
    squares = []
    levels = stylizer.by_level(wanted)
    for level, part in stylizer.by_level(code).items():
        for own, other in zip(_halves(part, channels[level]), _halves(levels[level], channels[level]), strict=True):
            squares.append((own - other).square().sum(1) / (other.square().sum(1) + _FAINT**2))
    return (torch.stack(squares).mean(0) + 1e-8).sqrt()


def closed_form_of_code(stylizer: Stylizer, content: Tensor, code: Tensor) -> Tensor:
    """The content after the transport of its colours to the code's: the yardstick.

    The content itself for stylizers whose codes do not hold the style's own colours.
    """
    wanted = stylizer.by_level(code).get(0)
    if wanted is None:
        return content
    transport = OptimalTransport()
    moved: Tensor = transport(content, transport.statistics(content), wanted)
    return moved


def _halves(part: Tensor, channels: int) -> list[Tensor]:
    """Means and, where the way of colorization keeps them, spreads."""
    return [half for half in (part[:, :channels], part[:, channels:]) if half.shape[1]]
