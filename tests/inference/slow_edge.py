"""Serves a stylizer that takes ``argv[2]`` seconds a frame on port ``argv[1]``, as a process."""

import sys
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.serve import serve
from mvstylizer.errors import MVStylizerError


class Slow:
    """Gives frames back as they are, late."""

    version = "slow-1"
    sha256 = "0" * 64
    encoder_sha256 = "0" * 64
    code_size = 1
    presets: Mapping[str, NDArray[np.float32]] = {}

    def encode_style(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.zeros(1, np.float32)

    def stylize(self, frame: NDArray[np.uint8], code: NDArray[np.float32], r: float = 1.0) -> NDArray[np.uint8]:
        time.sleep(float(sys.argv[2]))
        return frame


if __name__ == "__main__":
    try:
        serve(Slow(), port=int(sys.argv[1]))
    except MVStylizerError as error:
        sys.exit(f"{error.exit_code} {error}")
