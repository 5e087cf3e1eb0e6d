"""What the cloud's tests share: a start to train from, and quiet loggers."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():
    # typer, which Flower loads, takes names from click that are deprecated; that is said once, when it is loaded.
    warnings.simplefilter("ignore", DeprecationWarning)
    import flwr.clientapp
    import flwr.serverapp  # noqa: F401

from tests.networks import perturbed_stylizer, save_stylizer


@pytest.fixture(autouse=True)
def quiet_flower() -> Iterator[None]:
    """Flower logs a page per round."""
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a checkpoint whose stylizer was never trained."""
    return save_stylizer(perturbed_stylizer(), tmp_path_factory.mktemp("start"))
