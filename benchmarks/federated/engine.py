"""The loop on Flower's deployment engine, every program a process: what edges learn, and what a round costs beside it.

``python -m benchmarks.federated.engine`` writes ``federated_engine.md`` and ``federated_engine.png`` into
benchmarks/results. All begin with the closed-form transport, trained on nothing. Each edge has its own source of
photos and its own quarter of looks (``benchmarks.federated.edges``), and a device that asks it for a key frame again a
second after each answer; its trainer reaches the cloud through a proxy that counts bytes. Then the same with one edge
and no device, with all default settings but those of the training. ``--quick`` only shows that all of it works.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.clips import SHARED, machine
from benchmarks.federated.deployment import Plan, Record, Start, run_federation
from benchmarks.federated.edges import LOOKS, SOURCES, World, world
from benchmarks.federated.engine_report import lines_of, losses, report
from benchmarks.plot import write_plot
from export.release import export_release
from mvstylizer.durable import write_text
from mvstylizer.errors import MVStylizerError
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.pictures import fit_within
from mvstylizer.training import checkpoint
from mvstylizer.training.distill import encoder_from
from mvstylizer.training.finetuning import TrainingFrame
from mvstylizer.training.loop import new_stylizer
from mvstylizer.training.packing import pack

PLAN = Plan(rounds=8, steps=20, batch=2, crop=96, learning_rate=3e-4, threads=1, quiet_seconds=0.0, device_every=1.0)
_QUICK = replace(PLAN, rounds=2, steps=2, crop=64)
_VERSION = "closed-form"
_NUDGE = 1e-5
"""Of all trained weights: of tensors that are equal to the last bit the exporter keeps one, under one name."""
_QUICK_SIDE = 96
_ROOT = Path(__file__).resolve().parents[2]
_RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Study:
    """What both federations have in common."""

    edges: World
    stylizer: Stylizer
    start: Start
    work: Path

    def run(self, plan: Plan, edges: int, name: str) -> Record:
        """The first ``edges`` edges by the plan, in a directory of that name."""
        print(f"{name}: {plan}", file=sys.stderr, flush=True)
        record = run_federation(self.start, self.edges.edges[:edges], plan, self.work / name)
        kept = asdict(record) | {"checkpoints": str(record.checkpoints)}
        write_text(self.work / f"{name}.json", json.dumps(kept), overwrite=True)
        return record


def _start(stylizer: Stylizer, work: Path) -> Start:
    """The stylizer as a checkpoint, its trained weights being their own average, and as a release."""
    average = {f"average.{name}": p.detach().clone() for name, p in stylizer.named_parameters() if p.requires_grad}
    config: dict[str, Any] = {"stylizer": asdict(stylizer.config), "training": {"steps": 0}}
    saved = checkpoint.Checkpoint("stylizer", 0, config, dict(stylizer.state_dict()) | average, {})
    checkpoints = checkpoint.save(work / "start", saved)
    export_release(checkpoints, work / _VERSION, _VERSION)
    return Start(checkpoints, work / _VERSION)


def _study(photos: Path, encoder: Encoder, seed: int, work: Path, quick: bool) -> Study:
    stylizer = new_stylizer(StylizerConfig(), encoder, seed).eval()
    with torch.no_grad():
        for parameter in (each for each in stylizer.parameters() if each.requires_grad):
            parameter.add_(_NUDGE * torch.randn_like(parameter))
    made = world(photos, stylizer, 40 if quick else 120, 4 if quick else 32)
    if quick:
        made = World(tuple(map(_small, made.edges)), _small(made.held_out))
    return Study(made, stylizer, _start(stylizer, work), work)


def _small(frames: tuple[TrainingFrame, ...]) -> tuple[TrainingFrame, ...]:
    return tuple(TrainingFrame(fit_within(frame.picture, _QUICK_SIDE), frame.code) for frame in frames)


def _about(study: Study, record: Record, alone: Record, load: str) -> Iterator[str]:
    plan, count = record.plan, len(record.edges)
    names = ", ".join(study.edges.names[:count])
    yield from machine()
    yield f"- load average when it began: {load}; all processes share these cores, as edges of their own would not"
    yield (
        f"- {count} edges of {len(study.edges.edges[0])} frames ({names}), each in styles of its "
        f"own ({', '.join(LOOKS[:count])}); {len(study.edges.held_out)} held-out frames of all sources and styles"
    )
    yield (
        f"- FedAvg, {plan.rounds} rounds of {plan.steps} steps of {plan.batch} frames, crop {plan.crop} px, learning "
        f"rate {plan.learning_rate:g}; start: the closed-form transport"
    )
    yield (
        f"- edges and trainers with {plan.threads} thread each and `--quiet-seconds {plan.quiet_seconds:g}`, since a "
        f"device asks each edge again {plan.device_every:g} s after each answer"
    )
    yield (
        f"- alone: {alone.plan.rounds} rounds of one edge, no device, `--quiet-seconds "
        f"{alone.plan.quiet_seconds:g}` as by default"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.federated.engine", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--photos", type=Path, default=SHARED.parent / "train" / "photos")
    parser.add_argument("--encoder", type=Path, default=_ROOT / "checkpoints" / "encoder", help="a distilled one")
    parser.add_argument("--edges", type=int, help=f"1 to {len(SOURCES)}; default: all, 2 with --quick")
    parser.add_argument("--rounds", type=int, help=f"default {PLAN.rounds}, {_QUICK.rounds} with --quick")
    parser.add_argument("--steps", type=int, help=f"of an edge in a round; default {PLAN.steps}")
    parser.add_argument("--alone", type=int, help="rounds of one edge alone; default 3, 2 with --quick")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="a new directory that is kept; default: a temporary one"
    )
    parser.add_argument("--to", type=Path, default=_RESULTS, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="two tiny rounds of two edges")
    options = parser.parse_args()
    for name, value in (("edges", 2 if options.quick else len(SOURCES)), ("alone", 2 if options.quick else 3)):
        if getattr(options, name) is None:
            setattr(options, name, value)
    for name in ("edges", "rounds", "steps", "alone"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)} leaves nothing to measure; give 1 or more")
    if options.edges > len(SOURCES):
        parser.error(f"--edges {options.edges}: there are photos for {len(SOURCES)}")
    return options


def _measure(options: argparse.Namespace, work: Path) -> int:
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    plan = _QUICK if options.quick else PLAN
    plan = replace(plan, rounds=options.rounds or plan.rounds, steps=options.steps or plan.steps)
    study = _study(options.photos, encoder_from(options.encoder), options.seed, work, options.quick)
    record = study.run(plan, options.edges, "together")
    quiet = replace(plan, rounds=options.alone, quiet_seconds=Plan.quiet_seconds, device_every=None)
    alone = study.run(quiet, 1, "alone")
    held_out = losses(record, study.edges.held_out)
    text = ["# The loop on Flower's deployment engine", "", "`python -m benchmarks.federated.engine`", "",
            *_about(study, record, alone, load), "",
            *report(record, alone, held_out, pack(study.stylizer).nbytes)]  # fmt: skip
    write_text(options.to / "federated_engine.md", "\n".join([*text, ""]), overwrite=True)
    write_plot(options.to / "federated_engine.png", lines_of(record, held_out), "Loss by round", "round", "loss", False)
    print("\n".join(text))
    return int(held_out[max(held_out)] >= held_out[0])


def main() -> int:
    """Run the benchmark; 1 if the held-out loss does not fall."""
    options = _options()
    torch.set_num_threads(1)
    options.to.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it ends what it has started
    if options.work is not None:
        options.work.mkdir(parents=True)
        return _measure(options, options.work.resolve())
    with tempfile.TemporaryDirectory() as folder:
        return _measure(options, Path(folder))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.federated.engine: error: {error}")
