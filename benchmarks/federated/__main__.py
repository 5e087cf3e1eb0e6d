"""Whether edges learn faster together than alone (the paper's Figure 7), in one process, on data that are not alike.

``python -m benchmarks.federated`` writes ``federated.md``, ``federated.png`` and the two halves of Eq. 5 as
``federated_content.png`` and ``federated_style.png`` into benchmarks/results. Stylizers start at the closed-form
transport, trained on nothing, around the distilled encoder. Each edge has its own source of photos and its own quarter
of looks (``benchmarks.federated.edges``). Curves are of every edge alone, of two pairs and of all four; one edge also
gets a third of the learning rate, which suits it better, since nobody averages out its noise. Finished curves are kept
in a folder and not run again; ``--quick`` only shows that all of it works.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.clips import SHARED, machine
from benchmarks.federated.edges import LOOKS, SOURCES, World, world
from benchmarks.federated.finished import Finished
from benchmarks.federated.report import MUST, Curves, best_alone, plot, saving, tables
from benchmarks.federated.rounds import Point, Schedule, learning_curve
from mvstylizer.durable import write_text
from mvstylizer.errors import MVStylizerError
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.stylizer import StylizerConfig
from mvstylizer.training.distill import encoder_from
from mvstylizer.training.loop import new_stylizer

SCHEDULE = Schedule(rounds=24, steps=10, batch=2, crop=96, learning_rate=3e-4, every=2)
_QUICK = replace(SCHEDULE, rounds=2, steps=2, crop=64, every=1)
_ROOT = Path(__file__).resolve().parents[2]
_RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Group:
    """Federations of one size, trained alike."""

    name: str
    members: tuple[tuple[int, ...], ...]
    rate: float = 1.0
    """Of the schedule's learning rate."""


_SINGLE = ((0,), (1,), (2,), (3,))
ALONE = (Group("one edge alone", _SINGLE), Group("one edge alone, a third of the rate", _SINGLE, 1 / 3))
TOGETHER = (Group("two edges", ((0, 1), (2, 3))), Group("four edges", ((0, 1, 2, 3),)))


@dataclass(frozen=True)
class Study:
    """What all curves have in common."""

    edges: World
    encoder: Encoder
    schedule: Schedule
    finished: Finished

    def curves(self, group: Group, seeds: Sequence[int]) -> list[tuple[Point, ...]]:
        """The group's curves, all members of a seed before the next seed."""
        schedule = replace(self.schedule, learning_rate=self.schedule.learning_rate * group.rate)
        return [self._curve(members, schedule, seed) for seed in seeds for members in group.members]

    def _curve(self, members: tuple[int, ...], schedule: Schedule, seed: int) -> tuple[Point, ...]:
        what = f"edges {members}, seed {seed}, {len(self.edges.edges[0])} frames, {schedule}"
        curve = self.finished.get(what)
        if curve is None:
            stylizer = new_stylizer(StylizerConfig(), self.encoder, seed)
            frames = [self.edges.edges[i] for i in members]
            curve = tuple(learning_curve(stylizer, frames, self.edges.held_out, schedule, seed))
            self.finished.add(what, curve)
            print(f"{what}: {curve[0].loss:.3f} → {curve[-1].loss:.3f}", file=sys.stderr)
        return curve


def _about(study: Study, seeds: int) -> Iterator[str]:
    edges, schedule = study.edges, study.schedule
    yield (
        f"- {len(edges.edges)} edges of {len(edges.edges[0])} frames ({', '.join(SOURCES)}), {len(edges.held_out)} "
        f"held-out frames of all of them; an edge's styles are its own ({', '.join(LOOKS)}); {seeds} seeds"
    )
    yield (
        f"- FedAvg, {schedule.rounds} rounds of {schedule.steps} steps of {schedule.batch} frames, crop "
        f"{schedule.crop} px, learning rate {schedule.learning_rate:g}; start: the closed-form transport"
    )


def _of_source(alone: Curves, number: int) -> Curves:
    """The runs of edge ``number``: every seed has one of each, in order."""
    return Curves(f"{SOURCES[number]}, {alone.name}", alone.runs[number :: len(SOURCES)])


def main() -> int:
    """Run the benchmark; 1 if four edges do not save what they must."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.federated", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=SHARED.parent / "train" / "photos")
    parser.add_argument("--encoder", type=Path, default=_ROOT / "checkpoints" / "encoder", help="a distilled one")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of torch, default %(default)s")
    parser.add_argument("--to", type=Path, default=_RESULTS, metavar="DIR")
    parser.add_argument("--runs", type=Path, default=_ROOT / "runs" / "federated", help="keeps finished curves")
    parser.add_argument("--quick", action="store_true", help="two tiny rounds")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds {options.seeds} leaves nothing to measure; give 1 or more")
    torch.set_num_threads(options.threads)
    schedule, seeds, frames, held_out = (_QUICK, 1, 8, 4) if options.quick else (SCHEDULE, options.seeds, 120, 32)
    encoder = encoder_from(options.encoder)
    edges = world(options.photos, new_stylizer(StylizerConfig(), encoder, 0), frames, held_out)
    study = Study(edges, encoder, schedule, Finished(options.runs))
    alone, together = (
        [Curves(group.name, tuple(study.curves(group, range(1, seeds + 1)))) for group in groups]
        for groups in (ALONE, TOGETHER)
    )
    best = best_alone(alone)
    own = [_of_source(best, number) for number in range(len(SOURCES))]
    lines = ["# Edges together and alone", "", "`python -m benchmarks.federated`; lower is better.", "",
             *machine(), *_about(study, seeds), "", *tables(alone, together, own)]  # fmt: skip
    write_text(options.to / "federated.md", "\n".join([*lines, ""]), overwrite=True)
    plot(options.to / "federated.png", [*alone, *together])
    for half in ("content", "style"):
        plot(options.to / f"federated_{half}.png", [best, *together], half)
    print("\n".join(lines))
    return int(saving(best, together[-1]).ratio < MUST)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MVStylizerError as error:
        sys.exit(f"benchmarks.federated: error: {error}")
