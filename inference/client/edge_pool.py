"""Several edges as one: the quickest that is well is asked, and the next one when it fails."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.client.access import check_url
from inference.client.answers import RunningRelease
from inference.client.asking import new_key
from inference.client.edge_client import EdgeClient
from inference.client.failures import Unavailable
from inference.client.roster import Member, Roster
from mvstylizer.errors import EdgeError, MVStylizerError, UsageError

T = TypeVar("T")
log = logging.getLogger(__name__)
_BESIDE_WORK = 2
"""Connections for health checks and styles, which are not to wait for key frames."""


class EdgePool:
    """Asks several edges as ``EdgeClient`` asks one, with the same arguments. Use as ``async with``; one event loop.

    ``connections`` is how many key frames are under way at each edge at a time; more of them wait their turn.
    A request goes to the edge that will probably answer first; if that fails, is busy or is overdue, at once to the
    next. ``patience`` is how many seconds a request waits, all in all, while no edge can be asked. ``note`` is told
    what a user should know, in a line each. ``contributed`` counts what the edges said of key frames offered.

    Raises UsageError if there is no URL, and as ``EdgeClient`` does.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        connections: int = 4,
        timeout: float = 60.0,
        patience: float = 30.0,
        token: str | None = None,
        ca: Path | None = None,
        contributor: str | None = None,
        note: Callable[[str], None] = log.warning,
    ) -> None:
        self.urls = list(dict.fromkeys(check_url(url) for url in urls))
        if not self.urls:
            raise UsageError("no edge is named; give an address such as http://127.0.0.1:8080")
        self._clients = [
            EdgeClient(
                url,
                connections=connections + _BESIDE_WORK,
                timeout=timeout,
                patience=0,
                token=token,
                ca=ca,
                contributor=contributor,
            )
            for url in self.urls
        ]
        self._roster = Roster(self._clients, note)
        self._connections, self._patience, self._note = connections, patience, note
        self.contributed = Counter[str]()
        self._open = AsyncExitStack()
        self._spreading = set[asyncio.Task[None]]()
        self._meeting, self._has_met = asyncio.Lock(), False

    async def __aenter__(self) -> Self:
        for client in self._clients:
            await self._open.enter_async_context(client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in list(self._spreading):
            task.cancel()
        await asyncio.gather(*self._spreading, return_exceptions=True)
        await self._roster.close()
        await self._open.aclose()

    async def ready(self) -> None:
        """Meet all edges anew and return when one can be asked; to be called before each video.

        The first in the list that is well decides the release; edges with another are left out, with a note.
        Raises EdgeError if patience ends before that.
        """
        async with self._meeting:
            self._has_met = True
            await self._roster.meet()
            await self._roster.wait(self._patience)

    async def release(self) -> RunningRelease:
        """The release that all edges in service run. Raises EdgeError."""
        await self._met()
        return self._roster.agreed_release()

    async def presets(self) -> list[str]:
        """Names of the presets of that release. Raises EdgeError."""
        return await self._ask(lambda client: client.presets())

    async def put_style(self, photo: bytes, content_type: str = "image/png") -> str:
        """Make a style known to all edges; as ``EdgeClient.put_style``, of the quickest, the others follow."""
        key = new_key()
        taker: list[EdgeClient] = []

        async def put(client: EdgeClient) -> str:
            style = await client.put_style(photo, content_type, key=key)
            taker.append(client)
            return style

        style = await self._ask(put)
        for client in self._clients:
            client.remember(style, photo, content_type)
        for member in self._roster.in_service():
            if member.client not in taker:
                self._in_background(member.client.put_style(photo, content_type, key=key))
        return style

    async def stylize(
        self, proxy: NDArray[np.uint8], style: str, *, r: float = 1.0, quality: int = 95, form: str = "jpeg"
    ) -> NDArray[np.uint8]:
        """As ``EdgeClient.stylize``, by whichever edge answers."""
        key = new_key()
        while True:
            member, answer = await self._ask_one(
                lambda client: client.stylized(proxy, style, r=r, quality=quality, form=form, key=key), is_work=True
            )
            if await self._roster.is_same_release(member, answer.version):
                self._count(member, answer.contribution)
                return answer.picture

    async def contributions(self) -> dict[str, int]:
        """As ``EdgeClient.contributions``, of all edges together; raises EdgeError if one of them cannot be asked."""
        found = Counter[str]()
        for client in self._clients:
            found.update(await client.contributions())
        return dict(found)

    async def delete_contributions(self) -> int:
        """As ``EdgeClient.delete_contributions``, of all edges together; raises EdgeError at the first that fails."""
        return sum([await client.delete_contributions() for client in self._clients])

    async def _ask(self, work: Callable[[EdgeClient], Awaitable[T]]) -> T:
        return (await self._ask_one(work))[1]

    async def _ask_one(self, work: Callable[[EdgeClient], Awaitable[T]], *, is_work: bool = False) -> tuple[Member, T]:
        """Whoever answered, with the answer."""
        await self._met()
        left = self._patience
        while True:
            member = self._roster.quickest(self._connections if is_work else None)
            if member is None and self._roster.in_service():
                await self._roster.change()
                continue
            if member is None:
                left = await self._roster.wait(left)
                continue
            try:
                return member, await (self._timed(member, work) if is_work else work(member.client))
            except EdgeError as failure:
                self._roster.failed(member, failure)

    async def _met(self) -> None:
        if not self._has_met:
            await self.ready()

    async def _timed(self, member: Member, work: Callable[[EdgeClient], Awaitable[T]]) -> T:
        standing, begun = member.standing, time.monotonic()
        standing.in_flight += 1
        turns = standing.in_flight
        try:
            async with asyncio.timeout(self._roster.overdue()):
                answer = await work(member.client)
        except TimeoutError as error:
            raise Unavailable(f"the edge at {member.client.url} takes much longer than another would") from error
        finally:
            self._roster.finished(member)
        now = time.monotonic()
        standing.answered(now - begun, turns, now)
        return answer

    def _count(self, member: Member, contribution: str) -> None:
        if contribution == "refused" and not self.contributed["refused"]:
            self._note(f"the edge at {member.client.url} does not keep what is offered with --contribute")
        if contribution:
            self.contributed[contribution] += 1

    def _in_background(self, work: Coroutine[Any, Any, str]) -> None:
        async def done() -> None:
            try:
                await work
            except MVStylizerError:
                log.debug("a style will be given with the first key frame", exc_info=True)

        task = asyncio.create_task(done())
        self._spreading.add(task)
        task.add_done_callback(self._spreading.discard)
