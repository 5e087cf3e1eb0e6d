"""What the edge needs of a stylizer; ``mvstylizer.engine.Engine`` is one, tests bring a simpler one."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Stylizer(Protocol):
    """Photo to style code, key frame and code to stylized key frame.

    The worker's thread calls it, and that of a hot swap at the same time, to compare.
    """

    @property
    def version(self) -> str:
        """Version of the release, such as ``2026.11-1``; sent with every stylized picture."""

    @property
    def sha256(self) -> str:
        """Hex digest of the release."""

    @property
    def encoder_sha256(self) -> str:
        """Hex digest of what turns photos into style codes: stylizers that share it understand each other's codes."""

    @property
    def code_size(self) -> int:
        """Length of a style code."""

    @property
    def presets(self) -> Mapping[str, NDArray[np.float32]]:
        """The release's own style codes by name."""

    def encode_style(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Style code ``(code_size,)`` of a photo ``(H, W, 3)`` uint8 RGB."""

    def stylize(self, frame: NDArray[np.uint8], code: NDArray[np.float32], r: float = 1.0) -> NDArray[np.uint8]:
        """Key frame ``(H, W, 3)`` uint8 RGB to ``(round(r·H), round(r·W), 3)`` uint8 RGB."""
