"""An edge with a stand-in: when it can no longer be reached, this machine goes on in its place."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from mvstylizer.device import KeyFrameStylizer
from mvstylizer.errors import EdgeError
from mvstylizer.styles import Style

Picture = NDArray[np.uint8]


class FallbackStylizer:
    """Key frames through ``edge``; from its first failure on, and for those that it failed on, by a stand-in.

    It does not return to the edge: two releases that take turns would make the picture flicker. ``stand_in`` is
    called when it is needed, and ``note`` told so. Whatever the stand-in raises comes out where the edge's answer
    was waited for.
    """

    def __init__(
        self, edge: KeyFrameStylizer, stand_in: Callable[[], KeyFrameStylizer], note: Callable[[str], None]
    ) -> None:
        self._edge, self._new_stand_in, self._note = edge, stand_in, note
        self._stand_in: KeyFrameStylizer | None = None
        self._style: Style | None = None
        self._changing = threading.Lock()

    @property
    def identity(self) -> str:
        """That of whoever answers now."""
        return (self._stand_in or self._edge).identity

    def set_style(self, style: Style) -> None:
        """Make it the edge's style, or the stand-in's.

        Raises:
            UsageError: whoever answers has no preset of a name.
        """
        self._style = style
        if self._stand_in is not None:
            self._stand_in.set_style(style)
            return
        try:
            self._edge.set_style(style)
        except EdgeError as error:
            self._without_edge(error)

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        """Send a key frame to the edge, and to the stand-in if that comes to nothing."""
        if self._stand_in is not None:
            return self._stand_in.submit(proxy, r)
        answer: Future[Picture] = Future()
        asked = self._edge.submit(proxy, r)
        asked.add_done_callback(lambda done: self._pass_on(done, answer, proxy, r))
        return answer

    def close(self) -> None:
        """Let go of both."""
        self._edge.close()
        if self._stand_in is not None:
            self._stand_in.close()

    def _pass_on(self, asked: Future[Picture], answer: Future[Picture], proxy: Picture, r: float) -> None:
        error = None if asked.cancelled() else asked.exception()
        if not isinstance(error, EdgeError):
            _copy(asked, answer)
            return
        # Not in the thread that all other answers of the edge come through: a release takes a moment to load.
        threading.Thread(target=self._instead, args=(error, answer, proxy, r), daemon=True).start()

    def _instead(self, error: EdgeError, answer: Future[Picture], proxy: Picture, r: float) -> None:
        try:
            stylized = self._without_edge(error).submit(proxy, r)
            stylized.add_done_callback(lambda done: _copy(done, answer))
        except BaseException as failure:
            answer.set_exception(failure)

    def _without_edge(self, error: EdgeError) -> KeyFrameStylizer:
        with self._changing:
            if self._stand_in is None:
                stand_in = self._new_stand_in()
                if self._style is not None:
                    stand_in.set_style(self._style)
                self._note(f"{error}; going on without it")
                self._stand_in = stand_in
            return self._stand_in


def _copy(done: Future[Picture], answer: Future[Picture]) -> None:
    if done.cancelled():
        answer.cancel()
    elif (error := done.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())
