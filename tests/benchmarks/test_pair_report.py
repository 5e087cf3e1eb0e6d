"""The tables of scores."""

import pytest

from benchmarks.pair_report import FINAL, RAW, ByPair, means_table, pairs_table, report, wins, wins_table
from benchmarks.pair_scores import Scores


def scores(edge: float, gram: float, cpu_seconds: float | None = None) -> Scores:
    return Scores(edge, 0.0123, 0.7, 0.6, gram, 0.5, 0.0456, cpu_seconds)


@pytest.fixture
def by_pair() -> ByPair:
    """Two pairs: "final" wins on both counts in the first, on the edges alone in the second."""
    first = {"identity": scores(1, 9, 0.0), "MKL": scores(0.8, 3, 0.25), "other": scores(0.7, 2)}
    second = {"identity": scores(1, 8, 0.0), "MKL": scores(0.9, 2, 0.35), "other": scores(0.6, 5)}
    return {
        "01": first | {RAW: scores(0.75, 1, 0.5), FINAL: scores(0.85, 2.5, 0.6)},
        "02": second | {RAW: scores(0.5, 1, 0.5), FINAL: scores(0.95, 4, 0.6)},
    }


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_means_are_over_pairs(by_pair: ByPair) -> None:
    """A row a method in order, ours in bold; no time where the method did not run here."""
    head, _, *rows = map(cells, means_table(by_pair))
    assert [row[0] for row in rows] == ["identity", "MKL", "other", RAW, f"**{FINAL}**"]
    assert len({len(head), *map(len, rows)}) == 1
    assert rows[1] == ["MKL", "0.850", "0.0123", "0.700", "0.600", "2.500", "0.500", "0.0456", "0.30"]
    assert rows[2][-1] == "–"


def test_wins_are_counted_against_every_method_that_can_lose(by_pair: ByPair) -> None:
    """Edge and gram have to be at least as good in the same pair."""
    assert [wins(by_pair, FINAL, other) for other in ("MKL", "other")] == [1, 1]
    assert [wins(by_pair, RAW, other) for other in ("MKL", "other")] == [0, 1]
    _, _, *rows = map(cells, wins_table(by_pair))
    assert rows == [["MKL", "0", "1"], ["other", "1", "1"]]


def test_each_pair_says_what_is_won(by_pair: ByPair) -> None:
    """Edge and gram of both, and on which of them "final" wins."""
    _, _, *rows = map(cells, pairs_table(by_pair))
    assert rows[0] == ["01", "0.800", "0.850", "3.000", "2.500", "edge and gram"]
    assert rows[1] == ["02", "0.900", "0.950", "2.000", "4.000", "edge"]


def test_a_pair_without_any_win_says_so(by_pair: ByPair) -> None:
    """Worse in both is "neither"."""
    by_pair["02"][FINAL] = scores(0.1, 7)
    assert list(pairs_table(by_pair))[-1].endswith("| neither |")


def test_the_report_has_all_tables(by_pair: ByPair) -> None:
    """Definitions first, then means, wins and pairs."""
    lines = list(report(by_pair))
    for table in (means_table, wins_table, pairs_table):
        assert set(table(by_pair)) <= set(lines)
