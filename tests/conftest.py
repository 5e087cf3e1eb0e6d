"""Fixtures that several packages' tests share."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.networks import Exported


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> "Exported":
    """A release of a random stylizer, exported once for the whole run; not to be changed."""
    from tests.networks import export_small

    return export_small(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that ONNX Runtime runs in a few milliseconds; not to be changed."""
    from tests.tiny_release import write_tiny_release

    return write_tiny_release(tmp_path_factory.mktemp("tiny") / "release")


@pytest.fixture(scope="session")
def preset_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny release with two presets; not to be changed."""
    from tests.tiny_release import add_tiny_presets, write_tiny_release

    directory = write_tiny_release(tmp_path_factory.mktemp("tiny-presets") / "release")
    add_tiny_presets(directory)
    return directory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let reports say which fault a test brings about; benchmarks.edge reads them."""
    for item in items:
        for mark in item.iter_markers("failure"):
            item.user_properties.append(("failure", mark.args[0]))
