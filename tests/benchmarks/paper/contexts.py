"""What parts of the paper's tables are measured with in tests: the clips made for ``--quick`` and the tiny release."""

from pathlib import Path

from benchmarks.finished import Finished
from benchmarks.paper.material import Material, made
from benchmarks.paper.part import Context
from mvstylizer.engine import Engine


def quick_context(release: Path, folder: Path, material: Material | None = None) -> Context:
    """With all files under ``folder``, results among them."""
    inputs = material or made(folder / "made")
    return Context(inputs, Engine(release, threads=1), release, Finished(folder / "runs"), True, folder / "scratch")


def random_teacher(folder: Path) -> Path:
    """Random weights of the 16x proxy's shape."""
    from safetensors.torch import save_file

    from tests.networks import proxy_weights

    path = folder / "teacher.safetensors"
    save_file(proxy_weights(), path)
    return path
