"""Flower's commands, as documented: the environment they need, and those that answer in JSON."""

import asyncio
import json
import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fl_server.cloud_dir import CloudDir
from mvstylizer.errors import EdgeError

CONNECTION = "mvs"
"""Name of our SuperLink in Flower's configuration."""
_TIMEOUT = 90.0
_OVER = "finished"
_SHUT_OUT = ("unregistered", "deleted")


@dataclass(frozen=True)
class SuperLinkAddress:
    """Where the SuperLink listens on this machine, and the CA of its certificate; without one it is plain HTTP."""

    host: str
    port: int
    ca: Path | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """As a URL."""
        return f"{'https' if self.ca else 'http'}://{self}"


def environment(cloud: CloudDir) -> dict[str, str]:
    """For all of Flower's processes: its files in the cloud's directory, and no connection to anywhere else.

    Flower starts its own programs by name, so the directory that they are in comes first on PATH. A checkout need not
    be installed for the ServerApp's process to find it.
    """
    packages = str(Path(__file__).parent.parent)
    return os.environ | {
        "FLWR_HOME": str(cloud.flower),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "PATH": os.pathsep.join([scripts(), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH", "")])),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }


def scripts() -> str:
    """Directory of this interpreter's own commands, Flower's among them."""
    return sysconfig.get_path("scripts")


def write_connection(cloud: CloudDir, address: SuperLinkAddress) -> None:
    """Tell Flower's commands where our SuperLink is."""
    lines = ["[superlink]", f'default = "{CONNECTION}"', f"[superlink.{CONNECTION}]", f'address = "{address}"']
    lines.append("insecure = true" if address.ca is None else f"root-certificates = {json.dumps(str(address.ca))}")
    (cloud.flower / "config.toml").write_text("\n".join(lines) + "\n")


def write_app(cloud: CloudDir, client_app: str) -> None:
    """The app that is submitted: it only points at what is installed on both sides, edges at ``client_app``."""
    text = _PYPROJECT.format(client_app=client_app, data_dir=json.dumps(str(cloud.path)))
    (cloud.app / "pyproject.toml").write_text(text)


_PYPROJECT = """[project]
name = "mvstylizer-cloud"
version = "1.0.0"
description = "Federated training of MVStylizer"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "mvstylizer"

[tool.flwr.app.components]
serverapp = "fl_server.app:app"
clientapp = "{client_app}"

[tool.flwr.app.config]
data-dir = {data_dir}
"""


class FlowerCli:
    """Asks our SuperLink through Flower's command line. Methods raise EdgeError where that fails."""

    def __init__(self, cloud: CloudDir) -> None:
        self._cloud = cloud
        self._environment = environment(cloud)

    async def submit(self) -> str:
        """Begin a run of the app; returns its id."""
        answer = await self._ask("run", str(self._cloud.app), CONNECTION)
        return str(answer["run-id"])

    async def unfinished(self) -> list[str]:
        """Ids of the runs that are not over."""
        answer = await self._ask("list", CONNECTION, "--limit", "20")
        return [str(run["run-id"]) for run in answer.get("runs", []) if not run["status"].startswith(_OVER)]

    async def status(self, run: str) -> str:
        """Such as ``running`` or ``finished:completed``."""
        answer = await self._ask("list", CONNECTION, "--run-id", run)
        return str(answer["runs"][0]["status"])

    async def stop(self, run: str) -> None:
        """End a run."""
        await self._ask("stop", run, CONNECTION)

    async def nodes(self) -> set[str]:
        """Ids of the nodes that are registered; Flower tells no names here."""
        answer = await self._ask("supernode", "list", CONNECTION)
        return {str(node["node-id"]) for node in answer.get("nodes", []) if node["status"] not in _SHUT_OUT}

    async def register(self, public_key: Path, name: str) -> str:
        """Let a node in; returns its id."""
        answer = await self._ask("supernode", "register", str(public_key), CONNECTION, "--name", name)
        return str(answer["node-id"])

    async def unregister(self, node: str) -> None:
        """Shut a node out."""
        await self._ask("supernode", "unregister", node, CONNECTION)

    async def _ask(self, *arguments: str) -> dict[str, Any]:
        what = " ".join(["flwr", *arguments[:2]])
        process = await asyncio.create_subprocess_exec(
            str(Path(scripts()) / "flwr"), *arguments, "--format", "json",
            env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT)
        except BaseException as error:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if isinstance(error, TimeoutError):
                raise EdgeError(f"{what}: no answer in {_TIMEOUT:.0f} s; see the logs of the SuperLink") from error
            raise
        return _answer(what, out, err)


def _answer(what: str, out: bytes, err: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(out)
    except ValueError as error:
        told = " ".join((err or out).decode(errors="replace").split())[-300:]
        raise EdgeError(f"{what}: {told or 'no answer'}; see the logs of the SuperLink") from error
    if not isinstance(answer, dict) or not answer.get("success"):
        why = answer.get("error-message") if isinstance(answer, dict) else answer
        raise EdgeError(f"{what}: {' '.join(str(why).split())[:300]}; see the logs of the SuperLink")
    return answer
