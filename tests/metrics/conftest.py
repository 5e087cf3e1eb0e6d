"""Pictures to measure, and an independent implementation of the measures to compare with."""

import importlib.util
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.pictures import fit_within, read_picture
from tests.scenes import texture

SHARED = Path(__file__).resolve().parents[3] / "shared"

Picture = NDArray[np.float32]


@pytest.fixture
def picture() -> Picture:
    """A soft texture with colours, ``(150, 180, 3)`` in 0..1."""
    return np.asarray(texture(150, 180) / 255, np.float32)


@pytest.fixture(scope="session")
def independent() -> ModuleType:
    """The measures as someone else wrote them, with scikit-image and torch."""
    source = SHARED / "score" / "metrics.py"
    if not source.exists():
        pytest.skip(f"{source} is not on this machine")
    pytest.importorskip("skimage")
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("independent_metrics", source)
    if spec is None or spec.loader is None:
        pytest.fail(f"{source} is not a module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["04", "13", "20"])
def real_pair(request: pytest.FixtureRequest) -> tuple[Picture, Picture, Picture]:
    """Another method's result, the content and the style of a real pair, at long side 400."""
    data, name = SHARED / "data" / "eval", request.param
    result, content, style = (
        data / "anchor_results" / "pcakd_vgg" / f"{name}.webp",
        data / "pairs" / f"{name}_content.png",
        data / "pairs" / f"{name}_style.png",
    )
    if not (result.exists() and content.exists()):
        pytest.skip(f"no pairs or no results in {data}")
    like = fit_within(read_picture(content), 400)
    height, width = like.shape[:2]
    sized = cv2.resize(read_picture(result), (width, height), interpolation=cv2.INTER_AREA)
    pictures = (np.asarray(each / 255, np.float32) for each in (sized, like, fit_within(read_picture(style), 400)))
    first, second, third = pictures
    return first, second, third
