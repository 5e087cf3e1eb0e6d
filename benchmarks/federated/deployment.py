"""A federation on Flower's deployment engine as operators run it, and what it leaves to read."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.federated.devices import Answer, Background, background
from benchmarks.federated.processes import below, client_apps
from benchmarks.tcp_proxy import TcpProxy
from fl_clients.round_log import read as read_log
from fl_server.cloud_dir import CloudDir
from fl_server.round_log import RoundLog
from inference.data_dir import DataDir
from inference.frame_store import FrameStore, OfferedFrame
from mvstylizer import release as releases
from mvstylizer.demo.federation import (
    Edge,
    cloud_command,
    finished_rounds,
    free_port,
    running,
    running_edge,
    sleep_until,
    trainer_command,
)
from mvstylizer.pictures import encode_jpeg, fit_within
from mvstylizer.training.finetuning import TrainingFrame

_ROUND_SECONDS, _SWAP_SECONDS = 600.0, 300.0
_LOOK_SECONDS = 0.25
_IDLE_SECONDS = 12.0
_QUALITY = 95
_STORE_BYTES, _STORE_SECONDS = 2**30, 30 * 86_400.0
_CONTRIBUTOR = "0" * 31
_ASKED_SIDE = 112


@dataclass(frozen=True)
class Start:
    """What everybody begins with: the same stylizer as a checkpoint for the cloud and as a release for edges."""

    checkpoint: Path
    release: Path


@dataclass(frozen=True)
class Plan:
    """How a federation runs: the cloud's settings, then those of each edge."""

    rounds: int
    steps: int
    batch: int
    crop: int
    learning_rate: float
    threads: int = 0
    """Of an edge and of its trainer, 0 for all cores."""
    quiet_seconds: float = 1.0
    """Of a trainer: without a request before an edge counts as idle."""
    device_every: float | None = None
    """Seconds from an answer to a device's next request, at each edge; None for no devices."""


@dataclass(frozen=True)
class Wire:
    """Bytes that an edge has sent and received: Flower's, and those of the backup; ``time`` is since 1970."""

    time: float
    sent: int
    received: int
    backup_sent: int
    backup_received: int


@dataclass(frozen=True)
class EdgeRecord:
    """What one edge leaves: its trainer's logs, bytes at the start and after each round, and what devices saw."""

    rounds: list[dict[str, Any]]
    published: list[dict[str, Any]]
    client_apps: list[float]
    """When Flower started each ClientApp, seconds since 1970."""
    wire: list[Wire]
    """At the start, after each round, and after a while in which nothing was to do."""
    answers: list[Answer]
    cpu: dict[str, float]
    """Processor seconds by process, of the whole run."""


@dataclass(frozen=True)
class Record:
    """What a federation leaves; ``cloud`` are the lines of the cloud's round log, from round 0 on."""

    plan: Plan
    cloud: list[dict[str, Any]]
    checkpoints: Path
    edges: list[EdgeRecord]
    cpu: dict[str, float]
    """The cloud's processor seconds by process."""


def run_federation(start: Start, frames: Sequence[Sequence[TrainingFrame]], plan: Plan, work: Path) -> Record:
    """Run the plan in the new directory ``work``, an edge for each sequence of frames; no process outlives this.

    Raises:
        EdgeError: a process did not start, or rounds do not end.
        OutputError, NoSpaceError: ``work`` cannot be written.
    """
    cloud, server, status = CloudDir(work / "cloud"), free_port(), free_port()
    with ExitStack() as stack:
        beside = stack.enter_context(background())
        edges = [stack.enter_context(_edge(work / f"edge-{i}", each, start, plan)) for i, each in enumerate(frames, 1)]
        answers = [_device(stack, beside, *each, plan.device_every) for each in zip(edges, frames, strict=True)]
        lines = [(stack.enter_context(beside.proxy(server)), stack.enter_context(beside.proxy(status))) for _ in edges]
        command = cloud_command(
            cloud.path, server, status, plan.rounds, "--min-edges", str(len(edges)), "--start", str(start.checkpoint),
            "--keep", str(plan.rounds + 1), "--steps", str(plan.steps), "--batch", str(plan.batch),
            "--crop", str(plan.crop), "--learning-rate", str(plan.learning_rate),
        )  # fmt: skip
        cloud_pid = stack.enter_context(running(command, work / "cloud.log")).pid
        trainers = [_trainer(stack, *each, plan) for each in zip(edges, lines, strict=True)]
        began = stack.enter_context(client_apps(trainers))
        wires = _wait(cloud.path, edges, lines, plan.rounds)
        return Record(
            plan,
            RoundLog(cloud.round_log).refresh(),
            cloud.checkpoints,
            [
                EdgeRecord(read_log(edge.directory / "trainer"), edge.published(), sorted(apps.values()), wire,
                           list(seen), _cpu(trainer) | {"edge": sum(p.cpu for p in below(edge.pid))})
                for edge, apps, wire, seen, trainer in zip(edges, began, wires, answers, trainers, strict=True)
            ],
            _cpu(cloud_pid),
        )  # fmt: skip


