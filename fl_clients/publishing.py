"""From the cloud's newest round to the release that the edge runs, if it is no worse than the one that runs already."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from fl_clients import edge_admin
from fl_clients.backup import BackedUpRound, Backup, keep_newest
from fl_clients.child_process import lower_priority, own_environment
from fl_clients.running_release import running_release, running_release_directory
from fl_clients.settings import TrainerSettings
from inference.model_store import ModelStore
from mvstylizer import release as releases
from mvstylizer.durable import write_text
from mvstylizer.errors import MVStylizerError, ReleaseError

_MOST_REMEMBERED = 50
_CANDIDATE = "candidate"


class Outcome(Enum):
    """What became of a round on this edge."""

    SWAPPED = "swapped in"
    SET = "set for the edge's next start"
    SAME = "what runs already"
    WORSE = "worse than the running release, not published"
    REFUSED = "refused"


@dataclass(frozen=True)
class Published:
    """The outcome of a round; ``told`` is one line for the operator, ``seconds`` by part: fetch, candidate, swap."""

    round: int
    version: str
    outcome: Outcome
    told: str
    seconds: dict[str, float]


class Publisher:
    """Publishes on one edge; its memory of rounds that were published or turned away is in the trainer's directory."""

    def __init__(self, backup: Backup, settings: TrainerSettings, tolerance: float) -> None:
        self._backup, self._settings, self._tolerance = backup, settings, tolerance
        self._store = ModelStore(settings.edge_data_dir / "releases")
        self._memory = settings.data_dir / "published.json"
        self._etag: str | None = None
        self._seen: str | None = None

    async def run_for_ever(self, interval: float, tell: Callable[[str], None]) -> None:
        """Look for a new round every ``interval`` seconds; what goes wrong is told once, and tried again."""
        last_told = ""
        while True:
            try:
                if (published := await self.step()) is not None:
                    tell(published.told)
                last_told = ""
            except MVStylizerError as error:
                if str(error) != last_told:
                    tell(last_told := str(error))
            await asyncio.sleep(interval)

    async def step(self) -> Published | None:
        """Publish the newest round if it is new here; None if it is not.

        Raises:
            EdgeError: the cloud or the edge cannot be reached, or the edge is busy.
            InputError: a file came damaged. OutputError, NoSpaceError: a directory cannot be written.
        """
        newest = await self._backup.newest(self._etag if self._is_settled(self._seen) else None)
        if newest is None:
            return None
        if not self._is_settled(newest.weights):
            began = time.monotonic()
            checkpoint = await self._backup.fetch(newest)
            published = await self._publish(newest, checkpoint, time.monotonic() - began)
            self._remember(newest, published)
            await asyncio.to_thread(self._tidy)
        else:
            published = None
        self._etag, self._seen = newest.etag, newest.weights
        return published

    async def _publish(self, newest: BackedUpRound, checkpoint: Path, fetch_seconds: float) -> Published:
        began = time.monotonic()
        version = self._version(newest)
        base = running_release_directory(self._settings.edge_data_dir)
        release = self._settings.data_dir / _CANDIDATE / version
        try:
            found = await self._candidate(checkpoint, base, release, newest.round)
            made = time.monotonic()
            told = _compared(found, base)
            if found["same"]:
                # By the name of what runs, so that it is known when something else does.
                version, outcome = running_release(self._settings.edge_data_dir).version, Outcome.SAME
                told = f"round {newest.round} has the same weights"
            elif self._is_worse(found):
                outcome, told = Outcome.WORSE, f"{told}: worse by more than {self._tolerance:.1%}"
            else:
                # So that a second try after a failure takes the same name.
                self._note(newest.weights, {"version": version, "outcome": None})
                swapped = await edge_admin.publish(self._settings.edge_data_dir, release)
                outcome = Outcome.SWAPPED if swapped else Outcome.SET
        except ReleaseError as error:
            made, outcome, told = time.monotonic(), Outcome.REFUSED, str(error)
        seconds = {"fetch": fetch_seconds, "candidate": made - began, "swap": time.monotonic() - made}
        rounded = {part: round(value, 2) for part, value in seconds.items()}
        return Published(newest.round, version, outcome, f"{version}: {outcome.value}; {told}", rounded)

    def _is_worse(self, found: dict[str, Any]) -> bool:
        """Written so that a loss that is not a number is worse, too."""
        if found["loss"] is None:
            return False
        return not found["loss"] <= found["running_loss"] * (1 + self._tolerance)

    async def _candidate(self, checkpoint: Path, base: Path, to: Path, seed: int) -> dict[str, Any]:
        """``fl_clients.candidate`` in a process of its own, behind everything else on this machine."""
        asked = {
            "checkpoint": str(checkpoint), "base": str(base), "to": str(to), "seed": seed,
            "settings": self._settings.to_values(),
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fl_clients.candidate",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=own_environment(),
        )  # fmt: skip
        lower_priority(process.pid)
        try:
            output, errors = await process.communicate(json.dumps(asked).encode())
        except BaseException:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise _failed(process.returncode, errors.decode(errors="replace"))
        found: dict[str, Any] = json.loads(output)
        return found

    def _version(self, newest: BackedUpRound) -> str:
        """``round-000123``, with some of its digest if another round of that number is there: trainings restart."""
        version = f"round-{newest.round:06d}"
        if tried := self._recall().get(newest.weights, {}).get("version"):
            return str(tried)
        return f"{version}-{newest.weights[:8]}" if version in self._store.names() else version

    def _is_settled(self, weights: str | None) -> bool:
        """Whether a round with these weights was turned away, or published and has not been lost with a disk since."""
        entry = self._recall().get(weights or "", {})
        if entry.get("outcome") in (Outcome.SWAPPED.value, Outcome.SET.value, Outcome.SAME.value):
            # The bundled release is in no store until an edge starts.
            names = self._store.names()
            return entry["version"] in (names or [running_release(self._settings.edge_data_dir).version])
        return entry.get("outcome") is not None

    def _remember(self, newest: BackedUpRound, published: Published) -> None:
        entry = {
            "version": published.version, "outcome": published.outcome.value, "round": newest.round,
            "told": published.told, "seconds": published.seconds, "time": round(time.time(), 1),
        }  # fmt: skip
        self._note(newest.weights, entry)

    def _note(self, weights: str, entry: dict[str, Any]) -> None:
        kept = {key: value for key, value in self._recall().items() if key != weights}
        entries = [*kept.items(), (weights, entry)][-_MOST_REMEMBERED:]
        write_text(self._memory, json.dumps(dict(entries), indent=2) + "\n", overwrite=True)

    def _recall(self) -> dict[str, dict[str, Any]]:
        try:
            told = json.loads(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {key: entry for key, entry in told.items() if isinstance(entry, dict)} if isinstance(told, dict) else {}

    def _tidy(self) -> None:
        shutil.rmtree(self._settings.data_dir / _CANDIDATE, ignore_errors=True)
        keep_newest(self._backup.directory)


def _compared(found: dict[str, Any], base: Path) -> str:
    running = releases.load(base).version
    if found["loss"] is None:
        return f"without comparison to {running}, since there are no held-out frames here"
    return f"loss {found['loss']:.4f} on {found['frames']} held-out frames ({running}: {found['running_loss']:.4f})"


def _failed(code: int, errors: str) -> MVStylizerError:
    last = (errors.strip().splitlines() or ["it said nothing"])[-1]
    if code == ReleaseError.exit_code:
        return ReleaseError(last)
    return MVStylizerError(f"the release of a round could not be made (exit code {code}): {last}")
