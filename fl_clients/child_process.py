"""Processes that a trainer starts: what they find, how little they disturb, and that nothing of them stays behind."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_NICENESS = 5
_ROOT = Path(__file__).resolve().parents[1]


def own_environment() -> dict[str, str]:
    """The environment with this interpreter's scripts and this very code in front."""
    paths = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(_ROOT)}
    found = {name: os.environ.get(name) for name in paths}
    joined = {name: f"{own}{os.pathsep}{found[name]}" if found[name] else own for name, own in paths.items()}
    return os.environ | joined | {"PYTHONUNBUFFERED": "1"}


def lower_priority(process: int) -> None:
    """Let everything else on this machine go first; what the process starts later, too."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, _NICENESS)


def kill_group(leader: int) -> None:
    """End a process that leads a group, and all in the group that it left behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def command_of(process: int) -> str:
    """The command line of a running process, empty if there is none of that number."""
    told = Path(f"/proc/{process}/cmdline")
    if told.exists():
        return told.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    done = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(process)], capture_output=True, text=True)
    return done.stdout.strip()
