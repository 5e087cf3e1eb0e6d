"""What the learning curves say: how many images each edge needs, as a table and a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.federated.rounds import Point
from benchmarks.plot import Line, line_plot

Picture = NDArray[np.uint8]

MUST = 3.33
"""Images an edge, one edge's by four edges' (the paper's Figure 7)."""
_MEASURES = ("loss", "content", "style", "edges")


@dataclass(frozen=True)
class Curves:
    """Curves of federations of one size: other members, other seeds, the same images at the same place."""

    name: str
    runs: tuple[tuple[Point, ...], ...]

    @property
    def images(self) -> list[int]:
        """Images an edge, of every point."""
        return [point.images for point in self.runs[0]]

    def values(self, measure: str) -> np.ndarray:
        """``(runs, points) float64``."""
        return np.array([[getattr(point, measure) for point in run] for run in self.runs], np.float64)

    def mean(self, measure: str = "loss") -> list[float]:
        """Over the runs, by point."""
        return [float(value) for value in self.values(measure).mean(0)]


@dataclass(frozen=True)
class Saving:
    """Images an edge that one edge and several need for the same loss."""

    loss: float
    alone: float
    together: float | None
    """None where they never reach it."""

    @property
    def ratio(self) -> float:
        """How many times fewer; 0 where never."""
        return self.alone / self.together if self.together else 0.0


def saving(alone: Curves, together: Curves) -> Saving:
    """What a federation saves until the lowest loss that an edge of its own reaches on average."""
    losses = alone.mean()
    best = int(np.argmin(losses))
    needed = reached(together.images, together.mean(), losses[best])
    return Saving(losses[best], float(alone.images[best]), needed)


def reached(images: Sequence[int], losses: Sequence[float], wanted: float) -> float | None:
    """Images after which a curve is down at ``wanted`` and stays there, between its points by a straight line.

    A lucky dip does not count. None where the last point is not down.
    """
    above = [i for i, loss in enumerate(losses) if loss > wanted]
    if not above:
        return float(images[0])
    last = above[-1]
    if last == len(losses) - 1:
        return None
    share = (losses[last] - wanted) / (losses[last] - losses[last + 1])
    return float(images[last] + share * (images[last + 1] - images[last]))


def best_alone(curves: Sequence[Curves]) -> Curves:
    """Of several ways to train one edge the one that gets furthest: what a federation has to beat."""
    return min(curves, key=lambda c: min(c.mean()))


def tables(alone: Sequence[Curves], together: Sequence[Curves], own: Sequence[Curves]) -> Iterator[str]:
    """Markdown: the curves, where they end, and what is saved. ``own`` are single edges' of the best way alone."""
    every = (*alone, *together)
    yield f"| images an edge | {' | '.join(c.name for c in every)} |"
    yield "|---" * (1 + len(every)) + "|"
    for i, images in enumerate(alone[0].images):
        yield f"| {images} | {' | '.join(_at(c, i) for c in every)} |"
    yield from ("", "Held-out loss, mean over runs (lowest – highest). At the end:", "")
    yield "| | loss | content | style | edge similarity |"
    yield "|---|---|---|---|---|"
    for c in (*every, *own):
        yield f"| {c.name} | {' | '.join(f'{c.mean(measure)[-1]:.4f}' for measure in _MEASURES)} |"
    yield from (
        "",
        "Images an edge until the loss is down at one edge's lowest and stays there, and how many times fewer:",
        "",
    )
    yield f"| down at the lowest of | loss | images | {' | '.join(c.name for c in together)} |"
    yield "|---" * (3 + len(together)) + "|"
    for each in alone:
        savings = [saving(each, c) for c in together]
        cells = ("never" if got.together is None else f"{got.together:.0f} ({got.ratio:.2f}×)" for got in savings)
        yield f"| {each.name} | {savings[0].loss:.3f} | {savings[0].alone:.0f} | {' | '.join(cells)} |"


def _at(curves: Curves, i: int) -> str:
    losses = curves.values("loss")[:, i]
    return f"{losses.mean():.3f} ({losses.min():.3f} – {losses.max():.3f})"


def plot(curves: Sequence[Curves], measure: str = "loss") -> Picture:
    """A line with a band for every federation; the axis of images is logarithmic, so the start is left out."""
    lines = []
    for c in curves:
        values = c.values(measure)
        spread = [(float(x), float(v.min()), float(v.max())) for x, v in zip(c.images, values.T, strict=True) if x]
        lines.append(Line(c.name, [(x, y) for x, y in zip(c.images, c.mean(measure), strict=True) if x], spread))
    return line_plot(lines, f"Held-out {measure}: edges together and alone", "images an edge", measure)
