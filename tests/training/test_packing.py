"""Packed weights come back to the last bit, fit only where they belong, and never bring NaN."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mvstylizer.errors import InputError
from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.training.packing import layout, pack, unpack
from tests.networks import perturbed_stylizer


def test_weights_come_back_to_the_last_bit() -> None:
    """Unpacked into another stylizer, packed weights make all its trained weights equal and leave its encoder alone."""
    one, other = perturbed_stylizer(seed=0), perturbed_stylizer(seed=1)
    encoder = {name: value.clone() for name, value in other.encoder.state_dict().items()}
    unpack(other, pack(one))
    assert np.array_equal(pack(other), pack(one))
    for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b) == (not name.startswith("encoder.")), name
    assert all(torch.equal(value, encoder[name]) for name, value in other.encoder.state_dict().items())


def test_packed_weights_are_a_copy() -> None:
    """Training on does not change what was packed before, nor does what was unpacked hang on the array."""
    stylizer = perturbed_stylizer()
    flat = pack(stylizer)
    before = flat.copy()
    unpack(stylizer, flat * np.float32(2))
    assert np.array_equal(flat, before)
    unpack(stylizer, flat)
    flat[:] = 0
    assert np.array_equal(pack(stylizer), before)


def without_one(flat: NDArray[np.float32]) -> NDArray[Any]:
    """One weight too few."""
    return flat[:-1]


def with_a_side_more(flat: NDArray[np.float32]) -> NDArray[Any]:
    """Of two dimensions."""
    return flat[None]


def in_double(flat: NDArray[np.float32]) -> NDArray[Any]:
    """Of another type."""
    return flat.astype(np.float64)


def with_nan(flat: NDArray[np.float32]) -> NDArray[Any]:
    """One weight of many is not a number."""
    return np.where(np.arange(len(flat)) == 7, np.float32(np.nan), flat)


def with_infinity(flat: NDArray[np.float32]) -> NDArray[Any]:
    """The last weight is infinite."""
    return np.append(flat[:-1], np.float32(np.inf))


@pytest.mark.parametrize("broken", [without_one, with_a_side_more, in_double, with_nan, with_infinity])
def test_what_does_not_fit_changes_nothing(broken: Callable[[NDArray[np.float32]], NDArray[Any]]) -> None:
    """Weights of another size, shape or type, or that are not finite, are an InputError and leave all as it was."""
    stylizer = perturbed_stylizer()
    before = pack(stylizer)
    with pytest.raises(InputError, match="packed weights"):
        unpack(stylizer, broken(before * np.float32(2)))
    assert np.array_equal(pack(stylizer), before)


def test_layout_is_the_networks_not_the_weights() -> None:
    """Trained weights may differ; another configuration or one other number in the encoder is another layout."""
    stylizer, trained = perturbed_stylizer(), perturbed_stylizer()
    unpack(trained, pack(stylizer) + np.float32(1))
    assert layout(stylizer) == layout(trained) and len(layout(stylizer)) == 64
    with torch.no_grad():
        trained.encoder.get_parameter("convolutions.conv2_1.bias")[3] += 1e-6
    configs = [StylizerConfig(colorization="wct"), StylizerConfig(decoder="mirrored")]
    others = [trained, *(Stylizer(config) for config in configs)]
    assert len({layout(other) for other in (stylizer, *others)}) == 1 + len(others)
