"""The styles that an edge knows: a bounded store of style codes under the sha256 of their photo."""

import re
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.errors import ApiError
from inference.stylizer import Stylizer

_ID_FORM = re.compile(r"[0-9a-f]{64}")


def is_style_id(text: str) -> bool:
    """Whether the text has the form of a style id, the lower-case hex sha256 of the photo's bytes."""
    return _ID_FORM.fullmatch(text) is not None


class StyleShelf:
    """Style codes ``(code_size,)`` float32 by id; the one unused for longest makes room for a new one.

    A code is of the encoder that made it: a stylizer with another one does not find it, one with the same does.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._codes: OrderedDict[tuple[str, str], NDArray[np.float32]] = OrderedDict()

    def get(self, style: str, stylizer: Stylizer) -> NDArray[np.float32] | None:
        """The stylizer's code of a style, which counts as used now; None if it is not known (any more)."""
        key = stylizer.encoder_sha256, style
        if key in self._codes:
            self._codes.move_to_end(key)
        return self._codes.get(key)

    def codes(self, styles: Sequence[str], stylizer: Stylizer) -> list[NDArray[np.float32]]:
        """The codes of styles, each a photo's id on the shelf or the name of a preset of the stylizer.

        Raises ApiError 404: some are not on the shelf, or the stylizer has no such preset; it says which.
        """
        codes = [self.get(style, stylizer) if is_style_id(style) else stylizer.presets.get(style) for style in styles]
        missing = [style for style, code in zip(styles, codes, strict=True) if code is None]
        if missing:
            raise _unknown(missing, stylizer)
        return [code for code in codes if code is not None]

    def put(self, style: str, code: NDArray[np.float32], stylizer: Stylizer) -> None:
        """Keep a code that the stylizer made."""
        key = stylizer.encoder_sha256, style
        self._codes[key] = code
        self._codes.move_to_end(key)
        while len(self._codes) > self._capacity:
            self._codes.popitem(last=False)

    def ids(self, stylizer: Stylizer) -> list[str]:
        """Ids of all styles that the stylizer has codes of, the one used last at the end."""
        return [style for encoder, style in self._codes if encoder == stylizer.encoder_sha256]

    def __len__(self) -> int:
        return len(self._codes)


def _unknown(missing: list[str], stylizer: Stylizer) -> ApiError:
    presets = [style for style in missing if not is_style_id(style)]
    if presets:
        has = f"it has {', '.join(stylizer.presets)}" if stylizer.presets else "it has none"
        text = f"release {stylizer.version} has no preset {', '.join(presets)} ({has})"
        return ApiError(404, "unknown-preset", text, styles=presets)
    text = f"PUT the style's photo to /v1/styles/{{id}} first, then ask again; unknown: {', '.join(missing)}"
    return ApiError(404, "unknown-style", text, styles=missing)
