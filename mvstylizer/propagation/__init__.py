"""How intermediate frames get their look from key frames: `warp` (the paper's Algorithm 1) or `affine` (ours)."""

from mvstylizer.flow import FlowEstimator
from mvstylizer.propagation.affine import AffinePropagation
from mvstylizer.propagation.look import Look, Propagation, PropagationName, check_strength
from mvstylizer.propagation.warp import WarpPropagation
from mvstylizer.video import ColourSpace

__all__ = [
    "AffinePropagation",
    "Look",
    "Propagation",
    "PropagationName",
    "WarpPropagation",
    "check_strength",
    "propagation",
]


def propagation(name: PropagationName, colour: ColourSpace, flow: FlowEstimator) -> Propagation:
    """The way of propagation of that name, for frames in that colour space."""
    return AffinePropagation(colour, flow) if name == "affine" else WarpPropagation(colour, flow)
