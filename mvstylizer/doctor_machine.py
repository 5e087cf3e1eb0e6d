"""Checks of the machine: cores and memory, the clock, the data directory, and that a port is free."""

import contextlib
import os
import secrets
import shutil
import socket
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from mvstylizer import durable
from mvstylizer.doctor import Doubt
from mvstylizer.errors import NoSpaceError, OutputError, UsageError

_CGROUP, _MEMINFO = Path("/sys/fs/cgroup"), Path("/proc/meminfo")
_MEBIBYTE = 2**20
_LEAST_MEMORY = 1024 * _MEBIBYTE
_LEAST_FREE = 100 * _MEBIBYTE
_LITTLE_FREE = 1024 * _MEBIBYTE
_DAY_SECONDS = 86_400.0
_LAST_PORT = 65_535


def check_cores_and_memory(cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> str:
    """How many cores and how much memory this process may use, by the files of Linux where there are any."""
    cores, quota = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, None
    with contextlib.suppress(OSError, ValueError):
        used, period = (cgroup / "cpu.max").read_text().split()
        quota = None if used == "max" else int(used) / int(period)
    memory = _memory(cgroup, meminfo)
    text = f"{cores} core{'s' * (cores > 1)}" + (f", {quota:g} of them by quota" if quota else "")
    text += f", {memory // _MEBIBYTE} MiB of memory" if memory else ""
    if quota and quota < cores:
        return Doubt(f"{text}; ONNX Runtime sees only the cores, so serve with --threads {max(1, round(quota))}")
    if memory and memory < _LEAST_MEMORY:
        return Doubt(f"{text}; an edge wants {_LEAST_MEMORY // _MEBIBYTE}, so end something or take a larger machine")
    return text


def check_clock(now: float | None = None) -> str:
    """That the clock, ``now`` in seconds since 1970, is not behind the files of this installation.

    All deadlines are kept by another clock, but certificates and the age of stored frames go by this one.
    """
    now = time.time() if now is None else now
    installed = Path(__file__).stat().st_mtime
    text = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if now < installed - _DAY_SECONDS:
        return Doubt(f"{text} is before this version was installed; set the clock (timedatectl set-ntp true)")
    return text


def check_data_dir(directory: Path, least_free: int = _LEAST_FREE, little_free: int = _LITTLE_FREE) -> str:
    """That files can be written durably and SQLite can keep its log in a directory, and there is room, in bytes.

    One that is missing is judged by the directory that it would be made in.

    Raises:
        OutputError: it cannot be written to.
        NoSpaceError: less than ``least_free`` is free.
        UsageError: its file system is not fit for the frame store.
    """
    place = next(each for each in (directory, *directory.absolute().parents) if each.exists())
    probe = place / f".doctor-{secrets.token_hex(4)}"
    try:
        durable.write_bytes(probe, b"1")
        durable.write_bytes(probe, b"2", overwrite=True)
        _check_wal(probe)
    finally:
        for file in place.glob(f"{probe.name}*"):
            file.unlink(missing_ok=True)
    free = shutil.disk_usage(place).free
    text = f"{directory}: can be {'written' if place == directory else 'made'}, {free // _MEBIBYTE} MiB free"
    if free < least_free:
        raise NoSpaceError(f"{place}: only {free // _MEBIBYTE} MiB are free; make room or choose another disk")
    return Doubt(f"{text}, which is little; make room soon") if free < little_free else text


def check_port(host: str, port: int) -> str:
    """That an edge could listen there; raises UsageError if not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not 0 <= port <= _LAST_PORT:
            raise OSError(f"ports are 0 to {_LAST_PORT}")
        with socket.create_server((host, port), family=family) as server:
            return f"{host}:{server.getsockname()[1]} is free"
    except OSError as error:
        # The error's own text of a number repeats the address; other numbers are not the system's.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or error
        raise UsageError(f"{host}:{port} cannot be listened on ({reason}); choose another --port, or see with "
                         "'ss -ltnp' who does") from error  # fmt: skip


def _memory(cgroup: Path, meminfo: Path) -> int | None:
    """Bytes that may be used: what the machine has to give, or this process's limit."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
        found.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError, ValueError):
        found.append(int((cgroup / "memory.max").read_text()))
    return min(found, default=None)


def _check_wal(probe: Path) -> None:
    """The write-ahead log needs memory that processes share, which file systems over a network lack."""
    try:
        with contextlib.closing(sqlite3.connect(probe.with_suffix(".sqlite"))) as database:
            (mode,) = database.execute("PRAGMA journal_mode=WAL").fetchone()
            database.execute("CREATE TABLE probe (x)")
    except sqlite3.Error as error:
        raise OutputError(f"{probe.parent}: SQLite cannot write there ({error}); choose a local disk") from error
    if mode != "wal":
        raise UsageError(f"{probe.parent}: SQLite cannot keep a write-ahead log there; choose a local disk")
