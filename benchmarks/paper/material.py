"""The clips and photos that the paper's tables are measured on: a folder of anybody's, or ones made here."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import InputError
from mvstylizer.pictures import read_picture, write_picture
from mvstylizer.video import ColourSpace
from mvstylizer.video.frame import Planes

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
PHOTOS = {".jpg", ".jpeg", ".png", ".webp"}
COLOUR = ColourSpace("bt601", "limited")
"""What OpenCV makes of RGB."""
_MADE_SIZE = (320, 160)
_MADE_FRAMES = 60
_MADE_PHOTOS = 48

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Material:
    """Clips and style photos in order; folders of content/style pairs and of training photos, where there are any."""

    name: str
    clips: Sequence[Path]
    styles: Sequence[Path]
    evaluation: Path | None = None
    """Has ``pairs/`` and ``anchor_results/``."""
    photos: Path | None = None

    def style(self, number: int) -> Picture:
        """The style that clip ``number`` is to get, RGB ``(h, w, 3)``: another one for each, as in the paper (§4.3)."""
        return read_picture(self.styles[number * len(self.styles) // len(self.clips) % len(self.styles)])


def material(folder: Path) -> Material:
    """What a folder holds: laid out as ``eval/{clips,styles,pairs}`` and ``train/photos``, or videos and photos
    anywhere in it.

    Raises:
        InputError: there are no videos or no photos.
    """
    if (folder / "eval" / "clips").is_dir():
        ours = folder / "eval"
        photos = folder / "train" / "photos"
        return Material(
            folder.name,
            _files(ours / "clips", VIDEOS),
            _files(ours / "styles", PHOTOS),
            ours if (ours / "pairs").is_dir() else None,
            photos if photos.is_dir() else None,
        )
    return Material(folder.name, _files(folder, VIDEOS), _files(folder, PHOTOS), None, folder)


def _files(folder: Path, kinds: set[str]) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
    if not found:
        raise InputError(f"{folder}: no file of {', '.join(sorted(kinds))}; name another --data")
    return found


def made(folder: Path) -> Material:
    """Two clips of soft blotches that a camera pans over, and photos of blotches in other colours."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = [folder / f"pan-{step}.mp4" for step in (1, 3)]
    width, height = _MADE_SIZE
    for step, path in zip((1, 3), clips, strict=True):
        world = _blotches(step, height, width + step * _MADE_FRAMES, np.full(3, 128))
        write_clip(path, [world[:, step * i : step * i + width] for i in range(_MADE_FRAMES)])
    photos = folder / "photos"
    photos.mkdir(exist_ok=True)
    tones = np.random.default_rng(0).integers(60, 200, (_MADE_PHOTOS, 3))
    for number, tone in enumerate(tones):
        write_picture(photos / f"photo-{number:02}.png", _blotches(10 + number, 144, 160, tone), overwrite=True)
    return Material("made", clips, _files(photos, PHOTOS), None, photos)


def _blotches(seed: int, height: int, width: int, tone: NDArray[np.int64]) -> Picture:
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3.0)
    return np.asarray(np.clip(tone + 40 * soft / soft.std(), 0, 255), np.uint8)


def frames_of(path: Path, width: int, height: int, count: int) -> list[Picture]:
    """The first ``count`` frames of a clip at that size, RGB, forwards and backwards if it is too short."""
    with av.open(str(path)) as container:
        shown = (
            frame.reformat(width, height, format="rgb24", interpolation="AREA").to_ndarray()
            for frame in islice(container.decode(video=0), count)
        )
        found = [np.asarray(frame, np.uint8) for frame in shown]
    if not found:
        raise InputError(f"{path}: no frame can be decoded; name another --data")
    return list(islice(cycle([*found, *found[-2:0:-1]]), count))


def planes_of(picture: Picture) -> Planes:
    """A picture of even sides as 4:2:0 planes in ``COLOUR``."""
    height, width = picture.shape[:2]
    packed = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8).reshape(-1)
    y, u, v = np.split(packed, [height * width, height * width * 5 // 4])
    return y.reshape(height, width), u.reshape(height // 2, width // 2), v.reshape(height // 2, width // 2)


def write_clip(path: Path, frames: Sequence[Picture], rate: int = 25) -> Path:
    """Frames RGB ``(h, w, 3)`` as nearly lossless H.264 without sound."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, options={"preset": "veryfast", "crf": "8"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, rate)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
