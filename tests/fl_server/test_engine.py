"""Flower's real engine under our launcher: SuperLink, SuperExec, ServerApp and SuperNodes as processes of their own."""

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

from fl_server.backup_files import BackupFiles
from fl_server.children import is_alive
from fl_server.cloud_dir import CloudDir
from fl_server.flower_cli import FlowerCli, SuperLinkAddress, write_connection
from fl_server.keys import ca_files, make_ca, make_node, make_server
from fl_server.round_log import RoundLog
from mvstylizer.errors import EdgeError
from mvstylizer.training import checkpoint
from mvstylizer.training.checkpoint_files import WEIGHTS
from mvstylizer.training.loop import load_stylizer
from mvstylizer.training.packing import pack
from tests.fl_server.clouds import RealCloud, full_disk, small_disk, wait_for
from tests.recoveries import measured

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_LONG = 240.0
TOKEN = "a-token-of-sufficient-length"


@pytest.fixture
def checkpoints_on_a_small_disk(tmp_path: Path) -> Iterator[None]:
    """Of the cloud in ``tmp_path``; gone only after the clouds."""
    with small_disk(tmp_path / "cloud" / "checkpoints", 64):
        yield


@pytest.fixture
def clouds() -> Iterator[list[RealCloud]]:
    """Clouds that are stopped at the end, whatever happened."""
    made: list[RealCloud] = []
    yield made
    for cloud in made:
        cloud.stop()


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
    _is_what_edges_made_of(start, cloud.directory.checkpoints)


@pytest.mark.usefixtures("checkpoints_on_a_small_disk")
def test_the_loop_goes_on_whatever_the_disk_and_the_edges_do(
    tmp_path: Path, start: Path, clouds: list[RealCloud]
) -> None:
    """An edge is killed while it trains and stays away for two rounds; the disk is full when a round is to be saved;
    the ServerApp and flower-server are killed while they write a checkpoint, and the newest one is damaged: rounds go
    on, those that were finished stay as they were, and the model is what edges made of it."""
    cloud = RealCloud(tmp_path, start, keep=8)
    clouds.append(cloud)
    cloud.start()
    cloud.start_node("oslo", step=0.001)
    cloud.start_node("rome", step=0.002, delay=_LONG)
    _an_edge_is_killed_while_it_trains(cloud)
    _the_disk_is_full(cloud)
    _the_edge_comes_back(cloud)
    number = _killed_while_it_writes_a_checkpoint(cloud)
    _goes_on_from_the_newest_valid_round(cloud, number)
    _is_what_edges_made_of(start, cloud.directory.checkpoints)


def _an_edge_is_killed_while_it_trains(cloud: RealCloud) -> None:
    wait_for(lambda: cloud.doing() == "training on 2 edges" and cloud.node_trains("rome"), _LONG)
    number = cloud.rounds()[-1] + 1
    cloud.kill_node("rome")
    seconds = wait_for(lambda: number in cloud.rounds(), _LONG)
    measured("an edge killed while it trains, until that round is saved without it", seconds)
    assert len(cloud.manifest(number)["participants"]) == 1
    assert "unavailable" in cloud.manifest(number)["rejections"]


def _the_disk_is_full(cloud: RealCloud) -> None:
    """With the edge still away, so that this is one of its two rounds."""
    with full_disk(cloud.directory.checkpoints, cloud.serverapp()):
        wait_for(lambda: "cannot be saved" in cloud.doing(), _LONG)
        number = cloud.rounds()[-1] + 1
        assert f"round {number} cannot be saved" in cloud.get("/")
    seconds = wait_for(lambda: number in cloud.rounds(), _LONG)
    measured("disk full when a round is to be saved, until that round is saved once there is room", seconds)
    assert cloud.manifest(number)["attempts"] == 1, "edges were not asked again"


