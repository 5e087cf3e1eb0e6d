"""Which frames are key frames: as the scene needs (`adaptive`), every n-th (`interval`), or the stream's own (`codec`).

Whatever the selector, the first frame is one, and so is the first frame after a cut, across which nothing may be
propagated. Decisions fall frame by frame and, but for the cut, depend on nothing before the last key frame: a selector
that starts anew at a key frame goes on as one that never stopped.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import UsageError
from mvstylizer.flow import DenseInverseSearch, Luma, luma, sample
from mvstylizer.video.frame import proxy_shape

SelectorName = Literal["adaptive", "interval", "codec"]
QualityName = Literal["draft", "balanced", "best"]

DEFAULT_INTERVAL = 15
DEFAULT_MAX_INTERVAL = 45
DEFAULT_QUALITY: QualityName = "balanced"
MAX_INTERVAL = 60
"""Most frames from one key frame to the next, whatever the selector says: they wait in memory for both sides."""
WARM_UP_FRAMES = 2
"""Frames before a key frame that decide with it whether a cut lies in between."""

ERROR_BUDGET: dict[QualityName, float] = {"draft": 0.32, "balanced": 0.08, "best": 0.02}
"""Predicted error (see ``Drift``) that may add up over the frames after a key frame before the next one is due.

A quarter of the budget takes about twice the key frames."""

_THUMBNAIL = (32, 18)
_CUT = 0.11
"""Mean change of R, G and B from frame to frame, of 1, that counts as a cut if it jumps against the change before."""
_JUMP = 4.0
_REPAINT = 0.04
"""The same for the colours of the picture, wherever they are: motion, however fast, hardly changes them."""
_REPAINT_JUMP = 2.0


@dataclass(frozen=True)
class Decision:
    """What a frame is: a key frame or not, and whether a cut lies right before it."""

    is_key: bool
    is_cut: bool


class KeyFrameSelector:
    """Decides frame by frame, in presentation order; the first frame is a key frame.

    ``adaptive`` gives way to ``interval`` where one is given. ``max_interval`` is for `adaptive` and `codec`; ``held``
    bounds it where there is memory for so many frames only. ``quality`` is for `adaptive`, as a word or as a budget.

    Raises:
        UsageError: an interval is outside 1..MAX_INTERVAL.
    """

    def __init__(
        self, name: SelectorName = "adaptive", interval: int | None = None, *,
        max_interval: int = DEFAULT_MAX_INTERVAL, held: int = MAX_INTERVAL,
        quality: QualityName | float = DEFAULT_QUALITY,
    ) -> None:  # fmt: skip
        if name == "adaptive" and interval is not None:
            name = "interval"
        every = _possible("key-frame interval", DEFAULT_INTERVAL if interval is None else interval)
        longest = min(_possible("longest key-frame interval", max_interval), held)
        budget = ERROR_BUDGET[quality] if isinstance(quality, str) else quality
        self._by_codec = name == "codec"
        self.longest = every if name == "interval" else longest
        """Most frames from one key frame to the next."""
        self._drift = Drift(budget) if name == "adaptive" else None
        self._since_key = 0
        self._cuts = CutDetector()

    def warm_up(self, proxy: NDArray[np.uint8]) -> None:
        """Take note of a frame that is not to be decided about: one of the ``WARM_UP_FRAMES`` before the first."""
        self._cuts.is_cut(proxy)

    def decide(self, proxy: NDArray[np.uint8], is_codec_key: bool) -> Decision:
        """``proxy`` is RGB ``(h, w, 3)``; ``is_codec_key`` says that the stream has an I-frame here."""
        is_cut = self._cuts.is_cut(proxy)
        due = self._since_key == 0 or self._since_key >= self.longest
        is_key = due or is_cut or (self._by_codec and is_codec_key)
        if self._drift is not None:
            is_key = is_key or self._drift.is_spent(proxy)
            if is_key:
                self._drift.restart(proxy)
        self._since_key = 1 if is_key else self._since_key + 1
        return Decision(is_key, is_cut)


def _possible(kind: str, frames: int) -> int:
    if not 1 <= frames <= MAX_INTERVAL:
        raise UsageError(f"a {kind} of {frames} is not possible; choose 1 to {MAX_INTERVAL} frames")
    return frames


class CutDetector:
    """Finds hard cuts: the picture changes at once, and far more than just before, or its colours do."""

    def __init__(self) -> None:
        self._previous: NDArray[np.float32] | None = None
        self._change = self._repaint = 0.0

    def is_cut(self, proxy: NDArray[np.uint8]) -> bool:
        """Whether a cut lies between the last frame shown to this detector and this one."""
        # In colour: two scenes may be equally bright.
        small = cv2.resize(proxy, _THUMBNAIL, interpolation=cv2.INTER_AREA)
        thumbnail = np.asarray(small, np.float32).reshape(-1, 3) / np.float32(255)
        previous, self._previous = self._previous, thumbnail
        if previous is None:
            return False
        change = float(np.abs(thumbnail - previous).mean())
        # How far the distributions of each channel are apart (Wasserstein-1).
        repaint = float(np.abs(np.sort(thumbnail, 0) - np.sort(previous, 0)).mean())
        jumped = change > _JUMP * self._change
        repainted = repaint > max(_REPAINT, _REPAINT_JUMP * self._repaint)
        self._change, self._repaint = change, repaint
        return change > _CUT and (jumped or repainted)


class Drift:
    """Adds up how wrong looks moved along from the last key frame are predicted to be, until a budget is spent.

    The error of a frame is predicted as a weighted sum of the share of pixels without a match in the key frame
    (there the look is another place's) and the distance of their luma histograms (the stylizer answers to the tones of
    the whole picture). The sum over frames, not the last error alone, is what decides: for errors that grow evenly
    this makes the number of key frames go with the square root of the speed, which is what the least total error for
    a given number of key frames takes.
    """

    _LONG_SIDE = 128
    """Of the pictures that flow is estimated on, in pixels."""
    _MATCH = 1.0
    """Pixels that flow there and back may miss its start by; where it misses by more, there is no match."""
    _UNMATCHED, _TONE = 0.01, 0.2
    """Error, about 1 - MS-SSIM of looks moved by flow alone, of a picture without a match, and of black for white."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._flow = DenseInverseSearch(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._key: _Sketch | None = None
        self._sum = 0.0

    def restart(self, proxy: NDArray[np.uint8]) -> None:
        """Begin anew at a key frame, RGB ``(h, w, 3)``."""
        self._key, self._sum = _Sketch.of(proxy, self._LONG_SIDE), 0.0

    def is_spent(self, proxy: NDArray[np.uint8]) -> bool:
        """Add a frame, RGB ``(h, w, 3)``, and say whether the budget is spent, so that it should be a key frame."""
        if self._key is not None:
            self._sum += self._error(_Sketch.of(proxy, self._LONG_SIDE), self._key)
        return self._sum >= self._budget

    def _error(self, frame: "_Sketch", key: "_Sketch") -> float:
        there, back = self._flow(frame.small, key.small), self._flow(key.small, frame.small)
        missed = np.abs(there + sample(back, there)).max(-1) > self._MATCH
        tone = np.abs(frame.tones - key.tones).mean()
        return self._UNMATCHED * float(missed.mean()) + self._TONE * float(tone)


@dataclass(frozen=True)
class _Sketch:
    """What is looked at of a frame: its luma, small, and the share of pixels up to each of 32 tones."""

    small: Luma
    tones: NDArray[np.float64]

    @staticmethod
    def of(proxy: NDArray[np.uint8], long_side: int) -> "_Sketch":
        whole = luma(proxy)
        height, width = proxy_shape(whole.shape[0], whole.shape[1], long_side)
        small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        counts = np.bincount(whole.ravel() >> 3, minlength=32)
        return _Sketch(np.asarray(small, np.uint8), np.cumsum(counts) / whole.size)
