"""The clips and styles that benchmarks run on, and the machine they ran on."""

import datetime as dt
import os
import platform
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mvstylizer.errors import InputError
from mvstylizer.video import VideoReader

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "eval"


def clip_paths(folder: Path) -> list[Path]:
    """The clips of a folder by name; raises InputError where there is none."""
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in {".mp4", ".mov", ".mkv", ".webm"})
    if not paths:
        raise InputError(f"{folder}: no clips (mp4, mov, mkv, webm); name another --clips")
    return paths


def proxies(path: Path, count: int, size: int = 512) -> list[NDArray[np.uint8]]:
    """The first ``count`` frames of a clip at proxy size, RGB ``(h, w, 3)``."""
    with VideoReader(path, size) as reader:
        return [frame.proxy for frame in islice(reader, count)]


def machine() -> Iterator[str]:
    """Lines that say where and when a result was measured."""
    yield f"- {dt.date.today().isoformat()}, {platform.machine()}, {_processor()}, {os.cpu_count()} cores"
    yield (
        f"- Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, "
        f"OpenCV {cv2.__version__}, numpy {np.__version__}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
