"""Which of several edges are in service, which are away and looked after, and which are not to be asked.

An edge that fails is taken out at once and comes back when it says that it is well, so a key frame never waits for
one that is gone. Only edges with the same release are in service together: one video, one look.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from inference.client.answers import RunningRelease
from inference.client.edge_client import EdgeClient
from inference.client.failures import Garbage, Unavailable
from inference.client.standing import Standing
from mvstylizer.errors import EdgeError

_CHECK_SECONDS = 5.0


class State(Enum):
    """What an edge is to us."""

    IN_SERVICE = auto()
    AWAY = auto()
    OTHER_RELEASE = auto()
    DISMISSED = auto()


@dataclass(eq=False)
class Member:
    """One edge; ``version`` is what its replies were last known to call the release."""

    client: EdgeClient
    standing: Standing = field(default_factory=Standing)
    state: State = State.AWAY
    is_proven: bool = False
    release: RunningRelease = RunningRelease("", "")  # noqa: RUF009 (immutable)
    version: str = ""
    failure: EdgeError | None = None


class Roster:
    """The edges that ``clients`` ask, each of them with no patience of its own; for use on one event loop.

    ``note`` is told, in a line each, what a user should know: an edge that is left out, a release that changed.
    """

    def __init__(self, clients: Sequence[EdgeClient], note: Callable[[str], None]) -> None:
        self.members = [Member(client) for client in clients]
        self.release: RunningRelease | None = None
        self._note = note
        self._watching = set[asyncio.Task[None]]()
        self._someone, self._changed = asyncio.Event(), asyncio.Event()

    async def meet(self) -> None:
        """Ask all edges anew how they are; the first of those that are well decides which release it is.

        Raises EdgeError if none of them can ever be asked.
        """
        await self.close()
        self.release = None
        found = await asyncio.gather(*(self._checked(member) for member in self.members))
        for member, answer in zip(self.members, found, strict=True):
            member.state = State.AWAY
            if isinstance(answer, RunningRelease):
                self._admit(member, answer)
            elif _may_pass(member, answer):
                self._watch(member, answer)
            else:
                member.state, member.failure = State.DISMISSED, answer
        self._told_of_the_dismissed()

    async def close(self) -> None:
        """Look after nobody any more."""
        watching = list(self._watching)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    def in_service(self) -> list[Member]:
        """Those that may be asked now."""
        return [member for member in self.members if member.state is State.IN_SERVICE]

    def agreed_release(self) -> RunningRelease:
        """What those in service run; raises EdgeError if nobody has ever been."""
        if self.release is None:
            raise self._nobody()
        return self.release

    def quickest(self, most: int | None = None) -> Member | None:
        """The edge that will probably answer first; None if all are away, or have ``most`` requests under way."""
        now = time.monotonic()

        def order(member: Member) -> tuple[float, int]:
            return member.standing.expected(now), member.standing.in_flight

        free = [member for member in self.in_service() if most is None or member.standing.in_flight < most]
        return min(free, key=order, default=None)

    async def change(self) -> None:
        """Return when an edge has come, gone, or finished something."""
        self._changed.clear()
        await self._changed.wait()

    def finished(self, member: Member) -> None:
        """One request is no longer under way."""
        member.standing.in_flight -= 1
        self._changed.set()

    def overdue(self) -> float | None:
        """Seconds after which an answer had better come from another edge; None where there is no other."""
        candidates = self.in_service()
        return max(member.standing.overdue() for member in candidates) if len(candidates) > 1 else None

    def failed(self, member: Member, failure: EdgeError) -> None:
        """Take an edge out that did not answer; raises the failure if that, or waiting, can be of no use."""
        if _may_pass(member, failure):
            if member.state is State.IN_SERVICE:
                self._watch(member, failure)
        elif self._has_others(member):
            self._dismiss(member, failure)
        else:
            raise failure

    async def wait(self, patience: float) -> float:
        """Return when somebody is in service; gives what is left of the patience, in seconds.

        Raises EdgeError when it is over, or sure to be over before anybody can be asked again.
        """
        begun = time.monotonic()
        away = [member.standing.away_until for member in self.members if member.state is State.AWAY]
        if min(away, default=float("inf")) - begun <= patience:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, patience)):
                    await self._someone.wait()
        if not self._someone.is_set() and not self._settle_for_another_release():
            raise self._nobody()
        return patience - (time.monotonic() - begun)

    async def is_same_release(self, member: Member, version: str) -> bool:
        """Whether an answer by a release of that name may go into the video.

        An edge whose release has changed is left out, and so is its answer; unless it is the last one, which is noted.
        Raises EdgeError as ``failed`` does.
        """
        if version in ("", member.version):
            return member.release.sha256 == self.agreed_release().sha256
        found = await self._checked(member)
        if not isinstance(found, RunningRelease):
            self.failed(member, found)
            return False
        if member.state is State.IN_SERVICE:
            self._admit(member, found)
            member.version = version
        return member.state is State.IN_SERVICE

    async def _checked(self, member: Member) -> RunningRelease | EdgeError:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                if member.is_proven:  # at the first meeting, what it runs says enough
                    await member.client.ready()
                release = await member.client.release()
        except TimeoutError:
            return Unavailable(f"the edge at {member.client.url} cannot be reached (no answer in time)")
        except EdgeError as error:
            return error
        now = time.monotonic()
        member.is_proven = True
        member.standing.greeted(now - begun, now)
        return release

    def _watch(self, member: Member, failure: EdgeError) -> None:
        member.state, member.failure = State.AWAY, failure
        member.standing.failed(_retry_after(failure), time.monotonic())
        self._update()
        task = asyncio.create_task(self._bring_back(member))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _bring_back(self, member: Member) -> None:
        while True:
            await asyncio.sleep(member.standing.away_until - time.monotonic())
            found = await self._checked(member)
            if isinstance(found, RunningRelease):
                self._admit(member, found)
                return
            if not _may_pass(member, found) and self._has_others(member):
                self._dismiss(member, found)
                return
            member.failure = found
            member.standing.failed(_retry_after(found), time.monotonic())

    def _admit(self, member: Member, found: RunningRelease) -> None:
        member.release, member.version = found, found.version
        if self.release is None:
            self.release = found
        if found.sha256 == self.release.sha256:
            member.state = State.IN_SERVICE
        elif self._has_others(member):
            member.state = State.OTHER_RELEASE
            self._note(
                f"the edge at {member.client.url} runs release {found.version}, not {self.release.version}; "
                "going on without it, so that the look stays the same"
            )
        else:
            self._change_release(member)
        self._update()

    def _change_release(self, member: Member) -> None:
        self.release = member.release
        self._note(f"the edge at {member.client.url} now runs release {member.release.version}; the look may change")
        for each in self.members:
            if each is member or (each.state is State.OTHER_RELEASE and each.release.sha256 == member.release.sha256):
                each.state = State.IN_SERVICE
        self._update()

    def _settle_for_another_release(self) -> bool:
        for member in self.members:
            if member.state is State.OTHER_RELEASE:
                self._change_release(member)
                return True
        return False

    def _dismiss(self, member: Member, failure: EdgeError) -> None:
        member.state, member.failure = State.DISMISSED, failure
        self._note(f"{failure}; going on without it")
        self._update()

    def _told_of_the_dismissed(self) -> None:
        self._update()
        dismissed = [member for member in self.members if member.state is State.DISMISSED]
        if len(dismissed) == len(self.members):
            raise self._nobody()
        for member in dismissed:
            self._note(f"{member.failure}; going on without it")

    def _has_others(self, member: Member) -> bool:
        states = (State.IN_SERVICE, State.AWAY)
        return any(each.state in states for each in self.members if each is not member)

    def _nobody(self) -> EdgeError:
        failures = [member.failure for member in self.members if member.failure is not None]
        if len(failures) == 1:
            return failures[0]
        first = failures[0] if failures else "nobody has been asked"
        return EdgeError(f"none of {len(self.members)} edges can be asked: {first}")

    def _update(self) -> None:
        self._changed.set()
        if self.in_service():
            self._someone.set()
        else:
            self._someone.clear()


def _may_pass(member: Member, failure: EdgeError) -> bool:
    """What an edge that has been well answers in a bad moment says nothing about the next one."""
    return isinstance(failure, Unavailable) or (isinstance(failure, Garbage) and member.is_proven)


def _retry_after(failure: EdgeError) -> float | None:
    return failure.retry_after if isinstance(failure, Unavailable) else None
