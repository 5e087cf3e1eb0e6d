"""What the tests of swaps and of commands share: a data directory with releases, and an edge on it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from inference.data_dir import DataDir
from inference.edge import Edge
from inference.limits import Limits
from inference.model_store import ModelStore
from inference.security import Security
from inference.serve import listening
from inference.start_release import start_engine
from tests.changed_release import changed_release, constant, padded, together

LOAD = "/v2/repository/models/stylizer/load"
INDEX = "/v2/repository/index"
_ROOT = Path(__file__).parents[2]


def published(data: DataDir, release: Path, *, bytes: int = 0) -> None:
    """Publish two releases that are alike but for their look: ``dark`` is ``release``, ``light`` has no deep shadows.

    ``dark`` is current. Each graph is so many bytes larger than it need be.
    """
    store = ModelStore(data.releases)
    for version, floor in (("dark", 0.0), ("light", 0.4)):
        made = data.path / f"made-{version}"
        store.publish(changed_release(release, made, version, together(constant("zero", floor), padded(bytes))))
    store.point_at("dark")


@dataclass
class Admin:
    """An edge with a store, as its admin sees it."""

    data: DataDir
    store: ModelStore
    edge: Edge
    url: str
    """For clients."""
    http: aiohttp.ClientSession
    """On the admin listener, with the token."""

    async def load(self, version: object) -> tuple[int, dict[str, Any]]:
        """Status and body of the reply to being told to load a version."""
        async with self.http.post(LOAD, json={"version": version}) as reply:
            return reply.status, await reply.json()

    async def index(self) -> dict[str, tuple[str, str]]:
        """State and reason by version."""
        async with self.http.post(INDEX) as reply:
            assert reply.status == 200
            found = await reply.json()
        assert all(each["name"] == "stylizer" for each in found)
        return {each["version"]: (each["state"], each["reason"]) for each in found}

    def swaps(self) -> dict[str, int]:
        """Of the metrics: swaps by result."""
        lines = self.edge.metrics.exposition().decode().splitlines()
        told = [line for line in lines if line.startswith("mvstylizer_swaps_total{")]
        return {line.split('"')[1]: int(float(line.split()[1])) for line in told}


@asynccontextmanager
async def administered(data: DataDir, limits: Limits | None = None) -> AsyncIterator[Admin]:
    """An edge of this process on the current release."""
    security = Security(admin_token=data.admin_token())
    engine = start_engine(data, threads=1)
    async with listening(engine, limits=limits, security=security, data=data) as (url, edge):
        del engine  # or it could never be freed
        headers = {"Authorization": f"Bearer {data.admin_token()}"}
        async with aiohttp.ClientSession(data.admin_url(), headers=headers) as http:
            yield Admin(data, ModelStore(data.releases), edge, url, http)


@dataclass
class EdgeProcess:
    """``mvstylizer serve`` on a data directory."""

    process: "subprocess.Popen[str]"
    url: str
    version: str
    """That it started with."""


def serve_command(data: Path, *more: str) -> list[str]:
    """The command line of an edge on any free port."""
    return [
        sys.executable,
        "-m",
        "mvstylizer",
        "serve",
        "--port",
        "0",
        "--data-dir",
        str(data),
        "--threads",
        "1",
        *more,
    ]


def edge_environment() -> dict[str, str]:
    """Without settings from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MVSTYLIZER_")}
    return {**kept, "PYTHONPATH": str(_ROOT)}


@contextmanager
def edge_process(data: Path, *more: str) -> Iterator[EdgeProcess]:
    """An edge that listens; at the end it is told to stop, and has to do so in good order."""
    process = subprocess.Popen(
        serve_command(data, "--log", "none", *more), stdout=subprocess.PIPE, text=True, env=edge_environment()
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"mvstylizer edge listening on (\S+) \(release (\S+)\)\n", line)
            assert found, line
            yield EdgeProcess(process, found[1], found[2])
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
