"""Settings of a training run: ours by default, and the paper's own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run; ``PAPER`` has the paper's own."""

    steps: int = 8000
    batch: int = 4
    crop: int = 192
    learning_rate: float = 1e-3
    beta1: float = 0.9
    style_weight: float = 6.0
    """λ of Eq. 5; the paper has 1."""
    colour_weight: float = 3.0
    """Of the distance of colours to the style, beside Eq. 5."""
    edge_weight: float = 0.4
    """Of lost and invented edges, beside Eq. 5."""
    projected_share: float = 0.5
    """Share of steps whose objective sees the locally affine projection of the output, as users do."""
    identity_share: float = 0.1
    """Share of steps in which the style is the content itself and the output must be the content."""
    known_share: float = 0.1
    """Share of steps whose style is another part of the content's photo in a random look: the answer is known."""
    toned_share: float = 0.25
    """Share of steps with grey contents and styles of a single tone, whose hues the output may not leave."""
    resized_share: float = 0.15
    """Share of steps with a random r in 0.5..2 instead of 1, for the meta-smoothing."""
    cosine: bool = True
    average_decay: float = 0.999
    """Of the exponential moving average of the weights, which is what is exported."""
    seed: int = 1
    save_every: int = 250
    bf16: bool = True


PAPER = TrainConfig(
    batch=2,
    learning_rate=1e-4,
    beta1=0.5,
    style_weight=1.0,
    colour_weight=0.0,
    edge_weight=0.0,
    projected_share=0.0,
    identity_share=0.0,
    known_share=0.0,
    toned_share=0.0,
    cosine=False,
    average_decay=0.0,
    bf16=False,
)
"""Paper §4.2: Adam with β₁ = 0.5, β₂ = 0.999, learning rate 1e-4, batch 2, λ = 1."""
