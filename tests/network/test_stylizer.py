"""The whole stylizer: any size of picture, any variant of its boxes."""

import json
from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from mvstylizer.network.colorization import ColorizationName, OptimalTransport
from mvstylizer.network.stylizer import PAPER, Stylizer, StylizerConfig, config_from, crop, pad, window_of
from tests.networks import perturbed_stylizer, smooth_picture

SIZES = [(1, 1), (5, 7), (101, 67)]
CONFIGS = [
    StylizerConfig(),
    StylizerConfig(colorization="wct"),
    StylizerConfig(decoder="mirrored", colorization="mean", levels=(4,), skips=False),
    StylizerConfig(decoder="mirrored"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_works(config: StylizerConfig, size: tuple[int, int]) -> None:
    """Pictures and photos from one pixel on give finite output of the size asked for."""
    stylizer = perturbed_stylizer(config)
    with torch.no_grad():
        for photo in (smooth_picture(*size), smooth_picture(24, 40)):
            code = stylizer.encode_style(photo)
            assert code.shape == (1, stylizer.code_size) and code.isfinite().all()
            for r in (1.0, 2.0):
                result = stylizer(smooth_picture(*size, seed=1), code, r)
                assert result.shape == (1, 3, round(r * size[0]), round(r * size[1]))
                assert result.isfinite().all()


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_members_of_a_batch_do_not_see_each_other(config: StylizerConfig) -> None:
    """A batch gives what its pictures give one by one."""
    stylizer = perturbed_stylizer(config)
    pictures, photos = smooth_picture(24, 32, 2, count=2), smooth_picture(40, 24, 3, count=2)
    with torch.no_grad():
        both = stylizer(pictures, stylizer.encode_style(photos))
        single = [stylizer(pictures[i : i + 1], stylizer.encode_style(photos[i : i + 1])) for i in range(2)]
    torch.testing.assert_close(both, torch.cat(single), rtol=1e-3, atol=1e-4)


def test_untrained_it_is_the_closed_form_transport() -> None:
    """Before training the default stylizer is optimal transport between the colours of picture and photo.

    It is transported once as a whole with its margins, and in each pass half-way again as what is left of it.
    """
    torch.manual_seed(0)
    stylizer, transport = Stylizer().eval(), OptimalTransport()

    def half_way(moved: Tensor) -> Tensor:
        again: Tensor = transport(moved, transport.statistics(moved.clamp(0, 1)), code)
        return (moved + again) / 2

    picture, photo = smooth_picture(37, 50, 4), smooth_picture(30, 30, 5)
    with torch.no_grad():
        result = stylizer(picture, stylizer.encode_style(photo))
        padded = pad(picture)
        code = transport.statistics(pad(photo))
        moved = transport(padded, transport.statistics(padded), code)
        moved = crop(half_way(moved), window_of(picture))
        expected = half_way(moved)
        own = stylizer(picture, stylizer.encode_style(picture))
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(own, picture, rtol=0, atol=0.01)


def test_each_pass_goes_on_from_the_one_before() -> None:
    """Two passes are neither one nor one done twice: the second still sees the picture itself. Only it is learned."""
    stylizer = perturbed_stylizer(StylizerConfig())
    picture, code = smooth_picture(37, 50, 4), stylizer.encode_style(smooth_picture(30, 30, 5))
    once, twice = (stylizer.decode(picture, code, passes) for passes in (1, 2))
    again = stylizer.decode(once.detach(), code, 1)
    assert (twice - once).abs().max() > 1e-3 and (twice - again).abs().max() > 1e-3
    torch.testing.assert_close(twice, stylizer.decode(picture, code))
    twice.sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for p in stylizer.decoder.parameters())


def test_only_chosen_levels_are_colorized() -> None:
    """With levels=(4,) the code is relu4_1's alone, and the content's own changes nothing of the decoder's picture."""
    stylizer = perturbed_stylizer(StylizerConfig(colorization="mean", decoder="mirrored", levels=(4,)))
    assert stylizer.code_size == stylizer.encoder.widths[3]
    picture = smooth_picture(32, 40, 6)
    with torch.no_grad():
        own = stylizer.encode_style(picture)
        torch.testing.assert_close(own, stylizer.encoder(pad(picture))[3].mean((2, 3)))
        plain = crop(stylizer.decoder(stylizer.encoder(pad(picture)), lambda _, x: x), window_of(picture))
        torch.testing.assert_close(stylizer.decode(picture, own), plain, rtol=1e-4, atol=1e-5)
        assert (stylizer.decode(picture, own + 1) - plain).abs().max() > 1e-4


def test_padding_mirrors_and_is_undone() -> None:
    """Padded sides are multiples of the encoder's stride, padding is mirrored, and crop takes it away."""
    for height, width in [*SIZES, (64, 96)]:
        picture = smooth_picture(height, width, 7)
        padded = pad(picture)
        assert padded.shape[2] % 8 == padded.shape[3] % 8 == 0
        torch.testing.assert_close(crop(padded, window_of(picture)), picture, rtol=0, atol=0)
    torch.testing.assert_close(padded[:, :, 15], padded[:, :, 17])
    torch.testing.assert_close(padded[:, :, :, 16 + 96], padded[:, :, :, 14 + 96])


@pytest.mark.parametrize("name", ["adain", "wct"])
def test_codes_are_exact_in_half_precision_training(name: ColorizationName) -> None:
    """Under autocast the statistics are computed in float32, as the release will: training sees the same codes."""
    stylizer, photo = perturbed_stylizer(StylizerConfig(colorization=name)), smooth_picture(32, 40, 8)
    picture_code = 12
    with torch.no_grad():
        expected = stylizer.encode_style(photo)
        with torch.autocast("cpu", torch.bfloat16):
            code = stylizer.encode_style(photo)
            output = stylizer(photo, code)
    assert code.dtype == output.dtype == torch.float32
    torch.testing.assert_close(code[:, :picture_code], expected[:, :picture_code], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(code, expected, rtol=0.05, atol=0.05 * float(expected.abs().max()))


def test_the_encoder_is_frozen() -> None:
    """The encoder is not trained; everything else is."""
    stylizer = Stylizer()
    frozen = {name for name, p in stylizer.named_parameters() if not p.requires_grad}
    assert frozen == {name for name, _ in stylizer.named_parameters() if name.startswith("encoder.")}


def test_configs_survive_a_manifest() -> None:
    """A config comes back from JSON as it was, and an unknown setting is a TypeError."""
    for config in (*CONFIGS, PAPER):
        assert config_from(json.loads(json.dumps(asdict(config)))) == config
    assert config_from({}) == StylizerConfig()
    for wrong in ({"depth": 5}, {"levels": 4}):
        with pytest.raises(TypeError):
            config_from(dict(wrong))
