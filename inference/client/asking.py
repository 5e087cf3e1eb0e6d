"""One question to an edge over HTTP, asked again while the edge is busy or away and patience lasts."""

import asyncio
import os
import secrets
from io import BytesIO
from types import TracebackType
from typing import Self

import aiohttp

from inference.client.access import Access, check_url
from inference.client.answers import Answer, read_answer
from inference.client.failures import Refused, Unavailable, garbage
from inference.client.retry import Patience

_BUSY = (429, 502, 503, 504)
_CONNECT_SECONDS = 5.0
MAX_JSON_BYTES = 1_000_000


def new_key() -> str:
    """An Idempotency-Key: what carries it twice is one request, and has one result."""
    return secrets.token_hex(16)


class Asker:
    """Keeps the connections to one edge; use as ``async with`` on one event loop.

    ``connections`` is how many requests are under way at a time, ``timeout`` the seconds of one try.
    Raises UsageError for what is no URL, or for access that does not fit to it.
    """

    def __init__(self, url: str, connections: int, timeout: float, access: Access) -> None:
        self.url = check_url(url)
        self._connections, self._timeout = connections, timeout
        self._headers, self._context = access.headers(self.url), access.context(self.url)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._context or True),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(_CONNECT_SECONDS, self._timeout)),
            headers=self._headers,
            trust_env=False,
            auto_decompress=False,
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
        key: str | None = None,
        max_bytes: int = MAX_JSON_BYTES,
    ) -> Answer:
        """The edge's answer, whatever it is.

        All tries of what is no GET carry the same Idempotency-Key: ``key``, or a new one. ``max_bytes`` bounds the
        answer's body. Raises Unavailable once patience is over with the edge busy or away; Garbage and Refused at once.
        """
        sent = dict(headers or {})
        if method != "GET":
            sent["Idempotency-Key"] = key or new_key()
        while True:
            try:
                return await self._once(method, path, body, sent, params, max_bytes)
            except Unavailable as failure:
                delay = patience.next_delay(failure.retry_after)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        params: dict[str, str] | None,
        max_bytes: int,
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("to be used inside of `async with`")
        stream = None if body is None else BytesIO(body)  # aiohttp writes it piece by piece
        request = self._session.request(
            method, self.url + path, data=stream, headers=headers, params=params, allow_redirects=False
        )
        try:
            async with request as reply:
                answer = await read_answer(reply, max_bytes, self.url)
        except aiohttp.ClientConnectorCertificateError as error:
            raise self._untrusted(error) from error
        except (aiohttp.ClientResponseError, aiohttp.ClientSSLError) as error:
            raise garbage(self.url, _reason(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._away(error) from error
        if answer.status in _BUSY:
            raise self._busy(answer)
        return answer

    def _untrusted(self, error: aiohttp.ClientConnectorCertificateError) -> Refused:
        told = getattr(error.certificate_error, "verify_message", "") or "certificate verify failed"
        return Refused(
            f"the edge at {self.url} cannot be trusted ({told}); check the address, "
            "or name the certificate of its CA with --edge-ca"
        )

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"the edge at {self.url} cannot be reached ({_reason(error)}); start one with: mvstylizer serve"
        )

    def _busy(self, answer: Answer) -> Unavailable:
        return Unavailable(
            f"the edge at {self.url} has no time ({answer.text}); try again later, "
            "or start another one with: mvstylizer serve",
            answer.retry_after,
        )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        return os.strerror(number) if number > 0 else error.os_error.strerror or "no connection"
    return (str(error) or type(error).__name__).splitlines()[0][:100]
