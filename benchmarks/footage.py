"""A clip in one style: its proxies, and what the DNN makes of them, worked out when it is asked for and once only."""

from collections.abc import Collection, Iterator, Sequence
from copy import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import clip_paths, proxies
from mvstylizer.engine import Engine
from mvstylizer.flow import FlowName, estimator, luma
from mvstylizer.keyframes import KeyFrameSelector
from mvstylizer.metrics import ms_ssim
from mvstylizer.pictures import read_picture
from mvstylizer.propagation import AffinePropagation
from mvstylizer.propagation.affine import AffineKey
from mvstylizer.video import ColourSpace

COLOUR = ColourSpace("bt601", "full")

Picture = NDArray[np.uint8]


class Footage:
    """``frames`` are RGB ``(h, w, 3)``; ``name`` is the clip's."""

    def __init__(
        self, name: str, frames: list[Picture], style: Picture, engine: Engine, flow: FlowName = "dis"
    ) -> None:
        self.name, self.frames, self.flow = name, frames, flow
        self.affine = AffinePropagation(COLOUR, estimator(flow))
        self._engine, self._code = engine, engine.encode_style(style)
        self._stylized: dict[int, Picture] = {}
        self._keys: dict[int, AffineKey] = {}
        self._path: dict[int, NDArray[np.float32]] = {}

    def with_flow(self, flow: FlowName) -> "Footage":
        """The same clip with another estimator; what the DNN made and makes of it is shared."""
        other = copy(self)
        other.flow, other.affine, other._keys = flow, AffinePropagation(COLOUR, estimator(flow)), {}
        return other

    def stylized(self, index: int) -> Picture:
        """What the DNN makes of a frame."""
        if index not in self._stylized:
            self._stylized[index] = self._engine.stylize(self.frames[index], self._code)
        return self._stylized[index]

    def key(self, index: int) -> AffineKey:
        """A frame as a key frame of `affine`."""
        if index not in self._keys:
            self._keys[index] = self.affine.key(self.frames[index], self.stylized(index))
        return self._keys[index]

    def path_luma(self, index: int) -> NDArray[np.float32]:
        """Luma ``(h, w)`` of a frame through the whole path, DNN and affine fit, as the device shows key frames."""
        if index not in self._path:
            # Not kept: a field weighs ten times what a frame does, and few frames are key frames.
            key = self._keys.get(index) or self.affine.key(self.frames[index], self.stylized(index))
            self._path[index] = float_luma(key.look.on_proxy(self.frames[index]))
        return self._path[index]

    def shown(self, index: int, keys: Sequence[int]) -> Picture:
        """What the device shows of a frame: the look of a key frame, or that of those around it, moved along."""
        before, after = around(index, keys)
        frame = self.frames[index]
        if before == index:
            return self.key(index).look.on_proxy(frame)
        following = None if after is None else self.key(after)
        position = 0.0 if after is None else (index - before) / (after - before)
        return self.affine.between(frame, self.key(before), following, position).on_proxy(frame)


def around(index: int, keys: Sequence[int]) -> tuple[int, int | None]:
    """The last key frame up to a frame, and the first after it, if any; ``keys`` begin with 0."""
    return max(key for key in keys if key <= index), min((key for key in keys if key > index), default=None)


def chosen(frames: Sequence[Picture], selector: KeyFrameSelector, codec_keys: Collection[int] = ()) -> list[int]:
    """The indices of the key frames that a selector chooses; ``codec_keys`` are those of the stream's I-frames."""
    return [index for index, frame in enumerate(frames) if selector.decide(frame, index in codec_keys).is_key]


def float_luma(picture: Picture) -> NDArray[np.float32]:
    return luma(picture).astype(np.float32)


def likeness(picture: Picture, reference: NDArray[np.float32]) -> float:
    """MS-SSIM of a picture's luma and a luma plane."""
    return ms_ssim(float_luma(picture), reference)


def footage(folder: Path, styles: Path, engine: Engine, frames: int, flow: FlowName = "dis") -> Iterator[Footage]:
    """Every clip of a folder, its first ``frames`` frames, each in another of the photos."""
    photos = sorted(styles.glob("*.jpg"))
    for number, path in enumerate(clip_paths(folder)):
        style = read_picture(photos[number * len(photos) // 12 % len(photos)])
        yield Footage(path.stem, proxies(path, frames), style, engine, flow)
