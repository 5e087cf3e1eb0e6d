"""A cloud and its edges on one machine, as the processes that operators start; for the demo and the benchmark."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvstylizer.demo.edge_process import COMMAND
from mvstylizer.errors import EdgeError

_START_SECONDS = 120.0
_GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Edge:
    """A running edge: where it listens, its directory, and its process id."""

    url: str
    directory: Path
    pid: int

    def published(self) -> list[dict[str, Any]]:
        """What its trainer made of rounds, oldest first."""
        try:
            told = json.loads((self.directory / "trainer" / "published.json").read_text())
        except (OSError, ValueError):
            return []
        return [entry for entry in told.values() if entry["outcome"] is not None]


@contextlib.contextmanager
def running_edge(directory: Path, *arguments: str) -> Iterator[Edge]:
    """``mvstylizer serve`` on a directory, with more ``arguments``; raises EdgeError if it does not start."""
    port = free_port()
    command = [*COMMAND, "serve", "--port", str(port), "--data-dir", str(directory), "--log", "none", *arguments]
    directory.mkdir(parents=True, exist_ok=True)
    with running(command, directory / "edge.log") as process:
        _wait_until_listening(port, process)
        yield Edge(f"http://127.0.0.1:{port}", directory, process.pid)


def cloud_command(cloud: Path, server: int, status: int, rounds: int, *arguments: str) -> list[str]:
    """``flower-server`` on these ports of this machine; it lingers, so that edges can fetch the last round."""
    return [
        *_module("fl_server.command"), "--data-dir", str(cloud), "--insecure", "--address", f"127.0.0.1:{server}",
        "--status", f"127.0.0.1:{status}", "--rounds", str(rounds), "--linger", "600", *arguments,
    ]  # fmt: skip


def trainer_command(edge: Edge, server: str, backup: str, *arguments: str) -> list[str]:
    """``flower-client`` beside an edge; ``server`` is ``HOST:PORT``, ``backup`` a URL."""
    return [
        *_module("fl_clients.command"), "--server", server, "--insecure", "--backup", backup, "--edge", edge.url,
        "--edge-data-dir", str(edge.directory), *arguments,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """This process's, with output that is not held back."""
    return os.environ | {"PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for the time of the block, its output in a file; then end it politely, at last by force."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                   env=environment())  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
        finally:
            process.kill()
            process.wait()


def finished_rounds(cloud: Path) -> list[dict[str, Any]]:
    """The lines of the cloud's round log, without that of the start."""
    try:
        lines = [json.loads(line) for line in (cloud / "rounds.jsonl").read_text().splitlines()]
    except (OSError, ValueError):
        return []
    return [line for line in lines if line["round"] > 0]


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sleep_until(end: float, complaint: str, seconds: float = 1.0) -> None:
    """Sleep so many seconds; raises EdgeError if it is later than ``end`` (monotonic)."""
    if time.monotonic() > end:
        raise EdgeError(complaint)
    time.sleep(seconds)


def _module(name: str) -> list[str]:
    """A command of a package that this one may not import."""
    return [sys.executable, "-c", f"import sys; from {name} import main; sys.exit(main())"]


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise EdgeError(f"the edge on port {port} did not start; its log is beside its data")
