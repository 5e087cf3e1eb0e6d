"""What the tests of network, training, export and engine share: small pictures, random networks, one real release."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from export.release import export_release
from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.pictures import write_picture
from mvstylizer.training import checkpoint

SHARED = Path(__file__).parents[2] / "shared"
TEACHER = SHARED / "teacher" / "vgg19_16x.safetensors"

# Nothing here is large enough for a second thread to pay.
torch.set_num_threads(1)


@dataclass(frozen=True)
class Exported:
    """A release in ``directory``, the checkpoint it was made from, and the stylizer in both."""

    directory: Path
    checkpoint: Path
    stylizer: Stylizer


def smooth_picture(height: int, width: int, seed: int = 0, count: int = 1) -> Tensor:
    """``(count, 3, height, width)`` in 0..1 with structure at several scales and its own colours."""
    generator = torch.Generator().manual_seed(seed)
    layers = [
        F.interpolate(torch.rand(count, 3, n, n, generator=generator), (height, width), mode="bicubic")
        for n in (2, 5, 13)
    ]
    tint = torch.rand(count, 3, 1, 1, generator=generator)
    return (0.8 * torch.stack(layers).mean(0) + 0.2 * tint).clamp(0, 1)


def perturbed_stylizer(config: StylizerConfig | None = None, seed: int = 0) -> Stylizer:
    """A stylizer in evaluation mode in which no weight is zero or untouched, but outputs stay pictures."""
    torch.manual_seed(seed)
    stylizer = Stylizer(config).eval()
    with torch.no_grad():
        for parameter in stylizer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    return stylizer


def proxy_weights(widths: Sequence[int] = (16, 32, 64, 128, 128), aux: int = 64, seed: int = 0) -> dict[str, Tensor]:
    """Random weights under the names, and by default of the widths, of the 16x proxy's own file."""
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {}

    def add(name: str, into: int, channels: int, size: int) -> None:
        scale = (2 / (channels * size * size)) ** 0.5
        weights[f"{name}.weight"] = torch.randn(into, channels, size, size, generator=generator) * scale
        weights[f"{name}.bias"] = torch.randn(into, generator=generator) * 0.1

    add("conv0", 3, 3, 1)
    channels = 3
    for block, (width, count) in enumerate(zip(widths, (2, 2, 4, 4, 1), strict=True), start=1):
        for index in range(1, count + 1):
            add(f"conv{block}{index}", width, channels, 3)
            channels = width
        add(f"conv{block}1_aux", aux, width, 1)
    return weights


def write_photos(folder: Path, count: int = 12, size: int = 96) -> Path:
    """A folder of so many smooth photos as PNG."""
    folder.mkdir(parents=True)
    pictures = smooth_picture(size, size + 8, seed=7, count=count)
    for index, picture in enumerate(pictures):
        rgb = (picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        write_picture(folder / f"photo{index:02}.png", rgb)
    return folder


def save_stylizer(stylizer: Stylizer, to: Path) -> Path:
    """A checkpoint as training leaves it, whose averaged weights are the stylizer's own."""
    weights = dict(stylizer.state_dict())
    average = {f"average.{name}": p.detach().clone() for name, p in stylizer.named_parameters() if p.requires_grad}
    config = {"stylizer": asdict(stylizer.config), "training": {"steps": 1}}
    return checkpoint.save(to, checkpoint.Checkpoint("stylizer", 1, config, weights | average, {}))


def export_small(folder: Path) -> Exported:
    """A real export of a random stylizer of the default configuration."""
    stylizer = perturbed_stylizer()
    saved = save_stylizer(stylizer, folder / "checkpoints")
    export_release(saved, folder / "release", "test-1")
    return Exported(folder / "release", saved, stylizer)
