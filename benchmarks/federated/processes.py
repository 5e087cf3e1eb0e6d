"""The processes below a command that was started: when each began, and what it took of the processor (Linux, /proc)."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLIENT_APP = "flwr-clientapp"
_TICK = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 0.4


@dataclass(frozen=True)
class Process:
    """One process, running or not yet waited for; ``name`` are the first 15 letters of its program's."""

    pid: int
    parent: int
    name: str
    began: float
    """Seconds since 1970."""
    cpu: float
    """Seconds, its own."""
    ended: float
    """Seconds of its children that have ended and were waited for, with all below them."""


def below(root: int) -> list[Process]:
    """The process ``root`` and all that descend from it."""
    children = defaultdict(list)
    every = {process.pid: process for process in _every()}
    for process in every.values():
        children[process.parent].append(process)
    found = [every[root]] if root in every else []
    for process in found:
        found += children[process.pid]
    return found


@contextmanager
def client_apps(roots: Sequence[int]) -> Iterator[list[dict[int, float]]]:
    """Meanwhile gather for each root when Flower's ClientApps below it began: by process id, seconds since 1970."""
    began: list[dict[int, float]] = [{} for _ in roots]
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            for root, found in zip(roots, began, strict=True):
                found.update((each.pid, each.began) for each in below(root) if each.name == CLIENT_APP)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield began
    finally:
        over.set()
        thread.join()


def _every() -> Iterator[Process]:
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:  # it has just ended
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        user, system, ended_user, ended_system = (int(each) / _TICK for each in fields[11:15])
        yield Process(int(path.parent.name), int(fields[1]), name, booted + int(fields[19]) / _TICK, user + system,
                      ended_user + ended_system)  # fmt: skip
