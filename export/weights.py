"""Release → torch stylizer: the exporter's way back, so that training can start from any release.

An edge or a cloud that joins a federation has a release, but maybe no checkpoint; the release's graphs hold all its
weights under the names that they had in torch.
"""

from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor

from export.parity import check_parity
from mvstylizer import release as releases
from mvstylizer.errors import ReleaseError
from mvstylizer.network.stylizer import Stylizer, config_from

_PREFIXES = ("decode/stylizer.", "smooth/")
"""Of the weights' names in ``stylize.onnx``: everything before the meta-smoothing, and the meta-smoothing."""
_SIZES, _FACTORS = ((40, 56),), (1.0, 1.7)
"""Of the pictures on which the rebuilt stylizer is compared with the release."""


def stylizer_of_release(release: releases.Release | Path) -> Stylizer:
    """The stylizer that a release (or the one in a directory) was exported from, in evaluation mode.

    Raises:
        ReleaseError: there is no readable release, its graphs lack weights, or torch with these weights does not
            give what its graphs give.
    """
    if isinstance(release, Path):
        release = releases.load(release)
    stylizer = _empty(release)
    weights = _weights(release)
    missing = sorted(stylizer.state_dict().keys() - weights.keys())
    if missing:
        raise ReleaseError(
            f"release {release.version} lacks the weights {', '.join(missing[:3])}"
            f"{' and others' if len(missing) > 3 else ''}; start from one that this version exported"
        )
    try:
        stylizer.load_state_dict({name: weights[name] for name in stylizer.state_dict()})
    except RuntimeError as error:
        raise ReleaseError(f"release {release.version} has weights of other shapes; export it again") from error
    _check(stylizer.eval(), release)
    return stylizer


def _empty(release: releases.Release) -> Stylizer:
    try:
        # Every weight drawn here is replaced; what the caller draws next must not depend on it.
        with torch.random.fork_rng(devices=[]):
            return Stylizer(config_from(release.manifest["stylizer"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReleaseError(
            f"release {release.version} does not say which stylizer it holds ({error!r}); export it again"
        ) from error


def _weights(release: releases.Release) -> dict[str, Tensor]:
    try:
        model = onnx.load_model_from_string(release.graphs[releases.STYLIZE_GRAPH])
    except DecodeError as error:
        raise ReleaseError(f"release {release.version}: {releases.STYLIZE_GRAPH} is no ONNX graph") from error
    weights = {}
    for initializer in model.graph.initializer:
        for prefix in _PREFIXES:
            if initializer.name.startswith(prefix):
                # Copied, since the graph's own bytes are read-only.
                weights[initializer.name.removeprefix(prefix)] = torch.tensor(numpy_helper.to_array(initializer))
    return weights


def _check(stylizer: Stylizer, release: releases.Release) -> None:
    style, stylize = (release.graphs[name] for name in releases.GRAPHS)
    try:
        check_parity(stylizer, style, stylize, _SIZES, _FACTORS)
    except ReleaseError as error:
        raise ReleaseError(
            f"release {release.version}: torch does not give with its weights what its graphs give; export it again"
        ) from error
