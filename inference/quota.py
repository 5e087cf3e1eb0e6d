"""How much of an edge one client may hold: without it, the busiest would be the only one."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from inference.errors import ApiError


class Quota:
    """Counts what each client has waiting and running. A client is an address, or what the trusted proxy says it is."""

    def __init__(self, per_client: int, behind_proxy: bool) -> None:
        self._per_client, self._behind_proxy = per_client, behind_proxy
        self._held = Counter[str]()

    def check(self, request: web.Request, wait: float) -> None:
        """Raise ApiError 429, to return after ``wait`` seconds, if the request's client has its share already."""
        if self._held[self._client(request)] >= self._per_client:
            text = f"this client has {self._per_client} pieces of work waiting, as many as one may"
            raise ApiError(429, "too-many-requests", text, retry_after=wait, close=True)

    @contextmanager
    def share(self, request: web.Request, wait: float) -> Iterator[None]:
        """Count a piece of work as its client's; raises as ``check`` does."""
        self.check(request, wait)
        client = self._client(request)
        self._held[client] += 1
        try:
            yield
        finally:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]

    def _client(self, request: web.Request) -> str:
        # The last entry is the proxy's own; those before it are whatever the client wrote.
        forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        return forwarded if self._behind_proxy and forwarded else request.remote or ""
