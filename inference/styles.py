"""The styles that an edge knows: a bounded store of style codes under the sha256 of their photo."""

import re
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

_ID_FORM = re.compile(r"[0-9a-f]{64}")


def is_style_id(text: str) -> bool:
    """Whether the text has the form of a style id, the lower-case hex sha256 of the photo's bytes."""
    return _ID_FORM.fullmatch(text) is not None


class StyleShelf:
    """Style codes ``(code_size,)`` float32 by id; the one unused for longest makes room for a new one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._codes: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def get(self, style: str) -> NDArray[np.float32] | None:
        """The code of a style, which counts as used now; None if it is not known (any more)."""
        if style in self._codes:
            self._codes.move_to_end(style)
        return self._codes.get(style)

    def put(self, style: str, code: NDArray[np.float32]) -> None:
        """Keep a code."""
        self._codes[style] = code
        self._codes.move_to_end(style)
        while len(self._codes) > self._capacity:
            self._codes.popitem(last=False)

    def ids(self) -> list[str]:
        """Ids of all known styles, the one used last at the end."""
        return list(self._codes)
