"""The learning study: one start, trained by one edge, two and four on data that are not alike, with as many images.

Stylizers start at the closed-form transport, trained on nothing, around the distilled encoder. Each edge has its own
source of photos and its own quarter of looks (``benchmarks.federated.edges``). Curves are of every edge alone, of two
pairs and of all four; one edge also gets a third of the learning rate, which suits it better, since nobody averages out
its noise. Beside them, with the first seed alone, four edges whose data were dealt at random (IID), and another
strategy of the cloud.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.federated.edges import LOOKS, World, dealt, world
from benchmarks.federated.report import Curves, best_alone, tables
from benchmarks.federated.rounds import Point, Schedule, learning_curve
from benchmarks.finished import Finished
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.stylizer import StylizerConfig
from mvstylizer.training.distill import encoder_from
from mvstylizer.training.loop import new_stylizer

SCHEDULE = Schedule(rounds=48, steps=10, batch=1, crop=96, learning_rate=3e-4, every=4)
_QUICK = replace(SCHEDULE, rounds=2, steps=2, crop=64, every=1)


@dataclass(frozen=True)
class Group:
    """Federations of one size, trained alike."""

    name: str
    members: tuple[tuple[int, ...], ...]
    rate: float = 1.0
    """Of the schedule's learning rate."""
    momentum: float = 0.0
    """Of the cloud: FedAvgM."""
    is_iid: bool = False


_SINGLE, _ALL = ((0,), (1,), (2,), (3,)), ((0, 1, 2, 3),)
ALONE = (Group("one edge alone", _SINGLE), Group("one edge alone, a third of the rate", _SINGLE, 1 / 3))
TOGETHER = (Group("two edges", ((0, 1), (2, 3))), Group("four edges", _ALL))
OTHERS = (
    Group("four edges, IID (one seed)", _ALL, is_iid=True),
    Group("four edges, FedAvgM 0.5 (one seed)", _ALL, momentum=0.5),
)


@dataclass(frozen=True)
class Study:
    """All curves, and what they were made with."""

    edges: World
    schedule: Schedule
    seeds: int
    alone: tuple[Curves, ...]
    together: tuple[Curves, ...]
    others: tuple[Curves, ...]

    @property
    def best(self) -> Curves:
        """Of the ways to train one edge the one that gets furthest."""
        return best_alone(self.alone)

    def lines(self) -> Iterator[str]:
        """Markdown."""
        edges, schedule = self.edges, self.schedule
        yield (
            f"- {len(edges.edges)} edges of {len(edges.edges[0])} frames ({', '.join(edges.names)}), each in looks of "
            f"its own ({', '.join(LOOKS)}); {len(edges.held_out)} held-out frames of all of them; {self.seeds} seeds"
        )
        yield (
            f"- FedAvg, {schedule.rounds} rounds of {schedule.steps} steps of {schedule.batch} frames, crop "
            f"{schedule.crop} px, learning rate {schedule.learning_rate:g}; start: the closed-form transport"
        )
        yield ""
        # Every seed has one run of each edge, in order.
        own = [
            Curves(f"{name}, {self.best.name}", self.best.runs[n :: len(edges.names)])
            for n, name in enumerate(edges.names)
        ]
        yield from tables(self.alone, (*self.together, *self.others), own)


def study(photos: Path, encoder: Path, finished: Finished, seeds: int, quick: bool = False) -> Study:
    """Run it, or what is left of it.

    Raises:
        InputError: there are too few photos, or no distilled encoder.
    """
    schedule, seeds, frames, held_out = (_QUICK, 1, 8, 4) if quick else (SCHEDULE, seeds, 120, 32)
    eyes = encoder_from(encoder)
    edges = world(photos, new_stylizer(StylizerConfig(), eyes, 0), frames, held_out)
    made = (_Runs(edges, eyes, schedule, finished), range(1, seeds + 1))
    together = _curves(*made, TOGETHER)
    return Study(edges, schedule, seeds, _curves(*made, ALONE), together, _curves(made[0], [1], OTHERS))


def _curves(runs: "_Runs", seeds: Sequence[int], groups: Sequence[Group]) -> tuple[Curves, ...]:
    """All members of a seed before the next seed."""
    return tuple(
        Curves(group.name, tuple(runs.curve(group, members, seed) for seed in seeds for members in group.members))
        for group in groups
    )


@dataclass(frozen=True)
class _Runs:
    """What all curves have in common."""

    edges: World
    encoder: Encoder
    schedule: Schedule
    finished: Finished

    def curve(self, group: Group, members: tuple[int, ...], seed: int) -> tuple[Point, ...]:
        """One federation's."""
        schedule = replace(
            self.schedule, learning_rate=self.schedule.learning_rate * group.rate, momentum=group.momentum
        )
        dealing = "dealt at random, " if group.is_iid else ""
        what = f"edges {members}, {dealing}seed {seed}, {len(self.edges.edges[0])} frames, {schedule}"

        def run() -> list[dict[str, float]]:
            stylizer = new_stylizer(StylizerConfig(), self.encoder, seed)
            edges = dealt(self.edges.edges, seed) if group.is_iid else self.edges.edges
            data = [edges[i] for i in members]
            curve = list(learning_curve(stylizer, data, self.edges.held_out, schedule, seed))
            print(f"{what}: {curve[0].loss:.3f} → {curve[-1].loss:.3f}", file=sys.stderr)
            return [asdict(point) for point in curve]

        return tuple(Point(**point) for point in self.finished.once(what, run))
