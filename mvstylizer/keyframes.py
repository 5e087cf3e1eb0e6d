"""Which frames are key frames: every n-th (`interval`) or the stream's own I-frames (`codec`).

Either way the first frame is one, and so is the first frame after a cut, across which nothing may be propagated.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import UsageError

SelectorName = Literal["interval", "codec"]
DEFAULT_INTERVAL = 15
MAX_INTERVAL = 60
"""Most frames from one key frame to the next, whatever the selector says: they wait in memory for both sides."""

_THUMBNAIL = (32, 18)
_CUT = 0.11
"""Mean change of R, G and B from frame to frame, of 1, that counts as a cut if it jumps against the change before."""
_JUMP = 4.0


@dataclass(frozen=True)
class Decision:
    """What a frame is: a key frame or not, and whether a cut lies right before it."""

    is_key: bool
    is_cut: bool


class KeyFrameSelector:
    """Decides frame by frame, in presentation order.

    Raises:
        UsageError: the interval is outside 1..MAX_INTERVAL.
    """

    def __init__(self, name: SelectorName = "interval", interval: int = DEFAULT_INTERVAL) -> None:
        if not 1 <= interval <= MAX_INTERVAL:
            raise UsageError(f"a key-frame interval of {interval} is not possible; choose 1 to {MAX_INTERVAL} frames")
        self._by_codec = name == "codec"
        self._interval = MAX_INTERVAL if self._by_codec else interval
        self._since_key = 0
        self._cuts = CutDetector()

    def decide(self, proxy: NDArray[np.uint8], is_codec_key: bool) -> Decision:
        """``proxy`` is RGB ``(h, w, 3)``; ``is_codec_key`` says that the stream has an I-frame here."""
        is_cut = self._cuts.is_cut(proxy)
        due = self._since_key == 0 or self._since_key >= self._interval
        is_key = due or is_cut or (self._by_codec and is_codec_key)
        self._since_key = 1 if is_key else self._since_key + 1
        return Decision(is_key, is_cut)


class CutDetector:
    """Finds hard cuts: the picture changes at once and far more than it did just before."""

    def __init__(self) -> None:
        self._previous: NDArray[np.float32] | None = None
        self._change = 0.0

    def is_cut(self, proxy: NDArray[np.uint8]) -> bool:
        """Whether a cut lies between the last frame shown to this detector and this one."""
        # In colour: two scenes may be equally bright.
        small = cv2.resize(proxy, _THUMBNAIL, interpolation=cv2.INTER_AREA)
        thumbnail = np.asarray(small, np.float32) / np.float32(255)
        previous, self._previous = self._previous, thumbnail
        if previous is None:
            return False
        change = float(np.abs(thumbnail - previous).mean())
        jumped = change > _CUT and change > _JUMP * self._change
        self._change = change
        return jumped
