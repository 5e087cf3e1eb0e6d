"""The locally affine projection: the device's own fit, differentiable."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvstylizer.network.projection import locally_affine
from mvstylizer.propagation.affine import RADIUS, RIDGE, fit_affine
from mvstylizer.video import ColourSpace, rgb_to_yuv, yuv_to_rgb
from tests.networks import smooth_picture

YUV = torch.tensor([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])


def relit(content: Tensor, gains: tuple[float, ...], offsets: tuple[float, ...]) -> Tensor:
    """A gain and an offset for each YUV plane."""
    yuv = torch.einsum("ij,njhw->nihw", YUV, content)
    yuv = yuv * torch.tensor(gains).view(1, 3, 1, 1) + torch.tensor(offsets).view(1, 3, 1, 1)
    return torch.einsum("ij,njhw->nihw", torch.linalg.inv(YUV), yuv)


def on_the_device(stylized: Tensor, content: Tensor) -> NDArray[np.float32]:
    """What the device's own fit makes of the two pictures, ``(H, W, 3)`` in 0..1."""
    colour = ColourSpace("bt601", "full")
    frame, wanted = (
        rgb_to_yuv(np.ascontiguousarray(x[0].permute(1, 2, 0).numpy() * 255), colour) for x in (content, stylized)
    )
    gain, offset = fit_affine(frame, wanted, RADIUS, RIDGE)
    return np.asarray(yuv_to_rgb(gain * frame + offset, colour) / 255, np.float32)


def test_gain_and_offset_of_planes_pass_unchanged() -> None:
    """A change of light and colour that a field can carry comes through, with hardly any ridge exactly."""
    content = smooth_picture(90, 120, count=2)
    stylized = relit(content, (0.8, 1.2, 0.6), (0.1, -0.05, 0.08))
    torch.testing.assert_close(locally_affine(stylized, content, ridge=1e-7), stylized, rtol=0, atol=5e-3)
    assert (locally_affine(stylized, content) - stylized).abs().mean() < 0.01


def test_the_content_itself_passes_unchanged() -> None:
    """Where nothing was stylized, nothing is changed."""
    content = smooth_picture(64, 64)
    assert (locally_affine(content, content) - content).abs().mean() < 0.01


def test_what_no_field_can_carry_is_taken_away() -> None:
    """Texture that is not the content's is removed: it would not reach the user either."""
    content = smooth_picture(96, 96)
    texture = 0.2 * (torch.rand(content.shape, generator=torch.Generator().manual_seed(0)) - 0.5)
    left = locally_affine(content + texture, content) - locally_affine(content, content)
    assert left.std() < 0.15 * texture.std()


def test_it_is_the_devices_fit() -> None:
    """At the proxy's size it gives what the device makes of the same two pictures, within a code value or two."""
    content, other = smooth_picture(288, 512, 1), smooth_picture(288, 512, 2)
    stylized = 0.6 * relit(content, (0.7, 1.1, 0.9), (0.2, 0.03, -0.05)) + 0.4 * (content * (0.5 + other))
    expected = on_the_device(stylized, content)
    result = locally_affine(stylized, content)[0].permute(1, 2, 0).numpy()
    assert np.abs(result - expected).mean() < 0.003
    assert np.abs(result - expected)[24:-24, 24:-24].max() < 0.02


def test_faint_pictures_get_the_devices_gain_too() -> None:
    """Where hardly anything varies, gain is drawn towards the whole picture's as on the device, not to 0 or 1."""
    content = 0.5 + 0.03 * (smooth_picture(144, 256, 4) - 0.5)
    stylized = 0.4 + 3 * (content - 0.5)
    expected = on_the_device(stylized, content)
    assert locally_affine(stylized, content).std().item() == pytest.approx(expected.std(), rel=0.03)


def test_gradients_reach_every_pixel() -> None:
    """Training through the projection has a finite gradient, also where the content is flat."""
    for content in (smooth_picture(40, 48), torch.full((1, 3, 40, 48), 0.5)):
        stylized = smooth_picture(40, 48, 3).requires_grad_()
        locally_affine(stylized, content).square().mean().backward()  # type: ignore[no-untyped-call]
        assert stylized.grad is not None and stylized.grad.isfinite().all() and (stylized.grad != 0).all()


@pytest.mark.parametrize("size", [(33, 65), (48, 30)])
def test_any_size_comes_back(size: tuple[int, int]) -> None:
    """Odd sizes and r's sizes keep their shape."""
    content = smooth_picture(*size)
    assert locally_affine(content, content).shape == content.shape
