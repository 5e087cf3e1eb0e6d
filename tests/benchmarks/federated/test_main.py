"""The whole benchmark, tiny, on made-up photos: what it writes, and that it goes on where it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mvstylizer.pictures import read_picture
from tests.benchmarks.federated.test_edges import photos

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_a_quick_run_writes_its_results_and_resumes(tmp_path: Path) -> None:
    """Table and pictures are there after a quick run; the second run trains nothing again and says the same."""
    folder = photos(tmp_path / "photos", 8)
    command = [sys.executable, "-m", "benchmarks.federated", "--quick", "--photos", str(folder),
               "--to", str(tmp_path), "--runs", str(tmp_path / "runs")]  # fmt: skip
    texts = []
    for trained in (13, 0):
        done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
        assert done.returncode in (0, 1) and done.stderr.count("→") == trained, done.stderr
        texts.append((tmp_path / "federated.md").read_text())
    assert texts[0] == texts[1] and "| four edges |" in texts[0]
    for name in ("federated.png", "federated_content.png", "federated_style.png"):
        assert read_picture(tmp_path / name).std() > 5
    assert len(list((tmp_path / "runs").glob("*.json"))) == 13
