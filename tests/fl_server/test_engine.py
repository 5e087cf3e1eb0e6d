"""Flower's real engine under our launcher: SuperLink, SuperExec, ServerApp and SuperNodes as processes of their own.

What was measured is written to ``$MVSTYLIZER_RECOVERIES``, if that names a file.
"""

import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fl_server.children import is_alive
from fl_server.cloud_dir import CloudDir
from fl_server.flower_cli import FlowerCli, SuperLinkAddress, write_connection
from fl_server.keys import ca_files, make_ca, make_node, make_server
from fl_server.round_log import RoundLog
from mvstylizer.errors import EdgeError
from mvstylizer.training import checkpoint
from tests.fl_server.clouds import RealCloud, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_LONG = 240.0
TOKEN = "a-token-of-sufficient-length"


@pytest.fixture
def clouds() -> Iterator[list[RealCloud]]:
    """Clouds that are stopped at the end, whatever happened."""
    made: list[RealCloud] = []
    yield made
    for cloud in made:
        cloud.stop()


def measured(what: str, seconds: float) -> None:
    """Keep a time of recovery."""
    if path := os.environ.get("MVSTYLIZER_RECOVERIES"):
        with Path(path).open("a") as file:
            file.write(f"{what}: {seconds:.1f} s\n")


def in_training(cloud: RealCloud, after: int) -> bool:
    return after in cloud.rounds() and cloud.doing().startswith("training")


def taking_part(cloud: RealCloud) -> list[list[str]]:
    """Names of the edges that took part, round by round."""
    rounds = RoundLog(cloud.directory.round_log).refresh()
    return [sorted(each["name"] for each in line["participants"]) for line in rounds if line["round"]] or [[]]


def test_the_loop_goes_on_whatever_is_killed(tmp_path: Path, start: Path, clouds: list[RealCloud]) -> None:
    """SIGKILL to the SuperLink, then to the ServerApp, then to flower-server itself, each in mid-round: four rounds are
    done all the same, none is lost or done twice, and at the end nothing is left running."""
    cloud = RealCloud(tmp_path, start, rounds=4)
    clouds.append(cloud)
    cloud.start()
    for number, name in enumerate(("oslo", "rome"), 1):
        cloud.start_node(name, step=0.001 * number, examples=2 * number, delay=6.0)

    wait_for(lambda: in_training(cloud, 0), _LONG)
    serverapp = cloud.serverapp()
    os.kill(cloud.child("superlink"), signal.SIGKILL)
    measured("SuperLink killed in mid-round, until that round is saved", wait_for(lambda: 1 in cloud.rounds(), _LONG))
    assert cloud.serverapp() == serverapp, "the same campaign went on"
    assert 'restarts_total{process="superlink"} 1.0' in cloud.get("/metrics")

    wait_for(lambda: in_training(cloud, 1), _LONG)
    os.kill(serverapp, signal.SIGKILL)
    began = time.monotonic()
    wait_for(lambda: cloud.serverapp() != serverapp, _LONG)
    measured("ServerApp killed in mid-round, until the next one is at work", time.monotonic() - began)
    wait_for(lambda: 2 in cloud.rounds(), _LONG)
    measured("ServerApp killed in mid-round, until that round is saved", time.monotonic() - began)

    wait_for(lambda: in_training(cloud, 2), _LONG)
    cloud.kill()
    began = time.monotonic()
    cloud.start()
    wait_for(lambda: 3 in cloud.rounds(), _LONG)
    measured("flower-server killed in mid-round and started again, until that round is saved", time.monotonic() - began)
    pids = [cloud.child("superlink"), cloud.child("superexec")]

    wait_for(lambda: cloud.process is not None and cloud.process.poll() is not None, _LONG)
    assert cloud.process is not None and cloud.process.returncode == 0
    assert cloud.rounds() == [0, 1, 2, 3, 4]
    wait_for(lambda: not any(is_alive(pid) for pid in pids), 20)
    total = sum(len(cloud.manifest(number)["participants"]) for number in (1, 2, 3, 4))
    assert total >= 6 and len(cloud.manifest(1)["participants"]) == 2
    first, last = (checkpoint.load(cloud.directory.checkpoints / f"step-{number:06d}").weights for number in (0, 4))
    changed = [key for key in first if not first[key].equal(last[key])]
    assert changed and not any(key.startswith("encoder.") for key in changed)


