"""The way from outside to Flower's SuperLink: the Fleet API and its health, and nothing else.

The SuperLink has its Control API on the same port, without any authentication: who reaches that may run any Python
on the cloud and on every edge. So it listens on loopback, and this passes on what SuperNodes need.
"""

import re
import ssl

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

_FLEET = "/v1/fleet/"
_HEALTH = "/health"
_PASSED_ON = re.compile(r"/health|/v1/fleet/[A-Za-z0-9_/-]+")
"""As it stands in the request, before anything is decoded: no dots, nothing escaped."""
_CHUNK = 2**16
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
               "transfer-encoding", "upgrade", "host"}  # fmt: skip
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=120)


class FleetProxy:
    """Passes requests on to the SuperLink at ``upstream`` (``http://127.0.0.1:8000``), streaming both ways.

    What is not the Fleet API gets 404: a SuperNode takes 403 for the end of the run and quits at 401, so these come
    from the SuperLink or not at all. While the SuperLink is away it is 503, and SuperNodes try again. At 500, which the
    SuperLink answers while its disk is full, a SuperNode's heartbeat would end for ever: that becomes 503, too.
    """

    def __init__(self, upstream: str, tls: ssl.SSLContext | None) -> None:
        self._upstream = upstream
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    def add_to(self, app: web.Application) -> None:
        """Add the routes; every other path stays what the application answers, 404 if nothing else."""
        app.router.add_route("*", _FLEET + "{rest:.*}", self._forward)
        app.router.add_get(_HEALTH, self._forward)
        app.on_cleanup.append(self._close)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if not _PASSED_ON.fullmatch(request.raw_path.partition("?")[0]):
            # Matched as a route only after decoding, and the SuperLink might decode once more.
            raise web.HTTPNotFound(text="only the Fleet API is passed on")
        session = self._open()
        try:
            async with session.request(
                request.method,
                self._upstream + request.raw_path,
                headers=_end_to_end(request.headers),
                data=request.content.iter_chunked(_CHUNK) if request.can_read_body else None,
                ssl=self._tls or True,
                allow_redirects=False,
            ) as answer:
                return await _passed_on(request, answer)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise web.HTTPServiceUnavailable(
                text=f"the SuperLink does not answer ({type(error).__name__}); try again", headers={"Retry-After": "3"}
            ) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False)
        return self._session

    async def _close(self, app: web.Application) -> None:
        if self._session is not None:
            await self._session.close()


async def _passed_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    status, reason = answer.status, answer.reason
    if status == 500:
        status, reason = 503, None
    response = web.StreamResponse(status=status, reason=reason, headers=_end_to_end(answer.headers))
    await response.prepare(request)
    async for chunk in answer.content.iter_chunked(_CHUNK):
        await response.write(chunk)
    await response.write_eof()
    return response


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for value in headers.getall("Connection", []) for name in value.split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP | named)
