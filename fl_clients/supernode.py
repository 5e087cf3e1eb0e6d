"""Keeps a ``flower-supernode`` running: Flower's process that fetches messages and starts a ClientApp for each."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fl_clients.child_process import command_of, kill_group, lower_priority, own_environment
from fl_clients.settings import TrainerSettings
from mvstylizer.durable import write_text
from mvstylizer.errors import UsageError

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
_LONG_ENOUGH_SECONDS = 60.0
_GRACE_SECONDS = 12.0
"""Flower gives a ClientApp six seconds to end."""
_MOST_LOGGED = 4 * 2**20
_QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}
"""Without these Flower's processes call home, and install what an app names."""


@dataclass(frozen=True)
class Credentials:
    """How a node proves itself, and knows the cloud: ``ca`` (PEM; None for the system's) and its private ``key``."""

    insecure: bool = False
    ca: Path | None = None
    key: Path | None = None

    def arguments(self) -> list[str]:
        """Those of ``flower-supernode``."""
        found = ["--insecure"] if self.insecure else []
        if self.ca is not None:
            found += ["--root-certificates", str(self.ca.resolve())]
        if self.key is not None:
            found += ["--auth-supernode-private-key", str(self.key.resolve())]
        return found


class SuperNode:
    """One edge's node: ``server`` is the cloud's ``HOST:PORT``, ``tell`` gets a line whenever it has to start again."""

    def __init__(
        self, server: str, credentials: Credentials, settings: TrainerSettings, tell: Callable[[str], None]
    ) -> None:
        self._server, self._credentials, self._settings, self._tell = server, credentials, settings, tell
        self._noted = settings.data_dir / "supernode.pid"
        self._log = settings.data_dir / "supernode.log"

    async def run_for_ever(self) -> None:
        """Start it again whenever it ends; ends it when cancelled."""
        delay = _FIRST_DELAY
        while True:
            began = time.monotonic()
            code = await self._run()
            if time.monotonic() - began > _LONG_ENOUGH_SECONDS:
                delay = _FIRST_DELAY
            self._tell(f"{_told(code, self._credentials)}; see {self._log}; again in {delay:.0f} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    def end_leftover(self) -> None:
        """End a node that a killed ``flower-client`` left behind, since the cloud would see this edge twice."""
        with suppress(OSError, ValueError):
            process = int(self._noted.read_text(encoding="utf-8"))
            if "flower-supernode" in command_of(process) and str(self._settings.data_dir.resolve()) in command_of(
                process
            ):
                kill_group(process)
                self._tell(f"the SuperNode {process} of an earlier flower-client still ran; it is ended")

    async def _run(self) -> int:
        """From start to end; gives the exit status, negative for a signal."""
        home = self._settings.data_dir.resolve() / "flower"
        home.mkdir(exist_ok=True)
        environment = own_environment() | _QUIET | {"FLWR_HOME": str(home)}
        with self._open_log() as log:
            process = await asyncio.create_subprocess_exec(
                *self._command(), env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                # A group of its own: whatever it starts can be ended with it.
                start_new_session=True,
            )  # fmt: skip
        lower_priority(process.pid)
        write_text(self._noted, f"{process.pid}\n", overwrite=True)
        try:
            return await process.wait()
        finally:
            await _ended(process)
            self._noted.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        script = Path(sys.executable).with_name("flower-supernode")
        if not script.exists():
            raise UsageError(f"{script} is missing; pip install 'mvstylizer[federated]'")
        return [
            str(script), "--superlink", self._server, *self._credentials.arguments(),
            "--port", str(_free_port()), "--node-config", self._settings.to_node_config(),
        ]  # fmt: skip

    def _open_log(self) -> BinaryIO:
        """To go on with; at 4 MB a new one begins."""
        if self._log.exists() and self._log.stat().st_size > _MOST_LOGGED:
            self._log.replace(self._log.with_name(f"{self._log.name}.1"))
        return self._log.open("ab")


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a process that may have ended already: politely, then by force, with all that it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
    kill_group(process.pid)
    await process.wait()


def _free_port() -> int:
    """Every node on a machine needs one of its own, for its ClientApps."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _told(code: int, credentials: Credentials) -> str:
    if code < 0:
        return f"the SuperNode was killed by {signal.Signals(-code).name}"
    if code == 0:
        return "the SuperNode ended by itself: the cloud has forgotten it, or refuses its clock"
    hint = ", for which it may have to be registered, or its crashed predecessor to be forgotten (up to 75 s)"
    return f"the SuperNode ended with status {code}{hint if credentials.key else ''}"
