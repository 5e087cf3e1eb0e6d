"""Markdown of scores on pairs: means of every method, who wins against whom, and ours next to MKL pair by pair."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.pair_scores import Scores

RAW, FINAL = "this release, raw", "this release, final"
OURS = (RAW, FINAL)
RIVAL = "MKL"
_UNBEATABLE = "identity"
"""Keeps every edge, so nothing can win against it."""

ByPair = dict[str, dict[str, Scores]]
"""Scores by pair, then by method; every pair has the same methods, in the order of the table."""

DEFINITIONS = """\
Against the content: **edge** is the SSIM of locally normalised gradients, **halo** the tone that a coarse bilateral
grid of the content cannot explain, **canny** the SSIM of Canny's edges, **luma SSIM** that of luma itself. Against the
style: **gram** and **mean/std** are squared distances of Gram matrices and of channel statistics through the 16x proxy,
**swd** is the sliced Wasserstein distance of colours. **CPU s** is what a pair took on all cores together, the style
included, where the method ran here."""


@dataclass(frozen=True)
class _Column:
    title: str
    measure: str
    digits: int


_COLUMNS = (
    _Column("edge ↑", "edge", 3),
    _Column("halo ↓", "halo", 4),
    _Column("canny ↑", "canny", 3),
    _Column("luma SSIM ↑", "luma", 3),
    _Column("gram ↓", "gram", 3),
    _Column("mean/std ↓", "mean_std", 3),
    _Column("swd ↓", "swd", 4),
    _Column("CPU s", "cpu_seconds", 2),
)


def report(scores: ByPair) -> Iterator[str]:
    """All tables and what their columns mean, line by line."""
    yield from (DEFINITIONS, "")
    yield from means_table(scores)
    yield ""
    yield from wins_table(scores)
    yield ""
    yield from pairs_table(scores)


def means_table(scores: ByPair) -> Iterator[str]:
    """A row a method, means over all pairs."""
    yield from _head([f"mean of {len(scores)} pairs", *(column.title for column in _COLUMNS)])
    for method in _methods(scores):
        name = f"**{method}**" if method == FINAL else method
        yield _row([name, *(_mean(scores, method, column) for column in _COLUMNS)])


def wins_table(scores: ByPair) -> Iterator[str]:
    """In how many pairs ours keeps edges *and* comes near the style at least as well as each other method."""
    yield from _head([f"wins on edge and gram, of {len(scores)} pairs, against", "raw", "final"])
    for method in _methods(scores):
        if method != _UNBEATABLE and method not in OURS:
            yield _row([method, *(str(wins(scores, own, method)) for own in OURS)])


def wins(scores: ByPair, own: str, other: str) -> int:
    """In how many pairs a method wins on edge and gram against another."""
    return sum(by_method[own].wins(by_method[other]) for by_method in scores.values())


def pairs_table(scores: ByPair) -> Iterator[str]:
    """Edge and gram of MKL and of what users see, a row a pair, and on which of them the latter wins."""
    yield from _head(["pair", f"edge: {RIVAL}", "edge: final", f"gram: {RIVAL}", "gram: final", "final wins on"])
    for name, by_method in scores.items():
        rival, final = by_method[RIVAL], by_method[FINAL]
        won = [measure for measure, better in _compared(final, rival) if better]
        numbers = [f"{value:.3f}" for value in (rival.edge, final.edge, rival.gram, final.gram)]
        yield _row([name, *numbers, " and ".join(won) or "neither"])


def _compared(final: Scores, rival: Scores) -> tuple[tuple[str, bool], tuple[str, bool]]:
    return ("edge", final.edge >= rival.edge), ("gram", final.gram <= rival.gram)


def _methods(scores: ByPair) -> list[str]:
    return list(next(iter(scores.values())))


def _mean(scores: ByPair, method: str, column: _Column) -> str:
    values = [getattr(by_method[method], column.measure) for by_method in scores.values()]
    return "–" if None in values or np.isnan(values).any() else f"{np.mean(values):.{column.digits}f}"


def _head(titles: list[str]) -> tuple[str, str]:
    return _row(titles), "|" + "---|" * len(titles)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
