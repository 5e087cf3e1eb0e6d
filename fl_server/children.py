"""Processes that have to run: started, watched, started again when they die, and gone when we go."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fl_server.process_log import rotating

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LIVED_WELL = 60.0
_GRACE = 15.0
_LONGEST_LINE = 2**20


class Child:
    """One process that is kept running; what it prints goes to a rotating log file.

    ``restarts`` counts by name; ``changed`` is told whenever it has a new process id.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        restarts: Counter[str],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self._environment = environment
        self._log = rotating(logs / f"{name}.log", "%(message)s")
        self._restarts = restarts
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep_running(self) -> None:
        """Until cancelled. A process that dies soon is started again after a while, one that lived well at once."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            code = await self._run()
            self._restarts[self.name] += 1
            pause = _FIRST_PAUSE if time.monotonic() - began > _LIVED_WELL else min(2 * pause, _LONGEST_PAUSE)
            _LOG.warning("%s ended with code %s; starting it again in %.1f s", self.name, code, pause)
            await asyncio.sleep(pause)

    async def _run(self) -> int:
        # A session of its own: Ctrl-C reaches only us, and all that it starts can be ended with it.
        self._process = await asyncio.create_subprocess_exec(
            *self.command, env=self._environment, start_new_session=True, limit=_LONGEST_LINE,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        self._changed()
        _LOG.info("%s started, process %d", self.name, self._process.pid)
        copying = asyncio.create_task(self._copy_output(self._process))
        code = await self._process.wait()
        # Something that it started may still hold the pipe.
        await asyncio.wait([copying], timeout=1)
        copying.cancel()
        return code

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        output = process.stdout
        while output is not None:
            try:
                line = await output.readline()
            except ValueError:  # longer than any line of a log
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            self._log.handle(logging.LogRecord(self.name, logging.INFO, "", 0, text, None, None))

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to all that is left of its session after 15 s."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE)
        _kill_group(process.pid)
        await process.wait()
        self._log.close()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def remember(path: Path, children: Sequence[Child]) -> None:
    """Write down what runs, for ``end_leftovers`` of a later start; a full disk is logged, and no reason to stop."""
    told = {child.name: {"pid": child.pid, "command": child.command} for child in children if child.pid}
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(told))
        part.replace(path)
    except OSError as error:
        _LOG.error("%s: cannot be written (%s)", path, error)


def end_leftovers(path: Path) -> None:
    """End what a flower-server left running that was killed itself, as ``remember`` wrote it down."""
    try:
        told = json.loads(path.read_text())
        found = [(int(each["pid"]), list(each["command"])) for each in told.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for pid, command in found:
        end_process(pid, " ".join(command))
    path.unlink(missing_ok=True)


def end_process(pid: int, command: str) -> None:
    """End a process that is not our child, if its command line has ``command``: its number may be another's by now."""
    if command in _command_line(pid):
        _LOG.info("ending process %d, which was left over: %s", pid, command.partition(" ")[0])
        _end(pid)


def _command_line(pid: int) -> str:
    done = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + _GRACE
        while is_alive(pid) and time.monotonic() < give_up:
            time.sleep(0.1)
    _kill_group(pid)


def is_alive(pid: object) -> bool:
    """Whether there is a process of this number that has not ended."""
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Dead, but its parent has not looked yet; only Linux can tell so cheaply."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except (OSError, IndexError):
        return False
