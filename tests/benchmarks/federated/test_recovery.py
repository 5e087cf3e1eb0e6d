"""The table of recoveries: what it says of tests, and that these measure what it lists."""

from pathlib import Path

import pytest

from benchmarks.federated.recovery import FAULTS, Fault, _results, _times, table

_ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.name))
def test_each_fault_is_measured(fault: Fault) -> None:
    """Its test is there, and the file measures a recovery under the fault's name."""
    text = (_ROOT / fault.file).read_text()
    assert f"def {fault.test}(" in text and f'"{fault.name}, until ' in text


def test_times_and_results_make_the_table(tmp_path: Path) -> None:
    """A line for each time; a test that failed, or did not run, has no outcome to tell."""
    first, failed = FAULTS[0], next(fault for fault in FAULTS if fault.test != FAULTS[0].test)
    report = tmp_path / "report.xml"
    report.write_text(f'<r><testcase name="{first.test}"/><testcase name="{failed.test}"><failure/></testcase></r>')
    found = _times(f"{first.name}, until a: 12.6 s\nnonsense\n{first.name}, until b: 30.0 s\n")
    lines = list(table(found, _results(report)))[2:]
    assert lines[:2] == [
        f"| {first.name} | until a | 13 | {first.outcome} |",
        f"| {first.name} | until b | 30 | {first.outcome} |",
    ]
    assert f"| {failed.name} | | | **failed** |" in lines
    assert any(line.endswith("**not run** |") for line in lines) and len(lines) == len(FAULTS) + 1
    assert _results(tmp_path / "none.xml") == {}
