"""Clouds and nodes as real processes, on ports and in directories of their own."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fl_server.cloud_dir import CloudDir
from fl_server.flower_cli import environment
from fl_server.keys import ca_files
from fl_server.round_log import read_state

ROOT = Path(__file__).parent.parent.parent
_LAUNCH = """
import json, logging, sys
from pathlib import Path
from fl_server.cloud_dir import CloudDir
from fl_server.keys import server_files
from fl_server.launcher import Cloud, launch, own_address
from fl_server.listeners import Address
from fl_server.settings import CloudSettings
from inference.security import tls_context
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
told = json.loads(sys.argv[1])
directory, public = CloudDir(Path(told["directory"])), told["public"]
launch(Cloud(directory, CloudSettings(**told["settings"]),
             own_address(directory, "127.0.0.1", told["port"], insecure=public is None),
             Address("127.0.0.1", told["status"]),
             None if public is None else Address("127.0.0.1", public),
             None if public is None else tls_context(*server_files(directory)),
             told["token"], client_app="tests.fl_server.tiny_client:app", linger=told["linger"]))
"""
"""``flower-server`` with another ClientApp: the real one needs an edge."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RealCloud:
    """A flower-server whose edges run the tiny ClientApp."""

    def __init__(
        self, folder: Path, start: Path, *, tls: bool = False, token: str | None = None, linger: float = 0.0,
        environ: Mapping[str, str] | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.directory = CloudDir(folder / "cloud")
        self.port, self.status = free_port(), free_port()
        self.public = free_port() if tls else None
        self._folder = folder
        self._environ = dict(environ or {})
        self._told = json.dumps(
            {
                "directory": str(self.directory.path),
                "port": self.port,
                "status": self.status,
                "public": self.public,
                "token": token,
                "linger": linger,
                "settings": {"start": str(start), "pause": 1.0} | settings,
            }
        )
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start flower-server; its own output goes to ``launcher.log``."""
        with (self._folder / "launcher.log").open("ab") as log:
            command = [sys.executable, "-c", _LAUNCH, self._told]
            self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | self._environ, stdout=log, stderr=log,
                                            start_new_session=True)  # fmt: skip

    def start_node(self, name: str, key: str = "", **config: float | str) -> None:
        """Start a SuperNode, with TLS by the key of this name, or of its own."""
        home = CloudDir(self._folder / name)
        home.make()
        told = " ".join(f"{key}={json.dumps(value)}" for key, value in config.items())
        env = environment(home) | self._environ
        env["PYTHONPATH"] = os.pathsep.join([environment(home)["PYTHONPATH"], self._environ.get("PYTHONPATH", "")])
        where = ["--insecure"] if self.public is None else [
            "--root-certificates", str(ca_files(self.directory)[0]),
            "--auth-supernode-private-key", str(self.directory.node_keys / (key or name))]  # fmt: skip
        command = ["flower-supernode", *where, "--superlink", f"127.0.0.1:{self.public or self.port}", "--port",
                   str(free_port()), "--node-config", told]  # fmt: skip
        with (self._folder / f"{name}.log").open("ab") as log:
            self._nodes[name] = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log,
                                                 start_new_session=True)  # fmt: skip

    def node_trains(self, name: str) -> bool:
        """Whether a SuperNode's ClientApp is at work on its first message."""
        return "training" in (self._folder / f"{name}.log").read_text().splitlines()

    def kill_node(self, name: str) -> None:
        """SIGKILL to a SuperNode and all that it started."""
        _kill_group(self._nodes.pop(name))

    def child(self, name: str) -> int:
        """Process id of one of flower-server's children."""
        return int(json.loads(self.directory.children.read_text())[name]["pid"])

    def node_code(self, name: str) -> int | None:
        """The exit code of a SuperNode, None while it runs."""
        return self._nodes[name].poll()

    def kill(self) -> None:
        """SIGKILL to flower-server alone; what it started is left over."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def doing(self) -> str:
        """What the ServerApp tells that it does."""
        return str(read_state(self.directory).get("doing", ""))

    def serverapp(self) -> int:
        """Process id of the ServerApp."""
        return int(read_state(self.directory)["pid"])

    def manifest(self, number: int) -> dict[str, Any]:
        """What the manifest of a round keeps of it."""
        path = self.directory.checkpoints / f"step-{number:06d}" / "manifest.json"
        return dict(json.loads(path.read_text())["config"]["federated"])

    def rounds(self) -> list[int]:
        """Numbers of the checkpoints that are there."""
        return sorted(int(path.name.removeprefix("step-")) for path in self.directory.checkpoints.glob("step-*"))

    def get(self, path: str) -> str:
        """What flower-server's own page answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def stop(self) -> None:
        """Stop everything; raises nothing where something is gone already."""
        for node in self._nodes.values():
            _kill_group(node)
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            finally:
                _kill_group(self.process)

    def log(self) -> str:
        """What flower-server printed."""
        return (self._folder / "launcher.log").read_text()


@contextlib.contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[None]:
    """Make ``path`` a file system of its own; where that is not allowed it stays a plain directory."""
    path.mkdir(parents=True)
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(path)]
    mounted = mount is not None and subprocess.run([mount, *options], capture_output=True).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", path], check=True)  # weights that were read are still mapped


@contextlib.contextmanager
def full_disk(path: Path, writer: int) -> Iterator[None]:
    """Fill a small disk to the last byte; without one, the process ``writer`` may not write files of any size."""
    if not path.is_mount():
        before = resource.prlimit(writer, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        yield
        resource.prlimit(writer, resource.RLIMIT_FSIZE, before)
        return
    filling = path / "filling"
    with filling.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filling.unlink()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def wait_for(condition: Callable[[], object], seconds: float = 120.0, every: float = 0.1) -> float:
    """Wait until it holds; returns how long that took, in seconds. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(every)
    return time.monotonic() - began
