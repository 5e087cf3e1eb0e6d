"""Replies by Idempotency-Key: who asks again, because an answer was lost on its way, gets the same one.

Kept in memory only: what a crash takes is computed again, with the same result.
"""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from inference.errors import ApiError
from inference.limits import Limits

KEY_FORM = "^[A-Za-z0-9_-]{16,64}$"
_KEY = re.compile(KEY_FORM)


@dataclass(frozen=True)
class Reply:
    """A reply that can be given more than once."""

    body: bytes
    content_type: str
    headers: dict[str, str]

    def response(self, replayed: bool = False) -> web.Response:
        """The reply as a response of its own."""
        again = {"Idempotency-Replayed": "true"} if replayed else {}
        return web.Response(body=self.body, content_type=self.content_type, headers=self.headers | again)


@dataclass
class _Known:
    fingerprint: bytes
    task: asyncio.Task[Reply]
    born: float
    waiting: int = 0
    size: int = field(default=0)


class Replies:
    """Replies of the last ``reply_seconds``, as many as fit in ``max_reply_bytes``. For use on one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def once(
        self, key: str | None, fingerprint: bytes, compute: Callable[[], Awaitable[Reply]]
    ) -> tuple[Reply, bool]:
        """The reply that ``compute`` gives, or the one it gave under ``key`` before; and whether it is an old one.

        Who asks while it is being computed waits for it. Failures are not kept. Raises what ``compute`` raises, and
        ApiError 409 if under this key something else, of another ``fingerprint``, was asked.
        """
        if key is None:
            return await compute(), False
        self._forget()
        known = self._known.get(key)
        if known is not None and known.fingerprint != fingerprint:
            text = "this Idempotency-Key stands for another request; take a new one for each"
            raise ApiError(409, "idempotency-mismatch", text)
        replayed = known is not None
        if known is None:
            known = self._begin(key, fingerprint, compute)
        return await self._wait(key, known), replayed

    @property
    def held(self) -> int:
        """Bytes of all replies that are kept."""
        return sum(known.size for known in self._known.values())

    async def close(self) -> None:
        """Let go of all replies, and stop what is still computed."""
        tasks = [known.task for known in self._known.values()]
        self._known.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: str, fingerprint: bytes, compute: Callable[[], Awaitable[Reply]]) -> _Known:
        async def computed() -> Reply:
            return await compute()

        known = _Known(fingerprint, asyncio.create_task(computed()), time.monotonic())
        self._known[key] = known
        return known

    async def _wait(self, key: str, known: _Known) -> Reply:
        known.waiting += 1
        try:
            reply = await asyncio.shield(known.task)
            known.size = len(reply.body)
            return reply
        finally:
            known.waiting -= 1
            if not known.task.done() and not known.waiting:
                known.task.cancel()  # everybody who wanted it has gone
                self._drop(key, known)
            elif known.task.done() and (known.task.cancelled() or known.task.exception() is not None):
                self._drop(key, known)

    def _drop(self, key: str, known: _Known) -> None:
        if self._known.get(key) is known:
            del self._known[key]

    def _forget(self) -> None:
        """Drop what is too old, and the oldest of what is too much; what is being computed stays."""
        oldest = time.monotonic() - self._limits.reply_seconds
        for key, known in list(self._known.items()):
            too_much = self.held > self._limits.max_reply_bytes
            if known.task.done() and not known.waiting and (known.born < oldest or too_much):
                del self._known[key]


def key_of(request: web.Request) -> str | None:
    """The request's Idempotency-Key; None without one. Raises ApiError 400 for one that is malformed."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and _KEY.fullmatch(key) is None:
        raise ApiError(400, "bad-idempotency-key", "Idempotency-Key must be 16 to 64 letters, digits, - or _")
    return key


def fingerprint_of(request: web.Request, body: bytes) -> bytes:
    """What makes two requests the same: what is asked, and the body."""
    contributor = request.headers.get("Contributor", "")  # or a replay would say of one what became of another's
    digest = hashlib.sha256(f"{request.method} {request.path_qs}\n{request.content_type}\n{contributor}\n".encode())
    digest.update(body)
    return digest.digest()
