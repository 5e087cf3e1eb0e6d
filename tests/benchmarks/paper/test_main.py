"""The whole of it, small: every page is written, says something, and is not measured twice."""

import json
from pathlib import Path

import pytest

from benchmarks.paper.__main__ import PARTS, main, write
from benchmarks.paper.part import Comparison, Report
from mvstylizer.pictures import read_picture
from tests.scenes import texture


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quick_run_writes_every_page(tmp_path: Path, tiny_release: Path) -> None:
    """Tables with figures in them, plots that can be read, and one summary over all of them."""
    assert main(["--all", "--quick", "--results", str(tmp_path), "--release", str(tiny_release)]) == 0
    for name in PARTS:
        page = (tmp_path / f"{name}.md").read_text()
        assert "--quick" in page and sum(line.startswith("|") for line in page.splitlines()) > 3, page
        assert "nan" not in page
    for name in ("figure5_paper", "figure5_shipped", "figure7", "figure7_content", "figure7_style"):
        assert read_picture(tmp_path / f"{name}.png").std() > 5
    summary = (tmp_path / "summary.md").read_text()
    assert all(f"[{name}]({name}.md)" in summary for name in PARTS)


def test_nothing_to_do_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a part, or with one that the paper does not have, nothing is measured."""
    for words in ([], ["--table", "6"], ["--figure", "6"]):
        with pytest.raises(SystemExit):
            main(words)
        assert "error" in capsys.readouterr().err


def test_a_page_keeps_what_it_says(tmp_path: Path) -> None:
    """The page, its plots below it, and its lines of the summary as data."""
    line = Comparison("what", "1", "2", "2×")
    report = Report("Table 9", ["| a |", "|---|"], {"plot.png": texture(40, 60)}, [line])
    write(report, "table9", ["- a machine"], tmp_path)
    page = (tmp_path / "table9.md").read_text()
    assert page.startswith("# Table 9\n\n- a machine\n\n| a |") and "![Table 9](plot.png)" in page
    assert json.loads((tmp_path / "table9.json").read_text()) == [
        {"what": "what", "paper": "1", "ours": "2", "ratio": "2×"}
    ]
    assert read_picture(tmp_path / "plot.png").shape == (40, 60, 3)