async def _control_through(address: SuperLinkAddress, cloud: RealCloud) -> str:
    """What the Control API answers at an address."""
    elsewhere = CloudDir(cloud.directory.path.with_name("elsewhere"))
    elsewhere.make()
    write_connection(elsewhere, address)
    try:
        await FlowerCli(elsewhere).unfinished()
    except EdgeError as error:
        return str(error)
    return "open"


async def test_from_outside_only_known_edges_take_part(tmp_path: Path, start: Path, clouds: list[RealCloud]) -> None:
    """With TLS and keys through the public side: nodes whose keys lie there train, also one that joins late, but a
    stranger and the same edge twice do not; the Control API cannot be reached, the backup asks for its token, and no
    process asks for any host but this one. SIGTERM ends everything."""
    audit = tmp_path / "connections"
    audited = str(Path(__file__).parent / "audited")
    environ = {"PYTHONPATH": audited, "AUDITED": str(audit)}
    cloud = RealCloud(tmp_path, start, tls=True, token=TOKEN, environ=environ)
    clouds.append(cloud)
    make_ca(cloud.directory)
    make_server(cloud.directory, ["127.0.0.1"])
    cloud.start()
    make_node(cloud.directory, "oslo")
    make_node(cloud.directory, "stranger")
    (cloud.directory.node_keys / "stranger.pub").unlink()
    wait_for(lambda: "node oslo is let in" in cloud.log(), _LONG)
    cloud.start_node("oslo", step=0.001)
    cloud.start_node("stranger", step=5.0)
    wait_for(lambda: 1 in cloud.rounds(), _LONG)
    assert [each["name"] for each in cloud.manifest(1)["participants"]] == ["oslo"]
    wait_for(lambda: cloud.node_code("stranger") not in (None, 0), _LONG)
    cloud.start_node("twin", key="oslo", step=0.001)
    make_node(cloud.directory, "rome")
    wait_for(lambda: "node rome is let in" in cloud.log(), _LONG)
    cloud.start_node("rome", step=0.002)
    wait_for(lambda: taking_part(cloud)[-1] == ["oslo", "rome"], _LONG)
    (cloud.directory.node_keys / "rome.pub").unlink()
    wait_for(lambda: "node rome is shut out" in cloud.log(), _LONG)
    wait_for(lambda: taking_part(cloud)[-1] == ["oslo"], _LONG)

    trusting = ssl.create_default_context(cafile=str(ca_files(cloud.directory)[0]))
    url = f"https://127.0.0.1:{cloud.public}/v1/checkpoints/latest"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, context=trusting)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, context=trusting) as answer:
        assert json.load(answer)["round"] >= 1

    ca = ca_files(cloud.directory)[0]
    assert await _control_through(SuperLinkAddress("127.0.0.1", cloud.port, ca), cloud) == "open"
    assert await _control_through(SuperLinkAddress("127.0.0.1", cloud.public or 0, ca), cloud) != "open"
    pids = [cloud.child("superlink"), cloud.child("superexec"), cloud.serverapp()]
    cloud.stop()
    wait_for(lambda: not any(is_alive(pid) for pid in pids), 20)
    assert all(names in (["oslo"], ["oslo", "rome"]) for names in taking_part(cloud))
    asked = [line.split() for line in audit.read_text().splitlines()]
    assert {target for _, target in asked} <= {"127.0.0.1", "localhost", "::1"}
    assert {program for program, _ in asked} >= {"flwr-serverapp", "flwr-clientapp", "flower-superexec", "flwr"}
