"""The 16x proxy: the forward pass that its authors' weights were trained for."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from mvstylizer.errors import InputError
from mvstylizer.network.perceptual import SixteenfoldProxy
from tests.networks import TEACHER, proxy_weights, smooth_picture

AUX = [64, 128, 256, 512, 512]


def reference(weights: dict[str, Tensor], x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Thin and mapped features, written down from the teacher's README."""

    def convolved(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    x, thin, mapped = convolved("conv0", x), [], []
    for name in ["11", "12", "P", "21", "22", "P", "31", "32", "33", "34", "P", "41", "42", "43", "44", "P", "51"]:
        if name == "P":
            x = F.max_pool2d(x, 2)
            continue
        x = F.relu(convolved(f"conv{name}", F.pad(x, (1, 1, 1, 1), mode="reflect")))
        if name[1] == "1":
            thin.append(x)
            mapped.append(F.relu(convolved(f"conv{name}_aux", x)))
    return thin, mapped


def assert_same(proxy: SixteenfoldProxy, weights: dict[str, Tensor]) -> list[Tensor]:
    picture = smooth_picture(48, 71, count=2)
    thin, mapped = reference(weights, picture)
    torch.testing.assert_close(proxy.thin(picture), thin)
    torch.testing.assert_close(proxy(picture), mapped)
    torch.testing.assert_close(proxy.thin(picture, 4), thin[:4])
    return mapped


def test_random_weights_run_as_described() -> None:
    """Any weights of that layout give what convolutions written out one by one give."""
    weights = proxy_weights()
    assert_same(SixteenfoldProxy(weights), weights)


def test_the_published_weights_run_as_described() -> None:
    """The published file gives features in VGG-19's five spaces."""
    if not TEACHER.exists():
        pytest.skip(f"no teacher at {TEACHER}")
    mapped = assert_same(SixteenfoldProxy.load(TEACHER), load_file(TEACHER))
    assert [x.shape[1] for x in mapped] == AUX


def test_the_proxy_is_frozen(tmp_path: Path) -> None:
    """Nothing of it is trained, but gradients pass through it to the picture, as small as 32 px."""
    save_file(proxy_weights(), tmp_path / "proxy.safetensors")
    proxy = SixteenfoldProxy.load(tmp_path / "proxy.safetensors")
    assert not any(p.requires_grad for p in proxy.parameters())
    picture = smooth_picture(32, 32).requires_grad_()
    torch.stack([x.square().mean() for x in proxy(picture)]).sum().backward()  # type: ignore[no-untyped-call]
    assert picture.grad is not None and picture.grad.isfinite().all() and picture.grad.any()


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Nothing, a directory, garbage, half a file, other tensors: one line that names the file and --teacher."""
    save_file(proxy_weights((2, 2, 2, 2, 2), 2), tmp_path / "whole")
    (tmp_path / "half").write_bytes((tmp_path / "whole").read_bytes()[:500])
    (tmp_path / "garbage").write_bytes(b"not a safetensors file" * 9)
    (tmp_path / "empty").touch()
    (tmp_path / "directory").mkdir()
    save_file({"some.weight": torch.zeros(3)}, tmp_path / "flat")
    save_file({"fc.weight": torch.zeros(1, 1, 1, 1), "fc.bias": torch.zeros(1)}, tmp_path / "other")
    missing = {k: v for k, v in proxy_weights((2, 2, 2, 2, 2), 2).items() if not k.startswith("conv51.")}
    save_file(missing, tmp_path / "missing")
    for name in ("none", "half", "garbage", "empty", "directory", "flat", "other", "missing"):
        with pytest.raises(InputError, match="--teacher") as caught:
            SixteenfoldProxy.load(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value), name
