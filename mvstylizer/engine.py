"""Runs a release with ONNX Runtime: photo → style code, frame + style code → stylized frame."""

import math
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mvstylizer import release as releases
from mvstylizer.errors import InputError, ReleaseError
from mvstylizer.pictures import fit_within
from mvstylizer.styles import Part, Picture, Style, StyleCode, blended, unknown_preset


class Engine:
    """One loaded release; safe to call from several threads, though they share its cores.

    ``release`` is one in memory, or its directory, or None for the bundled one. ``threads`` is how many cores one
    run may use; 0 leaves it to ONNX Runtime.

    Raises:
        ReleaseError: there is no valid release in the directory, or ONNX Runtime cannot run it.
    """

    def __init__(self, release: releases.Release | Path | None = None, *, threads: int = 0) -> None:
        if not isinstance(release, releases.Release):
            release = releases.load(release or releases.bundled())
        self.version = release.version
        self.sha256 = release.sha256
        self.encoder_sha256 = release.encoder_sha256
        self.threads = threads
        self.code_size = release.code_size
        self.presets: Mapping[str, StyleCode] = release.presets
        self._style = _session(release, releases.STYLE_GRAPH, threads)
        self._stylize = _session(release, releases.STYLIZE_GRAPH, threads)

    def encode_style(self, photo: Picture) -> StyleCode:
        """The style code ``(code_size,) float32`` of a photo, RGB ``(H, W, 3) uint8`` of any size."""
        (code,) = self._style.run(["code"], {"photo": _to_network(fit_within(photo, releases.STYLE_SIZE))})
        return np.asarray(code[0], np.float32)

    def stylize(self, frame: Picture, code: StyleCode, r: float = 1.0) -> Picture:
        """``frame``, RGB ``(H, W, 3) uint8``, in the style, ``(round(r·H), round(r·W), 3)``.

        Raises:
            InputError: the style code is not one of this release, or r is not positive and finite.
        """
        stylized = self.stylize_unrounded(frame, code, r)
        return np.ascontiguousarray(np.rint(stylized * 255).astype(np.uint8))

    def stylize_unrounded(self, frame: Picture, code: StyleCode, r: float = 1.0) -> NDArray[np.float32]:
        """As ``stylize``, but as the graph gives it: float32, and in 0..1 if the release is sound. Raises the same."""
        if code.shape != (self.code_size,):
            raise InputError(f"a style code of {code.shape} is not of release {self.version}; encode the style again")
        if not 0 < r < math.inf:
            raise InputError(f"a frame cannot be scaled by {r}; choose a finite factor above 0")
        feeds = {"frame": _to_network(frame), "code": code[None], "r": np.array(r, np.float32)}
        (stylized,) = self._stylize.run(["stylized"], feeds)
        return np.asarray(stylized[0], np.float32).transpose(1, 2, 0)


class LocalStylizer:
    """The engine as the device's key-frame stylizer: the edge's place taken by a thread of this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="stylizer")
        self._code: StyleCode | None = None

    @property
    def identity(self) -> str:
        """The release, by its content."""
        return self._engine.sha256

    def set_style(self, style: Style) -> None:
        """Work out the style code that all later key frames get.

        Raises:
            UsageError: the release has no preset of a name.
        """
        codes = [self._code_of(part) for part in style.parts]
        self._code = blended(codes, [part.weight for part in style.parts])

    def _code_of(self, part: Part) -> StyleCode:
        if not isinstance(part.look, str):
            return self._engine.encode_style(part.look)
        if part.look not in self._engine.presets:
            raise unknown_preset(part.look, list(self._engine.presets), f"release {self._engine.version}")
        return self._engine.presets[part.look]

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        """Stylize a key frame in the background."""
        if self._code is None:
            raise RuntimeError("set_style must be called before the first key frame")
        return self._worker.submit(self._engine.stylize, proxy, self._code, r)

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        self._worker.shutdown(cancel_futures=True)


def _session(release: releases.Release, graph: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Frames come in any size: an arena and planned memory would keep the largest of each for ever.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    # What was inspected as ONNX is not to be taken for anything else.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return ort.InferenceSession(release.graphs[graph], options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime raises a dozen classes of its own that share no base.
        raise ReleaseError(f"ONNX Runtime cannot load {graph} of release {release.version}: {error}") from error


def _to_network(picture: Picture) -> NDArray[np.float32]:
    """RGB ``(H, W, 3) uint8`` → ``(1, 3, H, W) float32`` in 0..1."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
