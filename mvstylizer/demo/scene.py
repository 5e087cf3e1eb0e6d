"""The demo's scene: what its clip shows at each moment, drawn over a real photograph.

The camera rises and closes in on a tower above a lake; two balloons drift through the sky, one of them behind
the tower, clouds form and dissolve, and a flock of birds crosses it all.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from mvstylizer.demo.backdrop import HORIZON, PHOTO_SIZE, View, load_photo, look, take_apart
from mvstylizer.demo.sprites import Livery, balloon, birds, cloud_noise, clouds

Image = NDArray[np.uint8]
Field = NDArray[np.float32]

_START = View(x=322, y=201, width=626)
_END = View(x=296, y=164, width=524)
_FAR_MOTION = 0.90
"""How much of the camera's motion the far layer shows."""

_CRIMSON = Livery(gores=((206, 52, 44), (246, 190, 66)), band=(250, 240, 220), haze=0.06)
_TURQUOISE = Livery(gores=((34, 130, 146), (240, 236, 224)), band=(232, 120, 60), haze=0.22)
_CLOUD_REACH = 900
_BIRDS = 9


class Scene:
    """Draws the clip's frames at ``size`` (width, height) pixels for a clip of ``seconds``.

    Raises:
        UsageError: scikit-learn, which carries the photograph, is not installed.
    """

    def __init__(self, size: tuple[int, int], seconds: float) -> None:
        self.size = size
        self.seconds = seconds
        self._backdrop = take_apart(load_photo(), scale=max(size[0] / 512, size[1] / 288))
        noise_size = (_CLOUD_REACH * 2, 2 * PHOTO_SIZE[1])
        self._noise = [cloud_noise(noise_size, seed) for seed in (11, 23)]
        random = np.random.default_rng(5)
        self._flock = random.uniform(-1, 1, (_BIRDS, 4)).astype(np.float32)

    def frame(self, time: float) -> Image:
        """Return the picture at ``time`` in seconds, (H, W, 3) uint8 RGB."""
        progress = time / self.seconds
        eased = progress * progress * (3 - 2 * progress)
        near_view = self._fitted(_START.towards(_END, eased))
        far_view = self._fitted(_START.towards(_END, _FAR_MOTION * eased))
        picture = look(self._backdrop.far, self._backdrop.scale, far_view, self.size)
        self._draw_clouds(picture, far_view, time)
        self._draw_balloons(picture, far_view, progress, time)
        picture = self._cover(picture, near_view)
        self._draw_birds(picture, progress, time)
        return picture

    def _fitted(self, view: View) -> View:
        """Return ``view`` moved and narrowed until the frame shows nothing beyond the photograph."""
        aspect = self.size[1] / self.size[0]
        narrow = min(1.0, 0.98 * PHOTO_SIZE[1] / (_START.width * aspect))
        width = view.width * narrow
        x = min(max(view.x, width / 2), PHOTO_SIZE[0] - width / 2)
        y = min(max(view.y, width * aspect / 2), PHOTO_SIZE[1] - width * aspect / 2)
        return View(x, y, width)

    def _cover(self, picture: Image, view: View) -> Image:
        """Return ``picture`` with the near layer in front of it."""
        near = look(self._backdrop.near, self._backdrop.scale, view, self.size)
        through = 255 - near[..., 3]
        seen = cv2.multiply(picture, cv2.merge([through] * 3), scale=1 / 255)
        return cv2.add(seen, np.ascontiguousarray(near[..., :3])).astype(np.uint8, copy=False)

    def _draw_clouds(self, picture: Image, view: View, time: float) -> None:
        rows = int(np.clip(view.pixels(0, HORIZON, self.size)[1], 1, self.size[1]))
        scale = view.width / self.size[0]
        y = (np.arange(rows, dtype=np.float32) + 0.5 - self.size[1] / 2) * scale + view.y
        x = (np.arange(self.size[0], dtype=np.float32) + 0.5 - self.size[0] / 2) * scale + view.x
        # Nearer the horizon clouds look flatter: they are seen at a lower angle.
        height = np.power(np.clip(y / HORIZON, 0, 1), 1.6) * 1.4 * HORIZON
        layers = [
            self._noise_at(x + speed * time, height + 60 * index, self._noise[index])
            for index, speed in enumerate((7.0, 13.0))
        ]
        fade = np.clip((HORIZON - 12 - y) / 70, 0, 1)[:, None]
        density = (0.75 * layers[0] + 0.45 * layers[1] - 0.10) * fade
        clouds(picture, density.astype(np.float32))

    def _noise_at(self, x: Field, y: Field, noise: Field) -> Field:
        """Return ``noise`` at the columns ``x`` and rows ``y``, (len(y), len(x))."""
        columns, rows = (grid.astype(np.float32) for grid in np.meshgrid(x + 100, y + 20))
        sampled = cv2.remap(noise, columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
        return sampled.astype(np.float32, copy=False)

    def _draw_balloons(self, picture: Image, view: View, progress: float, time: float) -> None:
        unit = self.size[0] / view.width
        far = view.pixels(505 - 22 * progress, 168 - 34 * progress, self.size)
        balloon(picture, far, (40 + 4 * progress) * unit, 0.25 * time, _TURQUOISE)
        bob = 1.5 * np.sin(1.1 * time)
        close = view.pixels(432 - 96 * progress, 122 - 18 * progress + bob, self.size)
        balloon(picture, close, (88 + 26 * progress) * unit, 0.4 - 0.30 * time, _CRIMSON)

    def _draw_birds(self, picture: Image, progress: float, time: float) -> None:
        width, height = self.size
        order = np.arange(_BIRDS, dtype=np.float32)
        rank = (order + 1) // 2 * np.where(order % 2 == 0, 1, -1)
        jitter = self._flock
        lead = 1.04 - 0.92 * progress
        x = (lead + 0.040 * np.abs(rank) + 0.012 * jitter[:, 0]) * width
        drift = 0.010 * np.sin(1.7 * time + 3 * jitter[:, 2])
        y = (0.60 - 0.52 * progress + 0.026 * rank + 0.012 * jitter[:, 1] + drift) * height
        lift = 0.22 + 0.62 * np.sin(2 * np.pi * (2.1 + 0.25 * jitter[:, 3]) * time + 3 * jitter[:, 1])
        flock = np.stack([x, y, 1 + 0.15 * jitter[:, 2], lift], axis=1).astype(np.float32)
        birds(picture, flock, wingspan=0.034 * width)