def _edge(directory: Path, frames: Sequence[TrainingFrame], start: Start, plan: Plan) -> AbstractContextManager[Edge]:
    """An edge to which the frames were contributed."""
    release = releases.load(start.release)
    store = FrameStore(DataDir(directory).frames, _STORE_BYTES, _STORE_SECONDS)
    for number, frame in enumerate(frames):
        height, width = frame.picture.shape[:2]
        offered = OfferedFrame(encode_jpeg(frame.picture, _QUALITY), width, height, frame.code, release.version,
                               release.encoder_sha256)  # fmt: skip
        store.add(f"{_CONTRIBUTOR}{number % 4}", offered)
    store.close()
    return running_edge(
        directory, "--collect", "opt-in", "--release", str(start.release), "--threads", str(plan.threads)
    )


def _device(
    stack: ExitStack, beside: Background, edge: Edge, frames: Sequence[TrainingFrame], every: float | None
) -> list[Answer]:
    if every is None:
        return []
    return stack.enter_context(beside.device(edge.url, fit_within(frames[0].picture, _ASKED_SIDE), every))


def _trainer(stack: ExitStack, edge: Edge, line: tuple[TcpProxy, TcpProxy], plan: Plan) -> int:
    fleet, backup = line
    command = trainer_command(
        edge, fleet.url.removeprefix("http://"), backup.url, "--threads", str(plan.threads),
        "--quiet-seconds", str(plan.quiet_seconds),
    )  # fmt: skip
    return stack.enter_context(running(command, edge.directory / "trainer.log")).pid


def _wait(
    cloud: Path, edges: Sequence[Edge], lines: Sequence[tuple[TcpProxy, TcpProxy]], rounds: int
) -> list[list[Wire]]:
    """Until the last round is settled on every edge, and a while longer; what was counted, for each edge."""
    wires: list[list[Wire]] = [[_wire(line)] for line in lines]
    end = time.monotonic() + _ROUND_SECONDS
    while len(wires[0]) <= rounds:
        sleep_until(end, f"round {len(wires[0])} does not end; see {cloud}/logs", _LOOK_SECONDS)
        for told in finished_rounds(cloud)[len(wires[0]) - 1 :]:
            print(f"round {told['round']}: {told['seconds']:.1f} s, {told['metrics']}", file=sys.stderr, flush=True)
            for wire, line in zip(wires, lines, strict=True):
                wire.append(_wire(line))
            end = time.monotonic() + _ROUND_SECONDS
    end = time.monotonic() + _SWAP_SECONDS
    while not all(any(entry.get("round") == rounds for entry in edge.published()) for edge in edges):
        sleep_until(end, "an edge did not take in the last round; see its trainer.log")
    before = [_wire(line) for line in lines]
    time.sleep(_IDLE_SECONDS)
    return [[*wire, first, _wire(line)] for wire, first, line in zip(wires, before, lines, strict=True)]


def _wire(line: tuple[TcpProxy, TcpProxy]) -> Wire:
    fleet, backup = line
    return Wire(time.time(), fleet.sent, fleet.received, backup.sent, backup.received)


def _cpu(root: int) -> dict[str, float]:
    """Processor seconds below a command: each process by its name, its finished children by ``name children``."""
    found: Counter[str] = Counter()
    for process in below(root):
        name = "launcher" if process.pid == root else process.name
        found[name] += process.cpu  # type: ignore[assignment]
        found[f"{name} children"] += process.ended  # type: ignore[assignment]
    return {name: round(seconds, 2) for name, seconds in found.items() if seconds}
