"""Where a round's wall time goes, on the path of the edge that came last."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean

from benchmarks.federated.deployment import EdgeRecord, Record

PARTS = {
    "ask": "the cloud asks: next message made (Flower)",
    "wait": "message waits for SuperNode and SuperExec (Flower, each polls)",
    "start": "ClientApp starts: Python, Flower, imports",
    "gate": "idle gate",
    "data": "frames read and decoded",
    "torch": "torch imported",
    "network": "network built, weights unpacked",
    "train": "**training**",
    "evaluate": "**evaluation**, twice",
    "end": "reply, cloud's poll, mean, checkpoint saved",
}
MEASURED = ("train", "evaluate")
"""What is no overhead."""


@dataclass(frozen=True)
class RoundPath:
    """Seconds of one round by part, which add up to the time from the end of the round before to its own."""

    round: int
    parts: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @property
    def overhead(self) -> float:
        """All but training and evaluation."""
        return self.total - sum(self.parts[name] for name in MEASURED)


def paths(record: Record) -> Iterator[RoundPath]:
    """Of every round that was done at the first attempt, without the first, in which a campaign begins."""
    finished = {line["round"]: line for line in record.cloud}
    for number in range(2, record.plan.rounds + 1):
        found = [(entry, edge) for edge in record.edges for entry in edge.rounds if _trained(entry, number)]
        if found and number - 1 in finished and finished[number]["attempts"] == 1:
            entry, edge = max(found, key=lambda each: each[0]["time"])
            parts = _parts(entry, edge, finished[number - 1]["finished"], finished[number]["finished"])
            yield RoundPath(number, parts)


def _trained(entry: dict[str, object], number: int) -> bool:
    return entry["round"] == number and entry["result"] == "trained"


def _parts(entry: dict[str, object], edge: EdgeRecord, before: float, after: float) -> dict[str, float]:
    """The edge's log tells how long its parts took, and Flower's message when it was made."""
    inside: dict[str, float] = entry["seconds"]  # type: ignore[assignment]
    replied, waited = float(str(entry["time"])), float(str(entry["waited"]))
    handled = replied - sum(inside.values())
    made = handled - waited
    began = max((each for each in edge.client_apps if made <= each <= handled), default=made)
    return {"ask": made - before, "wait": began - made, "start": handled - began, **inside, "end": after - replied}


def mean_parts(found: list[RoundPath]) -> dict[str, float]:
    """Over rounds, by part."""
    return {name: mean(path.parts[name] for path in found) for name in PARTS}


def mean_cpu(record: Record) -> dict[str, float]:
    """Processor seconds of a ClientApp by part, mean over all edges and rounds; ``start`` is all before its work."""
    used = [entry["cpu"] for edge in record.edges for entry in edge.rounds if entry["result"] == "trained"]
    names = {"start": "process"} | {name: name for name in PARTS if name in used[0]}
    return {name: mean(each[key] for each in used) for name, key in names.items()}
