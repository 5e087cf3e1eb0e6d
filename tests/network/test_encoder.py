"""The encoder: VGG's shape at four levels, in two widths."""

from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mvstylizer.errors import InputError
from mvstylizer.network.encoder import LEVELS, STRIDE, Encoder, EncoderName, load_imagenet_weights
from tests.networks import TEACHER, smooth_picture

ORDER = ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv3_4", "conv4_1"]


@pytest.fixture
def vgg() -> ModuleType:
    """torchvision's VGG module, where a torchvision that fits torch is installed."""
    try:
        from torchvision.models import vgg
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision is missing or of another build than torch: {error}")
    assert isinstance(vgg, ModuleType)
    return vgg


@pytest.mark.parametrize(("name", "widths"), [("compact", (16, 32, 64, 64)), ("vgg19", (64, 128, 256, 512))])
def test_levels_have_widths_and_strides(name: EncoderName, widths: tuple[int, ...]) -> None:
    """Four levels, each half the size of the one before, in the widths that the name stands for."""
    encoder = Encoder(name)
    levels = encoder(smooth_picture(3 * STRIDE, 5 * STRIDE, count=2))
    assert encoder.widths == widths and len(levels) == LEVELS
    assert [tuple(x.shape) for x in levels] == [
        (2, width, (3 * STRIDE) >> level, (5 * STRIDE) >> level) for level, width in enumerate(widths)
    ]
    assert levels[-1].shape[2] * STRIDE == 3 * STRIDE


@pytest.mark.parametrize("name", ["compact", "vgg19"])
def test_convolutions_are_those_of_vgg(name: EncoderName) -> None:
    """Nine 3×3 convolutions in VGG-19's order, each as wide as its block."""
    encoder = Encoder(name)
    assert list(encoder.convolutions) == ORDER
    channels = 3
    for key, width in zip(ORDER, (encoder.widths[int(key[4]) - 1] for key in ORDER), strict=True):
        assert tuple(encoder.state_dict()[f"convolutions.{key}.weight"].shape) == (width, channels, 3, 3)
        channels = width


def test_vgg19_has_the_teachers_order_and_spaces() -> None:
    """The convolutions up to relu4_1 are the teacher's, and its aux layers lead into exactly our widths."""
    if not TEACHER.exists():
        pytest.skip(f"no teacher at {TEACHER}")
    weights = load_file(TEACHER)
    plain = [k.removesuffix(".weight") for k in sorted(weights) if k.endswith(".weight") and "_aux" not in k]
    assert plain[1 : len(ORDER) + 1] == [name.replace("_", "") for name in ORDER]
    encoder = Encoder("vgg19")
    assert encoder.widths == tuple(weights[f"conv{block}1_aux.weight"].shape[0] for block in range(1, LEVELS + 1))
    assert all(weights[name.replace("_", "") + ".weight"].shape[2:] == (3, 3) for name in ORDER)


def test_missing_imagenet_weights_say_what_to_do(
    vgg: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without network the user is told in one line where the weights go and what to use instead."""
    # A refused proxy and an empty cache: no network on any machine, and no waiting for one.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
    with pytest.raises(InputError, match=r"vgg19-dcbb9e9d\.pth.*'compact' encoder") as caught:
        load_imagenet_weights(Encoder("vgg19"))
    assert "\n" not in str(caught.value)


def test_imagenet_weights_are_really_copied(vgg: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """With torchvision's weights our levels are what torchvision's own network computes at relu1_1 … relu4_1."""
    import torchvision

    # Only VGG-19's convolutions: its dense layers would fill half a gigabyte.
    features: nn.Sequential = vgg.make_layers(vgg.cfgs["E"], batch_norm=False)
    monkeypatch.setattr(torchvision.models, "vgg19", lambda **_: SimpleNamespace(features=features))
    encoder = Encoder("vgg19").eval()
    load_imagenet_weights(encoder)
    picture = smooth_picture(32, 40)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        x = (picture - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
        for level, end in zip(encoder(picture), (2, 7, 12, 21), strict=True):
            torch.testing.assert_close(level, features[:end](x))
