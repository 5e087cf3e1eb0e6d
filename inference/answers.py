"""What an edge answered, read within bounds and checked before anybody believes it."""

import json
from dataclasses import dataclass
from typing import cast

import aiohttp
import numpy as np
from numpy.typing import NDArray

from inference.retry import parse_retry_after
from mvstylizer.errors import EdgeError, InputError
from mvstylizer.pictures import decode_picture

_LONGEST_TEXT = 200
_BYTES_BESIDE_PIXELS = 65_536


@dataclass(frozen=True)
class Answer:
    """One reply of an edge with its whole body."""

    status: int
    content_type: str
    retry_after: float | None
    body: bytes

    @property
    def code(self) -> str:
        """The error's slug; empty if the reply is not of the edge's error shape."""
        return self.text_of("code")

    @property
    def text(self) -> str:
        """The error's text fit for one line of a terminal, or else the bare status."""
        told = "".join(c if c.isprintable() else " " for c in self.text_of("error"))
        return told[:_LONGEST_TEXT] or f"HTTP status {self.status}"

    def texts(self, name: str) -> list[str]:
        """The texts in the list of that name; empty if the reply has none."""
        value = self._value(name)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

    def text_of(self, name: str) -> str:
        """The text of that name; empty if the reply has none."""
        value = self._value(name)
        return value if isinstance(value, str) else ""

    def _value(self, name: str) -> object:
        try:
            return cast(object, json.loads(self.body)[name])
        except (ValueError, LookupError, TypeError, RecursionError):
            return None


def garbage(url: str, what: str) -> EdgeError:
    """The error for an answer that no sound edge gives."""
    return EdgeError(
        f"the edge at {url} answers garbage ({what}); check that the address is that of an edge, "
        "and that it and this device have the same version of mvstylizer"
    )


def max_bytes_of(height: int, width: int) -> int:
    """More bytes than any sensible picture of this size has."""
    return 3 * height * width + _BYTES_BESIDE_PIXELS


async def read_answer(reply: aiohttp.ClientResponse, max_bytes: int, url: str) -> Answer:
    """Read a reply's body, at most ``max_bytes`` of it; raises EdgeError if it is longer or compressed."""
    if "Content-Encoding" in reply.headers:
        raise garbage(url, "a compressed body")
    body = bytearray()
    async for chunk in reply.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise garbage(url, f"more than {max_bytes} bytes")
    retry_after = parse_retry_after(reply.headers.get("Retry-After"))
    return Answer(reply.status, reply.content_type, retry_after, bytes(body))


def picture_of(answer: Answer, height: int, width: int, url: str) -> NDArray[np.uint8]:
    """The answer's picture, ``(height, width, 3)`` uint8 RGB; raises EdgeError if it is anything else."""
    if answer.content_type not in ("image/jpeg", "image/png"):
        raise garbage(url, f"{answer.content_type[:40]} in place of a picture")
    try:
        picture = decode_picture(answer.body, height * width)
    except InputError as error:
        raise garbage(url, f"a picture that cannot be read, or is larger than {width}×{height}") from error
    if picture.shape != (height, width, 3):
        raise garbage(url, f"{picture.shape[1]}×{picture.shape[0]} pixels in place of {width}×{height}")
    return picture
