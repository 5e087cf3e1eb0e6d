"""Presets: looks that a release brings along, as style codes by name, in one file without any code in it."""

import io
import re
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import ReleaseError

MAX_PRESETS = 256
_LONGEST_NAME = 40
_NAME_FORM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

Codes = Mapping[str, NDArray[np.float32]]


def is_preset_name(text: str) -> bool:
    """Whether a preset may have this name: lower-case words joined by dashes, shorter than a photo's sha256."""
    return len(text) <= _LONGEST_NAME and _NAME_FORM.fullmatch(text) is not None


def packed(codes: Codes) -> bytes:
    """Style codes ``(code_size,) float32`` by name as an .npz; the same codes always give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(codes):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, codes[name], allow_pickle=False)
    return buffer.getvalue()


def unpacked(data: bytes, code_size: int, source: str = "presets") -> dict[str, NDArray[np.float32]]:
    """What ``packed`` made, sorted by name; ``source`` is what messages call it.

    Raises:
        ReleaseError: the bytes are no such file, or hold anything but finite codes of that size.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            if len(arrays.files) > MAX_PRESETS:
                raise ReleaseError(f"{source}: {len(arrays.files)} presets; at most {MAX_PRESETS} are possible")
            codes = {name: arrays[name] for name in sorted(arrays.files)}
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{source} cannot be read ({error}); export or install the release again") from error
    for name, code in codes.items():
        if not is_preset_name(name) or code.shape != (code_size,) or code.dtype != np.float32:
            raise ReleaseError(f"{source}: {name!r} is no style code of {code_size} numbers; export the release again")
        if not np.isfinite(code).all():
            raise ReleaseError(f"{source}: {name!r} is not finite; export the release again")
    return codes
