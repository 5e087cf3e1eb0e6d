"""What a federation's records say, as Markdown: learning, overhead, bytes, and how rounds reach the edges."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import Any

from benchmarks.federated.deployment import EdgeRecord, Record
from benchmarks.federated.round_path import MEASURED, PARTS, mean_cpu, mean_parts, paths
from benchmarks.plot import Line
from fl_clients.publishing import Outcome
from mvstylizer.training.checkpoint_files import FILES
from mvstylizer.training.finetuning import TrainingFrame, evaluate
from mvstylizer.training.loop import load_stylizer

MUST_SECONDS = 10.0
"""Of overhead a round, on two cores."""
_EVERY = 2
_LOSSES = re.compile(r"loss ([\d.]+) on \d+ held-out frames \([^:]*: ([\d.]+)\)")


def losses(record: Record, frames: Sequence[TrainingFrame]) -> dict[int, float]:
    """The loss on frames that no edge has, of the first round's checkpoint, every second one's, and the last's."""
    last = record.plan.rounds
    numbers = sorted({*range(0, last, _EVERY), last})
    stylizers = ((n, load_stylizer(record.checkpoints / f"step-{n:06d}")[0]) for n in numbers)
    return {n: evaluate(stylizer, frames, record.plan.crop).loss for n, stylizer in stylizers}


def lines_of(record: Record, held_out: dict[int, float]) -> list[Line]:
    """For the plot."""
    own = [(float(n), loss) for n, loss in _of_models(record).items()]
    return [
        Line("frames that no edge has", [(float(n), loss) for n, loss in held_out.items()]),
        Line("the edges' own held-out frames, mean over edges", own),
    ]


def report(record: Record, alone: Record, held_out: dict[int, float], weights: int) -> Iterator[str]:
    """All of it; ``weights`` are the bytes of the packed weights."""
    yield from ("## Learning", "", *_learning(record, held_out), "")
    yield from ("![](federated_engine.png)", "", "## Overhead of a round", "", *_overhead(record, alone), "")
    yield from ("## Bytes of an edge and round", "", *_bytes(record, weights), "")
    yield from ("## How rounds reach the edges", "", *_swaps(record, alone))


def _of_models(record: Record) -> dict[int, float]:
    """What the edges of a round measured on the model they got, by the round that made that model."""
    lines = (line for line in record.cloud if "loss-before" in line["metrics"])
    return {line["round"] - 1: line["metrics"]["loss-before"] for line in lines}


def _learning(record: Record, held_out: dict[int, float]) -> Iterator[str]:
    own, lines = _of_models(record), {line["round"]: line for line in record.cloud}
    yield "| round | edges | left out | model on the edges' own frames | after their training | on frames no edge has |"
    yield "|---|---|---|---|---|---|"
    for number, line in sorted(lines.items()):
        after = line["metrics"].get("loss-after")
        kinds = ", ".join(f"{count} {kind}" for kind, count in line["rejections"].items())
        yield (
            f"| {number} | {len(line['participants'])} | {kinds} | {_loss(own.get(number))} | {_loss(after)} "
            f"| {_loss(held_out.get(number))} |"
        )
    first, last = held_out[0], held_out[max(held_out)]
    yield ""
    yield (
        f"Loss (content + λ · style + edges) of the round's model. On frames that no edge has it went from {first:.3f} "
        f"to **{last:.3f}** ({last / first - 1:+.0%}). {_rises(held_out, 'there')} {_rises(own, 'on their own frames')}"
    )


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _rises(curve: dict[int, float], where: str) -> str:
    numbers = sorted(curve)
    risen = [str(now) for before, now in pairwise(numbers) if curve[now] > curve[before]]
    return f"It rose {where} in round {', '.join(risen)}." if risen else f"It rose {where} in no round."


