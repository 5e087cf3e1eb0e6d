"""Whether an edge has nothing better to do than to train; asked before torch is imported, so in milliseconds."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import cast

_TIMEOUT_SECONDS = 5.0
_AGAIN_SECONDS = 0.2
_MAX_BYTES = 4 * 2**20
_PENDING = ("mvstylizer_pending", "mvstylizer_in_flight")
_RECEIVED = "mvstylizer_received_bytes_total"


@dataclass(frozen=True)
class IdleGate:
    """How an edge is asked; see TrainerSettings for what its fields mean."""

    edge: str
    token_file: Path | None = None
    without_edge: bool = False
    quiet_seconds: float = 1.0
    patience: float = 0.0
    """Seconds to go on asking an edge that is at work: a single key frame must not cost it the round."""

    def closed(self) -> str | None:
        """Why the edge is not to be trained on just now, None if it is idle; takes ``quiet_seconds`` then.

        Raises InputError or UsageError if the token cannot be read, or would travel unprotected.
        """
        until = time.monotonic() + self.patience
        try:
            if (reason := self._not_ready()) is not None:
                return reason
            while (reason := self._working()) is not None and time.monotonic() < until:
                time.sleep(_AGAIN_SECONDS)
        except (OSError, HTTPException, ValueError) as error:
            return self._unreachable(error)
        return reason

    def _working(self) -> str | None:
        before = self._metrics()
        if (reason := _working(before)) is not None:
            return reason
        time.sleep(self.quiet_seconds)
        after = self._metrics()
        if after.get(_RECEIVED) != before.get(_RECEIVED):
            return "the edge has just been given work"
        return _working(after)

    def _not_ready(self) -> str | None:
        try:
            self._get("/v2/health/ready")
        except urllib.error.HTTPError as error:
            with error:
                try:
                    return f"the edge is not ready ({json.loads(error.read(_MAX_BYTES))['reason']})"
                except (ValueError, KeyError, TypeError):
                    return f"the edge is not ready (it answers {error.code})"
        return None

    def _metrics(self) -> dict[str, float]:
        try:
            text = self._get("/metrics").decode()
        except urllib.error.HTTPError as error:
            error.close()
            hint = "; name its token with --edge-token-file" if error.code == 401 else ""
            raise ValueError(f"its metrics are answered with {error.code}{hint}") from error
        samples = (line.rpartition(" ") for line in text.splitlines() if line.startswith("mvstylizer_"))
        return {name: float(value) for name, _, value in samples if "{" not in name}

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(f"{self.edge}{path}", headers=self._headers())
        with _OPENER.open(request, timeout=_TIMEOUT_SECONDS) as reply:
            return cast(bytes, reply.read(_MAX_BYTES))

    def _headers(self) -> dict[str, str]:
        if self.token_file is None:
            return {}
        # Brings aiohttp, which an edge without a token has no need to wait for.
        from inference.client.access import Access
        from inference.security import read_token

        return Access(read_token(self.token_file)).headers(self.edge)

    def _unreachable(self, error: Exception) -> str | None:
        refused = isinstance(error, urllib.error.URLError) and isinstance(error.reason, ConnectionRefusedError)
        if refused and self.without_edge:
            return None
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        return f"the edge at {self.edge} cannot be asked ({why})"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


# Without the system's proxies and without redirects: the edge is where it is said to be.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def _working(metrics: dict[str, float]) -> str | None:
    missing = [name for name in _PENDING if name not in metrics]
    if missing:
        raise ValueError(f"its metrics lack {missing[0]}")
    waiting = max(metrics[name] for name in _PENDING)
    return f"the edge has {waiting:.0f} key frames to do" if waiting else None
