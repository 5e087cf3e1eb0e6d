"""What every way of propagation has in common: key frames in, a look for each frame out."""

from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mvstylizer.errors import UsageError
from mvstylizer.video.frame import Planes

PropagationName = Literal["affine", "warp"]


class Look(Protocol):
    """What one frame is to look like, worked out at proxy size and given to the frame at any size."""

    def on_planes(self, planes: Planes) -> Planes:
        """The full-size frame in this look; 8-bit 4:2:0 planes in, new ones out."""
        ...

    def on_proxy(self, proxy: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The proxy, or any RGB picture ``(h, w, 3)`` of the same frame, in this look."""
        ...

    def at(self, strength: float) -> Self:
        """This look at a strength from 0, which leaves every value as it is, to 1, this look itself."""
        ...


def check_strength(strength: float) -> None:
    """Raise UsageError unless the strength of a look is a number from 0 to 1."""
    if not 0 <= strength <= 1:
        raise UsageError(f"a strength of {strength:g} is not possible; choose 0 (as it was) to 1 (all of the style)")


class StylizedKey(Protocol):
    """A key frame that has been stylized, as its way of propagation keeps it."""

    @property
    def look(self) -> Look:
        """The look of the key frame itself."""
        ...


class Propagation(Protocol):
    """Moves looks from key frames to the frames between them; one instance belongs to one thread."""

    full_size: bool
    """Whether key frames must be stylized at the frame's own size; else at the proxy's."""
    two_sided: bool
    """Whether frames between two key frames take from both; else they need not wait for the second."""

    def key(self, proxy: NDArray[np.uint8], stylized: NDArray[np.uint8]) -> StylizedKey:
        """Take in a key frame's proxy and what the stylizer made of it, both RGB uint8."""
        ...

    def between(
        self, proxy: NDArray[np.uint8], previous: StylizedKey, following: StylizedKey | None, position: float
    ) -> Look:
        """The look of the frame at ``position`` (0..1) of the way in time from ``previous`` to ``following``.

        Both keys are this propagation's own. ``following`` is None where no later key frame of the same shot exists.
        """
        ...
