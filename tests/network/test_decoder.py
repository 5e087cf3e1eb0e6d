"""The mirrored decoder: the paper's own, and what skips add to it."""

import pytest
import torch
from torch import Tensor

from mvstylizer.network.decoder import Decoder
from mvstylizer.network.encoder import Encoder
from tests.networks import smooth_picture

WIDTHS = (4, 6, 8, 10)


def level_features(height: int, width: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(2, channels, height >> level, width >> level, generator=generator)
        for level, channels in enumerate(WIDTHS)
    ]


def untouched(_: int, features: Tensor) -> Tensor:
    return features


@pytest.mark.parametrize("skips", [True, False])
def test_pictures_have_the_encoders_size(skips: bool) -> None:
    """Four levels of features become one RGB picture at the size of the finest."""
    assert Decoder(WIDTHS, skips)(level_features(16, 40), untouched).shape == (2, 3, 16, 40)


def test_every_level_is_offered_for_colorization() -> None:
    """Levels are offered from the deepest to the finest, each in its own width and size."""
    seen: list[tuple[int, tuple[int, ...]]] = []

    def colorize(level: int, features: Tensor) -> Tensor:
        seen.append((level, tuple(features.shape)))
        return features

    Decoder(WIDTHS)(level_features(16, 24), colorize)
    assert seen == [(4, (2, 10, 2, 3)), (3, (2, 8, 4, 6)), (2, (2, 6, 8, 12)), (1, (2, 4, 16, 24))]


def test_convolutions_mirror_the_encoder() -> None:
    """As many convolutions as the encoder has, in the opposite order of widths, and one to RGB."""
    encoder, decoder = Encoder("compact"), Decoder(Encoder("compact").widths)
    shapes = [tuple(p.shape) for name, p in decoder.named_parameters() if name.endswith("weight")]
    forward = [tuple(p.shape) for name, p in encoder.named_parameters() if name.endswith("weight")]
    assert [(b, a) for a, b, *_ in reversed(shapes)] == [(a, b) for a, b, *_ in forward]


def test_without_skips_only_the_deepest_level_counts() -> None:
    """The paper's decoder sees nothing but relu4_1; with skips finer features carry detail across."""
    features = level_features(16, 16)
    others = [*level_features(16, 16, seed=1)[:3], features[3]]
    paper, ours = Decoder(WIDTHS, skips=False), Decoder(WIDTHS, skips=True)
    with torch.no_grad():
        torch.testing.assert_close(paper(features, untouched), paper(others, untouched), rtol=0, atol=0)
        assert (ours(features, untouched) - ours(others, untouched)).abs().max() > 1e-4


def test_skips_carry_only_what_pooling_loses() -> None:
    """Finer features that are flat within every 2×2 cell add nothing."""
    features = level_features(16, 16)
    cells = [x.repeat_interleave(2, 2).repeat_interleave(2, 3) for x in level_features(8, 8, seed=2)]
    decoder = Decoder(WIDTHS, skips=True)
    with torch.no_grad():
        flat = decoder([*cells[:3], features[3]], untouched)
        none = decoder([*(torch.zeros_like(x) for x in cells[:3]), features[3]], untouched)
    torch.testing.assert_close(flat, none, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_weight() -> None:
    """One step of training can move every convolution."""
    encoder = Encoder("compact")
    decoder = Decoder(encoder.widths)
    decoder(encoder(smooth_picture(32, 32)), untouched).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in decoder.parameters())