def _the_edge_comes_back(cloud: RealCloud) -> None:
    away = cloud.rounds()[-1]
    wait_for(lambda: away + 1 in cloud.rounds(), _LONG)
    assert [len(cloud.manifest(each)["participants"]) for each in (away, away + 1)] == [1, 1]
    cloud.start_node("rome", step=0.002)
    seconds = wait_for(lambda: len(taking_part(cloud)[-1]) == 2, _LONG)
    measured("an edge away for two rounds, until it has taken part again", seconds)


def _killed_while_it_writes_a_checkpoint(cloud: RealCloud) -> int:
    """Everything of ours is killed in the middle of writing a round, and a byte of the round before is changed; returns
    the number of the round that was not finished."""
    folder, serverapp = cloud.directory.checkpoints, cloud.serverapp()
    while True:
        wait_for(lambda: list(folder.glob(".step-*.part")), _LONG, every=0.001)
        # Writing takes some milliseconds: stopped first, one can see whether it is really under way.
        os.kill(serverapp, signal.SIGSTOP)
        time.sleep(0.2)
        if left := list(folder.glob(".step-*.part")):
            break
        os.kill(serverapp, signal.SIGCONT)
    os.kill(serverapp, signal.SIGKILL)
    cloud.kill()
    number = cloud.rounds()[-1] + 1
    assert left == [folder / f".step-{number:06d}.part"]
    weights = folder / f"step-{number - 1:06d}" / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    return number


def _goes_on_from_the_newest_valid_round(cloud: RealCloud, number: int) -> None:
    files = BackupFiles(cloud.directory.checkpoints)

    def newest() -> int:
        found = files.newest()
        return found.round if found else -1

    kept = (cloud.directory.checkpoints / f"step-{number - 2:06d}" / WEIGHTS).read_bytes()
    assert newest() == number - 2
    began = time.monotonic()
    cloud.start()
    wait_for(lambda: newest() >= number - 1, _LONG)
    seconds = time.monotonic() - began
    measured("newest checkpoint damaged and flower-server started, until its round is saved again", seconds)
    wait_for(lambda: newest() >= number, _LONG)
    seconds = time.monotonic() - began
    measured("flower-server killed while it writes a checkpoint and started again, until that round is saved", seconds)
    assert not list(cloud.directory.checkpoints.glob(f".step-{number:06d}.part"))
    assert (cloud.directory.checkpoints / f"step-{number - 2:06d}" / WEIGHTS).read_bytes() == kept
    assert f"step-{number - 1:06d}/{WEIGHTS} is damaged" in cloud.log()
    assert 'mvstylizer_cloud_damaged_checkpoints_total{directory="checkpoints"} 1.0' in cloud.get("/metrics")


def _is_what_edges_made_of(start: Path, folder: Path) -> None:
    """Each round added what one edge adds, or the mean of both: 0.001 to 0.002."""
    (first, _), (last, saved) = load_stylizer(start), load_stylizer(folder)
    assert saved is not None
    added = (pack(last) - pack(first)) / saved.step
    assert added.min() > 0.00099 and added.max() < 0.00201


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
    seconds = wait_for(lambda: cloud.node_code("twin") not in (None, 0), _LONG)
    measured("the same edge twice, until the second one is refused", seconds)
    make_node(cloud.directory, "rome")
    wait_for(lambda: "node rome is let in" in cloud.log(), _LONG)
    cloud.start_node("rome", step=0.002)
    seconds = wait_for(lambda: taking_part(cloud)[-1] == ["oslo", "rome"], _LONG)
    measured("an edge joins late, until it has taken part in a round", seconds)
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
    _is_what_edges_made_of(start, cloud.directory.checkpoints)
    asked = [line.split() for line in audit.read_text().splitlines()]
    assert {target for _, target in asked} <= {"127.0.0.1", "localhost", "::1"}
    assert {program for program, _ in asked} >= {"flwr-serverapp", "flwr-clientapp", "flower-superexec", "flwr"}
