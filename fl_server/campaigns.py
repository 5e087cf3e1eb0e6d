"""Keeps Flower busy: one campaign after the other, whatever becomes of them."""

import asyncio
import logging
import time
from collections import Counter

from fl_server.backup_files import BackupFiles
from fl_server.children import end_process, is_alive
from fl_server.cloud_dir import CloudDir
from fl_server.flower_cli import FlowerCli
from fl_server.round_log import read_state
from mvstylizer.errors import EdgeError

_LOG = logging.getLogger(__name__)
_LOOK = 0.5
_ASK_FLOWER = 20.0
_BEGIN_WITHIN = 180.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 120.0
_SERVERAPP = "flwr-serverapp"
_ENDED, _LOST, _STUCK = "ended", "lost", "stuck"


class Campaigns:
    """Submits the app again and again until ``rounds`` are done (None for ever); ``ended`` counts how runs ended."""

    def __init__(self, cloud: CloudDir, flower: FlowerCli, files: BackupFiles, rounds: int | None) -> None:
        self._cloud = cloud
        self._flower = flower
        self._rounds = rounds
        self._files = files
        self.ended: Counter[str] = Counter()
        self.run: str | None = None

    async def keep_going(self) -> None:
        """Until the rounds are done, or cancelled."""
        pause = _FIRST_PAUSE
        await self._stop_leftovers()
        while not self._done():
            before = self._completed()
            try:
                status = await self._campaign()
            except EdgeError as error:
                _LOG.error("%s", error)
                status = "not-submitted"
            self.ended[status] += 1
            progress = self._completed() > before
            pause = _FIRST_PAUSE if progress else min(2 * pause, _LONGEST_PAUSE)
            if not self._done():
                _LOG.info("campaign %s after round %d; the next one in %.0f s", status, self._completed(), pause)
                await asyncio.sleep(pause)

    async def stop(self) -> None:
        """End the run that is under way."""
        if self.run is not None:
            await self._stop_quietly(self.run)

    async def _campaign(self) -> str:
        self.run = await self._flower.submit()
        _LOG.info("campaign submitted, run %s", self.run)
        how = await self._until_over(self.run)
        if how in (_LOST, _STUCK):
            # Flower would notice by itself, but only after a minute.
            await self._stop_quietly(self.run)
            await asyncio.to_thread(end_serverapp, self._cloud)
        self.run = None
        return how

    async def _until_over(self, run: str) -> str:
        """Watches the ServerApp by what it tells; Flower's command line would need a second of CPU for each look."""
        submitted = asked = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK)
            state, now = read_state(self._cloud), time.monotonic()
            began = state.get("run") == run
            if began and state.get("over"):
                return _ENDED
            if began and not is_alive(state.get("pid")):
                _LOG.warning("the ServerApp of run %s is gone", run)
                return _LOST
            if now - asked >= _ASK_FLOWER:
                asked = now
                if await self._over_for_flower(run):
                    return _LOST
                if not began and now - submitted > _BEGIN_WITHIN:
                    _LOG.warning("run %s has not begun in %.0f s", run, _BEGIN_WITHIN)
                    return _STUCK

    async def _over_for_flower(self, run: str) -> bool:
        try:
            return (await self._flower.status(run)).startswith("finished")
        except EdgeError as error:
            _LOG.warning("%s", error)  # The SuperLink may be starting again, and the run with it.
            return False

    async def _stop_leftovers(self) -> None:
        """Runs of a flower-server that was killed: they have its settings, and two ServerApps are one too many."""
        while True:
            try:
                for run in await self._flower.unfinished():
                    _LOG.warning("stopping run %s, which was left over", run)
                    await self._stop_quietly(run)
                return
            except EdgeError as error:
                _LOG.warning("%s", error)
                await asyncio.sleep(_FIRST_PAUSE)

    async def _stop_quietly(self, run: str) -> None:
        try:
            await self._flower.stop(run)
        except EdgeError as error:
            _LOG.info("%s", error)

    def _completed(self) -> int:
        newest = self._files.newest()
        return newest.round if newest else -1

    def _done(self) -> bool:
        return self._rounds is not None and self._completed() >= self._rounds


def end_serverapp(cloud: CloudDir) -> None:
    """End the ServerApp that told last what it does; nothing that it has finished is lost."""
    pid = read_state(cloud).get("pid")
    if isinstance(pid, int):
        end_process(pid, _SERVERAPP)
