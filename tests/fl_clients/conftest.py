"""The bundled release in torch and in ONNX Runtime, and a frame store of real photographs; made once, not changed."""

import shutil
from pathlib import Path

import pytest
import torch

from export.weights import stylizer_of_release
from mvstylizer import release as releases
from mvstylizer.engine import Engine
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.release import Release
from tests.fl_clients.frame_stores import fill_store

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def release() -> Release:
    """The bundled one, which an edge starts with."""
    return releases.load(releases.bundled())


@pytest.fixture(scope="session")
def engine(release: Release) -> Engine:
    return Engine(release, threads=1)


@pytest.fixture(scope="session")
def stylizer(release: Release) -> Stylizer:
    """The bundled release's; not to be changed."""
    return stylizer_of_release(release)


@pytest.fixture(scope="session")
def filled(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames") / "frames.sqlite"
    fill_store(path, engine, 40, seed=3)
    return path


@pytest.fixture
def frames(filled: Path, tmp_path: Path) -> Path:
    """A copy of the store, in ``tmp_path``."""
    shutil.copy(filled, tmp_path / "frames.sqlite")
    return tmp_path / "frames.sqlite"