def _overhead(record: Record, alone: Record) -> Iterator[str]:
    many, one = list(paths(record)), list(paths(alone))
    if not many or not one:
        yield "No second round was done at the first attempt."
        return
    columns = [mean_parts(many), mean_cpu(record), mean_parts(one), mean_cpu(alone)]
    yield f"| seconds | {len(record.edges)} edges: wall | CPU | one edge: wall | CPU |"
    yield "|---|---|---|---|---|"
    for name, text in PARTS.items():
        yield f"| {text} | {' | '.join(_seconds(column.get(name)) for column in columns)} |"
    totals = [sum(column.values()) for column in columns]
    beside = [total - sum(column[name] for name in MEASURED) for total, column in zip(totals, columns, strict=True)]
    yield f"| the round | {' | '.join(map(_seconds, totals))} |"
    yield f"| **overhead**: all but training, evaluation | {' | '.join(f'**{_seconds(each)}**' for each in beside)} |"
    yield ""
    worst = [max(path.overhead for path in found) for found in (many, one)]
    verdict = "is" if beside[2] < MUST_SECONDS else "is **not**"
    yield (
        f"Wall: means of rounds 2 to {record.plan.rounds} ({len(many)} of them), and of {len(one)} rounds of one edge, "
        f"on the path of the edge that came last; CPU: of one ClientApp. Largest overhead {worst[0]:.1f} s and "
        f"{worst[1]:.1f} s. Of one edge it {verdict} below the {MUST_SECONDS:g} s that are allowed."
    )
    yield from ("", *_beside(record, alone))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _beside(record: Record, alone: Record) -> Iterator[str]:
    """What goes on while the next round does, and the processor time of processes that stay."""
    yield "Beside the rounds, on the same cores:"
    yield ""
    yield f"| seconds a round and edge | {len(record.edges)} edges | one edge |"
    yield "|---|---|---|"
    for part, text in (("fetch", "backup fetched"), ("candidate", "candidate exported, checked, compared"),
                       ("swap", "published and swapped in")):  # fmt: skip
        yield f"| {text}, wall | {' | '.join(_seconds(_mean_published(r, part)) for r in (record, alone))} |"
    for text, key in (("candidate's process, CPU", "launcher children"), ("`flower-client`, CPU", "launcher"),
                      ("SuperNode, CPU", "flower-supernod"), ("its SuperExec, CPU", "flower-superexe")):  # fmt: skip
        yield f"| {text} | {' | '.join(_seconds(_cpu_a_round(r, key)) for r in (record, alone))} |"
    yield f"| all of the cloud, CPU of a round | {' | '.join(_seconds(_cloud_cpu(r)) for r in (record, alone))} |"


def _mean_published(record: Record, part: str) -> float | None:
    found = [entry["seconds"][part] for edge in record.edges for entry in edge.published]
    return mean(found) if found else None


def _cpu_a_round(record: Record, key: str) -> float:
    return mean(edge.cpu.get(key, 0.0) for edge in record.edges) / record.plan.rounds


def _cloud_cpu(record: Record) -> float:
    return sum(record.cpu.values()) / record.plan.rounds


