"""How long a client waits before it asks again, and when it gives up."""

import random
import time

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 5.0


class Backoff:
    """Times to wait between failures: doubling, with full jitter, so that many devices do not come back as one."""

    def __init__(self) -> None:
        self._ceiling = _FIRST_SECONDS

    def next_delay(self, retry_after: float | None = None) -> float:
        """Seconds to wait after one more failure, never less than the server asked for."""
        jitter = random.uniform(0, self._ceiling)
        self._ceiling = min(2 * self._ceiling, _LONGEST_SECONDS)
        return jitter + (retry_after or 0.0)

    def relent(self) -> None:
        """After a success, wait half as long the next time; not at once as if nothing had been."""
        self._ceiling = max(self._ceiling / 2, _FIRST_SECONDS)


class Patience:
    """Backoff inside a budget of ``seconds`` that starts now."""

    def __init__(self, seconds: float) -> None:
        self._give_up = time.monotonic() + seconds
        self._backoff = Backoff()

    def next_delay(self, retry_after: float | None = None) -> float | None:
        """Seconds to wait before the next try, never less than the server asked for; None to give up."""
        delay = self._backoff.next_delay(retry_after)
        return delay if time.monotonic() + delay < self._give_up else None


def parse_retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header; None if there is none, or it is no plain number of seconds."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return float(text)
