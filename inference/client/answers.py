"""What an edge answered, read within bounds and checked before anybody believes it."""

import json
from dataclasses import dataclass
from typing import NamedTuple, cast

import aiohttp
import numpy as np
from numpy.typing import NDArray

from inference.client.failures import garbage
from inference.client.retry import parse_retry_after
from mvstylizer.errors import InputError
from mvstylizer.pictures import decode_picture

_LONGEST_TEXT = 200
_BYTES_BESIDE_PIXELS = 65_536


class RunningRelease(NamedTuple):
    """What an edge runs: the release's own name, and the hex digest that says whether two are the same."""

    version: str
    sha256: str


class Stylized(NamedTuple):
    """A key frame that came back, ``(H, W, 3)`` uint8 RGB, and what the edge said about it.

    ``version`` is that of the release that made it, ``contribution`` is ``kept``, ``duplicate`` or ``refused``;
    both are empty if the edge does not say.
    """

    picture: NDArray[np.uint8]
    version: str
    contribution: str


@dataclass(frozen=True)
class Answer:
    """One reply of an edge with its whole body."""

    status: int
    content_type: str
    retry_after: float | None
    body: bytes
    version: str = ""
    contribution: str = ""

    @property
    def code(self) -> str:
        """The error's slug; empty if the reply is not of the edge's error shape."""
        return self.text_of("code")

    @property
    def text(self) -> str:
        """The error's text fit for one line of a terminal, or else the bare status."""
        return printable(self.text_of("error")) or f"HTTP status {self.status}"

    def texts(self, name: str) -> list[str]:
        """The texts in the list of that name; empty if the reply has none."""
        value = self._value(name)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

    def text_of(self, name: str) -> str:
        """The text of that name; empty if the reply has none."""
        value = self._value(name)
        return value if isinstance(value, str) else ""

    def count_of(self, name: str) -> int | None:
        """The whole number of that name, from 0 up; None if the reply has none."""
        value = self._value(name)
        return value if type(value) is int and value >= 0 else None

    def _value(self, name: str) -> object:
        try:
            return cast(object, json.loads(self.body)[name])
        except (ValueError, LookupError, TypeError, RecursionError):
            return None


def printable(text: str) -> str:
    """What an edge said, fit for one line of a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST_TEXT]


def max_bytes_of(height: int, width: int) -> int:
    """More bytes than any sensible picture of this size has."""
    return 3 * height * width + _BYTES_BESIDE_PIXELS


async def read_answer(reply: aiohttp.ClientResponse, max_bytes: int, url: str) -> Answer:
    """Read a reply's body, at most ``max_bytes`` of it; raises Garbage if it is longer or compressed."""
    if "Content-Encoding" in reply.headers:
        raise garbage(url, "a compressed body")
    body = bytearray()
    async for chunk in reply.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise garbage(url, f"more than {max_bytes} bytes")
    return Answer(
        reply.status,
        reply.content_type,
        parse_retry_after(reply.headers.get("Retry-After")),
        bytes(body),
        printable(reply.headers.get("Model-Version", "")),
        reply.headers.get("Contribution", ""),
    )


def picture_of(answer: Answer, height: int, width: int, url: str) -> NDArray[np.uint8]:
    """The answer's picture, ``(height, width, 3)`` uint8 RGB; raises Garbage if it is anything else."""
    if answer.content_type not in ("image/jpeg", "image/png"):
        raise garbage(url, f"{answer.content_type[:40]} in place of a picture")
    try:
        picture = decode_picture(answer.body, height * width)
    except InputError as error:
        raise garbage(url, f"a picture that cannot be read, or is larger than {width}×{height}") from error
    if picture.shape != (height, width, 3):
        raise garbage(url, f"{picture.shape[1]}×{picture.shape[0]} pixels in place of {width}×{height}")
    return picture