def _bytes(record: Record, weights: int) -> Iterator[str]:
    rounds = record.plan.rounds
    spans = [(edge.wire[1], edge.wire[rounds]) for edge in record.edges]
    logged = [entry for edge in record.edges for entry in edge.rounds if entry["round"] is not None]
    asked_for = [entry for entry in logged if entry["round"] > 1]
    updates = sum(entry["result"] == "trained" for entry in asked_for)
    sent = sum(end.sent - begin.sent for begin, end in spans) / max(updates, 1)
    received = sum(end.received - begin.received for begin, end in spans) / max(len(asked_for), 1)
    idle = [(edge.wire[-2], edge.wire[-1]) for edge in record.edges]
    idling = mean((b.sent + b.received - a.sent - a.received) / (b.time - a.time) for a, b in idle)
    taken = sum(len(edge.published) for edge in record.edges)
    fetched, asked = (
        sum(getattr(edge.wire[-1], way) - getattr(edge.wire[0], way) for edge in record.edges) / max(taken, 1)
        for way in ("backup_received", "backup_sent")
    )
    files = sum((record.checkpoints / f"step-{rounds:06d}" / name).stat().st_size for name in FILES)
    yield "| | bytes | of the packed weights |"
    yield "|---|---|---|"
    yield f"| packed weights, float32 | {weights:,} | 1 |"
    for text, value in (("sent to Flower, for each update", sent),
                        ("received from Flower, for each train message", received),
                        ("received from the backup, for each round taken in", fetched),
                        ("sent to the backup", asked), ("a round's checkpoint on the disk", float(files))):  # fmt: skip
        yield f"| {text} | {value:,.0f} | {value / weights:.3f} |"
    yield ""
    yield (
        f"Through TCP proxies of our own, HTTP included; Flower's over rounds 2 to {rounds}: {len(asked_for)} train "
        f"messages, {updates} updates. A node that has nothing to do costs {idling:,.0f} bytes a second, both ways."
    )


def _swaps(record: Record, alone: Record) -> Iterator[str]:
    yield f"| round | {' | '.join(f'edge {i}' for i, _ in enumerate(record.edges, 1))} |"
    yield "|---" * (1 + len(record.edges)) + "|"
    finished = {line["round"]: line["finished"] for line in record.cloud}
    for number in range(1, record.plan.rounds + 1):
        cells = (_swap(edge, number, finished[number]) for edge in record.edges)
        yield f"| {number} | {' | '.join(cells)} |"
    outcomes = Counter(entry["outcome"] for edge in record.edges for entry in edge.published)
    yield ""
    yield (
        "Seconds from the round's end until the edge serves it, and the loss on the edge's held-out frames of the "
        f"release that ran → of the round. In all: {'; '.join(f'{count} {what}' for what, count in outcomes.items())}. "
        "A round is passed over where a newer one was there before the edge looked."
    )
    for what, each in ((f"{len(record.edges)} edges", record), ("one edge alone", alone)):
        times = [seconds for edge in each.edges for seconds in _swap_seconds(edge, each)]
        if times:
            yield f"Round's end until served, {what}: median **{median(times):.1f} s**, longest {max(times):.1f} s."
    yield ""
    yield from _devices(record)


def _devices(record: Record) -> Iterator[str]:
    answers = [answer for edge in record.edges for answer in edge.answers]
    failed = [answer.failure for answer in answers if answer.failure]
    took = [answer.took for answer in answers]
    yield (
        f"Devices asked for {len(answers)} key frames all along, one try each: **{len(failed)} failed**"
        f"{''.join(f'; {text} ({n})' for text, n in Counter(failed).items())}. "
        f"Median {1000 * median(took):.0f} ms, longest {max(took):.1f} s; "
        f"{len({answer.version for answer in answers} - {''})} releases seen."
    )


def _swap(edge: EdgeRecord, number: int, finished: float) -> str:
    entry = next((each for each in edge.published if each["round"] == number), None)
    if entry is None:
        return "passed over"
    if entry["outcome"] == Outcome.REFUSED.value:
        return f"refused: {entry['told']}"
    found = _LOSSES.search(entry["told"])
    compared = f" ({float(found[2]):.3f} → {float(found[1]):.3f})" if found else ""
    taken = entry["outcome"] == Outcome.SWAPPED.value
    return f"{entry['time'] - finished:.1f} s{compared}" if taken else f"{entry['outcome']}{compared}"


def _swap_seconds(edge: EdgeRecord, record: Record) -> Iterator[float]:
    finished: dict[int, Any] = {line["round"]: line["finished"] for line in record.cloud}
    for entry in edge.published:
        if entry["outcome"] == Outcome.SWAPPED.value:
            yield entry["time"] - finished[entry["round"]]
