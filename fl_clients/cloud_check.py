"""Looks at the cloud before a node is started: whether it answers, and whether its clock and ours agree."""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp

from mvstylizer.errors import EdgeError

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
_RETRY_SECONDS = 5.0
_NOTED_SECONDS = 2.0
_AHEAD_SECONDS, _BEHIND_SECONDS = 5.0, 300.0
"""Flower signs requests with the time, and answers 401 to what is further from the cloud's; a node then ends."""


@dataclass(frozen=True)
class CloudSeen:
    """What an answer told: seconds that this machine's clock is ahead of the cloud's, None if it told no time."""

    ahead: float | None


async def look(url: str, context: ssl.SSLContext | None) -> CloudSeen:
    """Ask once; any answer is one, since a proxy may pass on Flower's own routes alone.

    Raises EdgeError: there is none, or not from the machine that its certificate is for.
    """
    began = time.time()
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as http,
            http.get(f"{url}/health", ssl=context or True, allow_redirects=False) as reply,
        ):
            return CloudSeen(_ahead(reply.headers.get("Date"), (began + time.time()) / 2))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise EdgeError(f"the cloud at {url} does not answer ({str(error) or type(error).__name__})") from error


async def wait_for_cloud(url: str, context: ssl.SSLContext | None, tell: Callable[[str], None]) -> None:
    """Return when the cloud answers; a reason why it does not is told once.

    Raises EdgeError: the clocks are too far apart for Flower.
    """
    told = ""
    while True:
        try:
            check_clock(await look(url, context), tell)
            return
        except _ClockError as error:
            raise EdgeError(str(error)) from error
        except EdgeError as error:
            if str(error) != told:
                tell(f"{error}; waiting for it")
                told = str(error)
        await asyncio.sleep(_RETRY_SECONDS)


def check_clock(seen: CloudSeen, tell: Callable[[str], None]) -> None:
    """Tell of a clock that is off; raises EdgeError if it is so far off that the cloud will refuse this node."""
    if seen.ahead is None or abs(seen.ahead) <= _NOTED_SECONDS:
        return
    way = "ahead of" if seen.ahead > 0 else "behind"
    text = f"this machine's clock is {abs(seen.ahead):.0f} s {way} the cloud's"
    if seen.ahead > _AHEAD_SECONDS or seen.ahead < -_BEHIND_SECONDS:
        raise _ClockError(f"{text}, and Flower refuses such nodes; set it, or turn on NTP")
    tell(f"{text}; from {_AHEAD_SECONDS:.0f} s ahead on the cloud refuses this node, so turn on NTP")


class _ClockError(EdgeError):
    """Waiting does not help."""


def _ahead(date: str | None, now: float) -> float | None:
    try:
        told = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    return now - (told + 0.5)  # a Date has whole seconds, the time was up to one more
