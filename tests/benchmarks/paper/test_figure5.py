"""Figure 5: Equation 6 as the paper has it."""

import pytest

from benchmarks.paper.figure5 import equation6
from benchmarks.paper.published import TABLE1, TABLE2_INTERPOLATION, TABLE2_SPEEDUP


def test_equation_6_by_the_papers_own_times() -> None:
    """A key frame each frame is no speedup; without intermediate time it is the interval; Table 2 bounds it."""
    at = {"dnn": 1.51, "key": 1.51, "between": 0.02}
    assert equation6(at, 1) == 1
    assert equation6(at | {"between": 0.0}, 30) == pytest.approx(30)
    assert equation6(at, 30) == pytest.approx(21.7, abs=0.1)
    assert equation6(at, 10**6) == pytest.approx(75.5, rel=1e-3)


def test_the_papers_table_2_agrees_with_itself() -> None:
    """Its speedups are its times' ratios, with 0.0006 and not the text's 0.00006."""
    for dnn, between, speedup in zip(TABLE1["MVStylizer"], TABLE2_INTERPOLATION, TABLE2_SPEEDUP, strict=True):
        assert dnn / between == pytest.approx(speedup, rel=1e-3)
