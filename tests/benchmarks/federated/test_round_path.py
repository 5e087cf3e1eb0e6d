"""Where a round's time goes, from what cloud and edges have written down."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.federated.deployment import EdgeRecord, Plan, Record
from benchmarks.federated.round_path import PARTS, mean_cpu, mean_parts, paths

INSIDE = {"gate": 1.0, "data": 0.5, "torch": 2.0, "network": 0.5, "evaluate": 1.0, "train": 5.0}


def entry(number: int, replied: float, result: str = "trained") -> dict[str, Any]:
    """A line of a trainer's log, whose message waited 4 s."""
    return {"round": number, "result": result, "time": replied, "waited": 4.0, "seconds": INSIDE,
            "cpu": {"process": 1.5, **INSIDE}}  # fmt: skip


def edge(*rounds: dict[str, Any], apps: tuple[float, ...] = ()) -> EdgeRecord:
    """An edge with this log."""
    return EdgeRecord(list(rounds), [], list(apps), [], [], {})


def record(*edges: EdgeRecord, attempts: int = 1) -> Record:
    """Two rounds that ended at 100 s and 120 s."""
    cloud = [{"round": n, "finished": 80.0 + 20 * n, "attempts": attempts} for n in (0, 1, 2)]
    return Record(Plan(2, 20, 2, 96, 1e-4), cloud, Path(), list(edges), {})


def test_the_parts_make_up_the_round() -> None:
    """Of the edge that came last, whose ClientApp began between the message and its work; the first round is left."""
    slow = edge(entry(1, 99.0), entry(2, 117.0), apps=(90.0, 105.0))
    quick = edge(entry(1, 98.0), entry(2, 116.0), apps=(90.0, 103.0))
    (path,) = paths(record(quick, slow))
    assert path.round == 2 and path.parts.keys() == PARTS.keys()
    assert path.parts == pytest.approx({"ask": 3.0, "wait": 2.0, "start": 2.0, **INSIDE, "end": 3.0})
    assert path.total == pytest.approx(20.0) and path.overhead == pytest.approx(14.0)
    assert mean_parts([path, path]) == pytest.approx(path.parts)


def test_what_was_not_seen_or_repeated_is_left_out() -> None:
    """A ClientApp that nobody saw starting has waited; a round of several attempts, or without training, is left."""
    (path,) = paths(record(edge(entry(2, 117.0))))
    assert path.parts["wait"] == 0 and path.parts["start"] == pytest.approx(4.0)
    assert not list(paths(record(edge(entry(2, 117.0)), attempts=2)))
    assert not list(paths(record(edge(entry(2, 117.0, "busy")))))


def test_processor_time_is_of_every_edge() -> None:
    """Mean over edges and rounds; what a process took before its work is its start."""
    found = mean_cpu(record(edge(entry(1, 99.0), entry(2, 117.0, "busy")), edge(entry(1, 98.0))))
    assert found == pytest.approx({"start": 1.5, **INSIDE})
