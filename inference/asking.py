"""One question to an edge over HTTP, asked again while the edge is busy or away and patience lasts."""

import asyncio
import os
from io import BytesIO
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from inference.answers import Answer, garbage, read_answer
from inference.retry import Patience
from mvstylizer.errors import EdgeError, UsageError

_BUSY = (429, 502, 503, 504)
_CONNECT_SECONDS = 5.0
MAX_JSON_BYTES = 1_000_000


class Asker:
    """Keeps the connections to one edge; use as ``async with`` on one event loop.

    ``connections`` is how many requests are under way at a time, ``timeout`` the seconds of one try.
    """

    def __init__(self, url: str, connections: int, timeout: float) -> None:
        self.url = check_url(url)
        self._connections, self._timeout = connections, timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(_CONNECT_SECONDS, self._timeout))
        connector = aiohttp.TCPConnector(limit=self._connections)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, trust_env=False, auto_decompress=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        patience: Patience,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        max_bytes: int = MAX_JSON_BYTES,
    ) -> Answer:
        """The edge's answer, whatever it is; EdgeError once patience is over with an edge busy or away.

        ``max_bytes`` bounds the answer's body; a longer one is an EdgeError at once.
        """
        while True:
            try:
                answer = await self._once(method, path, body, headers, params, max_bytes)
            except (aiohttp.ClientResponseError, aiohttp.ClientSSLError) as error:
                raise garbage(self.url, _reason(error)) from error
            except (aiohttp.ClientError, OSError) as error:
                delay, failure = patience.next_delay(), self._away(error)
            else:
                if answer.status not in _BUSY:
                    return answer
                delay, failure = patience.next_delay(answer.retry_after), self._busy(answer)
            if delay is None:
                raise failure
            await asyncio.sleep(delay)

    async def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str] | None,
        params: dict[str, str] | None,
        max_bytes: int,
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("to be used inside of `async with`")
        stream = None if body is None else BytesIO(body)  # aiohttp writes it piece by piece
        request = self._session.request(
            method, self.url + path, data=stream, headers=headers, params=params, allow_redirects=False
        )
        async with request as reply:
            return await read_answer(reply, max_bytes, self.url)

    def _away(self, error: Exception) -> EdgeError:
        return EdgeError(
            f"the edge at {self.url} cannot be reached ({_reason(error)}); start one with: mvstylizer serve"
        )

    def _busy(self, answer: Answer) -> EdgeError:
        return EdgeError(
            f"the edge at {self.url} has no time ({answer.text}); try again later, "
            "or start another one with: mvstylizer serve"
        )


def check_url(url: str) -> str:
    """An edge's URL without a slash at its end; raises UsageError if it is no plain http or https address."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{url!r} is no address of an edge; give one such as http://127.0.0.1:8080")
    return url.rstrip("/")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        return os.strerror(number) if number > 0 else error.os_error.strerror or "no connection"
    return (str(error) or type(error).__name__).splitlines()[0][:100]
