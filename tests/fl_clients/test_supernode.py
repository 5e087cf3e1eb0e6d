"""``flower-client`` as a process, with Flower's real SuperLink."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fl_clients.child_process import command_of, own_environment

pytestmark = pytest.mark.slow
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}
Condition = Callable[[], object]


def _wait(condition: Condition, seconds: float = 120.0) -> object:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/health"
    with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=5) as reply:
        return bool(reply.status == 200)
    return False


@contextmanager
def _superlink(folder: Path, port: int) -> Iterator[Path]:
    """Flower's SuperLink on a port; gives its log."""
    script = Path(sys.executable).with_name("flower-superlink")
    log, address = folder / "superlink.log", str(_free_port())
    command = [str(script), "--insecure", "--isolation", "process", "--database", str(folder / "state.db"),
               "--port", str(port), "--health-server-address", f"127.0.0.1:{address}"]  # fmt: skip
    environment = own_environment() | QUIET | {"FLWR_HOME": str(folder / "superlink")}
    (folder / "superlink").mkdir(exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        _wait(lambda: _healthy(port))
        yield log
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _client(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """``flower-client`` and what it says."""
    log = folder / "client.log"
    command = [sys.executable, "-m", "fl_clients.command", "--server", f"127.0.0.1:{port}", "--insecure",
               "--edge-data-dir", str(folder / "edge"), "--data-dir", str(folder / "trainer")]  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=own_environment())
    try:
        yield process, log
    finally:
        process.kill()
        process.wait()
        with suppress(OSError, ValueError):
            os.killpg(int((folder / "trainer" / "supernode.pid").read_text()), signal.SIGKILL)


def _node(folder: Path) -> int:
    """The process of the node that is running, 0 if there is none."""
    with suppress(OSError, ValueError):
        number = int((folder / "trainer" / "supernode.pid").read_text())
        return number if "flower-supernode" in command_of(number) else 0
    return 0


def _registered(folder: Path) -> list[str]:
    """Ids of nodes that the cloud let in, one after the other."""
    with suppress(OSError):
        return re.findall(r"SuperNode ID: (\d+)", (folder / "trainer" / "supernode.log").read_text())
    return []


def test_a_killed_node_comes_back_and_ends_with_its_supervisor(tmp_path: Path) -> None:
    """The trainer waits for a cloud that is not there yet, restarts a killed node, and takes all with it at SIGTERM."""
    port = _free_port()
    with _client(tmp_path, port) as (client, log):
        _wait(lambda: "does not answer" in log.read_text())
        assert _node(tmp_path) == 0
        with _superlink(tmp_path, port):
            _wait(lambda: len(_registered(tmp_path)) == 1)
            first = _node(tmp_path)
            os.kill(first, signal.SIGKILL)
            _wait(lambda: len(_registered(tmp_path)) == 2)
            second = _node(tmp_path)
            assert second not in (0, first)
            assert "killed by SIGKILL" in log.read_text()
            client.send_signal(signal.SIGTERM)
            assert client.wait(30) == 0
            assert "flower-supernode" not in command_of(second)
            _wait(lambda: not _of_session(second))
    assert log.read_text().splitlines()[-1] == "flower-client: ended"


def test_a_killed_supervisor_leaves_one_node(tmp_path: Path) -> None:
    """The node that a killed trainer left behind is ended by the next one, so the edge does not take part twice."""
    port = _free_port()
    with _superlink(tmp_path, port), _client(tmp_path, port) as (client, _):
        _wait(lambda: len(_registered(tmp_path)) == 1)
        left = _node(tmp_path)
        client.send_signal(signal.SIGKILL)
        client.wait()
        assert "flower-supernode" in command_of(left)
        with _client(tmp_path, port) as (_, log):
            _wait(lambda: len(_registered(tmp_path)) == 2)
            assert "flower-supernode" not in command_of(left)
            assert _node(tmp_path) not in (0, left)
            assert f"SuperNode {left} of an earlier flower-client" in log.read_text()


def _of_session(leader: int) -> list[int]:
    """Processes that the node's group still has."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found.append(int(path.parent.name))
    return found
