"""Inception score (Salimans et al., NeurIPS 2016) and Fréchet Inception distance (Heusel et al., NeurIPS 2017).

Both are torchmetrics' arithmetic on what torch-fidelity's Inception v3 sees: ``pip install 'mvstylizer[benchmarks]'``.
The weights are not ours to ship. ``MVSTYLIZER_INCEPTION_WEIGHTS`` names torch-fidelity's file of them (91 MB,
``weights-inception-2015-12-05-6726825d.pth``; pytorch-fid calls the same file ``pt_inception-…``; safetensors of the
same tensors will do too), or says ``fetch`` to fetch it once. Files are read as tensors only, whatever else is in them.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import InputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "MVSTYLIZER_INCEPTION_WEIGHTS"
FETCH = "fetch"
_AT_ONCE = 16

Picture = NDArray[np.uint8]
Network = Callable[["Tensor"], tuple["Tensor", "Tensor"]]
"""RGB ``(N, 3, H, W) uint8`` → features ``(N, F)`` and, for the score, logits ``(N, C)``."""


@dataclass(frozen=True)
class Seen:
    """What the network sees in a set of pictures, ``(N, F)`` and ``(N, C)``."""

    features: "Tensor"
    logits: "Tensor"


def network() -> Network | None:
    """Inception v3 where ``MVSTYLIZER_INCEPTION_WEIGHTS`` says where its weights are, else None.

    Raises:
        InputError: there are no such weights.
        UsageError: torch-fidelity is not installed.
    """
    source = os.environ.get(WEIGHTS, "")
    return inception(source) if source else None


def inception(source: str) -> Network:
    """Inception v3 with the weights of a file, or fetched; raises what ``network`` does."""
    try:
        import torch
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
    except ImportError as error:
        raise UsageError(f"{WEIGHTS} needs {error.name}: pip install 'mvstylizer[benchmarks]'") from error
    try:
        weights = _fetched(URL_INCEPTION_V3) if source == FETCH else _read(Path(source))
        # torch-fidelity would unpickle whatever a file holds; what it gets here is written from tensors alone.
        written = BytesIO()
        torch.save(weights, written)
        written.seek(0)
        extractor = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], written)
    except Exception as error:  # Whatever torch finds in a file that is something else.
        raise InputError(f"{source} gives no weights of Inception v3 ({error!s:.200}); see {WEIGHTS}") from error

    def see(pictures: "Tensor") -> tuple["Tensor", "Tensor"]:
        features, logits = extractor(pictures)
        return features, logits

    return see


def seen(pictures: Iterable[Picture], network: Network) -> Seen:
    """A set of pictures RGB ``(H, W, 3)`` of one size through the network."""
    import torch

    found = []
    with torch.inference_mode():
        for some in _batches(pictures):
            found.append(network(torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2).contiguous()))
    if not found:
        raise InputError("no pictures to score")
    features, logits = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Seen(features, logits)


def scores(made: Seen, real: Seen) -> dict[str, float]:
    """``inception`` of what was made, in one split (torchmetrics' ten of a hundred pictures each could not come to
    more than 100), and ``fid`` between both.

    Raises:
        InputError: fewer than two pictures in a set.
    """
    from torch import nn
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.inception import InceptionScore

    if min(len(made.features), len(real.features)) < 2:
        raise InputError("one picture has no distribution; Inception score and FID need more")
    as_it_is = nn.Identity()
    as_it_is.num_features = made.features.shape[1]  # type: ignore[assignment]
    distance = FrechetInceptionDistance(feature=as_it_is)
    distance.update(real.features, real=True)
    distance.update(made.features, real=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its memory, and that one split has no spread
        score = InceptionScore(feature=nn.Identity(), splits=1)
        score.update(made.logits)
        return {"inception": float(score.compute()[0]), "fid": float(distance.compute())}


def _read(path: Path) -> "dict[str, Tensor]":
    import torch
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        return dict(load_file(path))
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _fetched(url: str) -> "dict[str, Tensor]":
    from torch.hub import load_state_dict_from_url

    return dict(load_state_dict_from_url(url, map_location="cpu", weights_only=True, check_hash=True))


def _batches(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    rest = iter(pictures)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
