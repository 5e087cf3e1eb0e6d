"""Reads request bodies within bounds of size, time and memory; nothing else in the edge reads one.

aiohttp's own ``client_max_size`` does not apply to the stream that a handler reads, and a stalled body stays
open for ever; so both are watched here.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from inference.errors import ApiError
from inference.limits import Limits

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")
_JSON_TYPES = ("application/json",)


class Bodies:
    """Reads bodies and knows how many bytes of them are held in memory just now."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of all bodies that are in memory."""
        return self._held

    @asynccontextmanager
    async def picture(self, request: web.Request, max_bytes: int) -> AsyncIterator[bytes]:
        """The raw picture in a request's body; counts as held in memory until the context is left.

        Raises ApiError: 400 empty or broken, 408 too slow, 413 too long, 415 not sent as a picture,
        503 if too many bodies are held already.
        """
        async with self._whole(request, max_bytes, PICTURE_TYPES) as body:
            yield body

    async def json(self, request: web.Request, max_bytes: int) -> dict[str, Any]:
        """The JSON object in a request's body.

        Raises ApiError: 400 empty, broken or no JSON object, else as ``picture`` does.
        """
        async with self._whole(request, max_bytes, _JSON_TYPES) as body:
            try:
                found = json.loads(body)
            except (ValueError, RecursionError):
                raise ApiError(400, "bad-json", "the body is no JSON in UTF-8") from None
        if not isinstance(found, dict):
            raise ApiError(400, "bad-json", "the body must be a JSON object")
        return found

    @asynccontextmanager
    async def _whole(self, request: web.Request, max_bytes: int, types: tuple[str, ...]) -> AsyncIterator[bytes]:
        _check_headers(request, max_bytes, types)
        await _send_continue(request)
        body = bytearray()
        start = time.monotonic()
        try:
            while chunk := await self._chunk(request, start, len(body)):
                body += chunk
                self._held += len(chunk)
                self._check(len(body), max_bytes)
            if not body:
                raise ApiError(400, "empty-body", f"the body must be {' or '.join(types)}, and it is empty")
            yield bytes(body)
        finally:
            self._held -= len(body)

    async def _chunk(self, request: web.Request, start: float, size: int) -> bytes:
        limits = self._limits
        allowed = min(limits.body_seconds, limits.body_grace_seconds + size / limits.min_bytes_per_second)
        left = max(0.0, start + allowed - time.monotonic())
        try:
            async with asyncio.timeout(left):
                return await request.content.readany()
        except TimeoutError:
            text = f"the body came too slowly: {size} bytes in {allowed:.1f} s"
            raise ApiError(408, "body-too-slow", text, close=True) from None
        except web.RequestPayloadError:
            raise ApiError(400, "broken-body", "the body's framing is broken", close=True) from None

    def _check(self, size: int, max_bytes: int) -> None:
        if size > max_bytes:
            raise _too_long(max_bytes)
        if self._held > self._limits.max_buffered_bytes:
            raise ApiError(503, "busy", "too many uploads at a time", retry_after=1, close=True)


def _check_headers(request: web.Request, max_bytes: int, types: tuple[str, ...]) -> None:
    if request.headers.get("Content-Encoding") is not None:
        raise ApiError(415, "content-encoding", "send the body as it is, without Content-Encoding", close=True)
    if request.content_type not in types:
        text = f"Content-Type must be one of {', '.join(types)}"
        raise ApiError(415, "content-type", text, close=True)
    if request.content_length is not None and request.content_length > max_bytes:
        raise _too_long(max_bytes)


def _too_long(max_bytes: int) -> ApiError:
    return ApiError(413, "too-many-bytes", f"the body is longer than {max_bytes} bytes", close=True)


async def _send_continue(request: web.Request) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # so that aiohttp does not take it for the reply
