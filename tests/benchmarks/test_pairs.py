"""The benchmark on pairs, whole: pictures, sheet and scores of a small release on small pairs."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.pair_report import FINAL, RAW
from benchmarks.pair_scores import Picture, Scores, codes, real
from benchmarks.pairs import all_methods, anchor_folders, main, measure
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError, UsageError
from mvstylizer.pictures import read_picture, write_picture
from tests.scenes import texture

NAMES = ("01", "02", "03")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three pairs and another method's results: the contents themselves."""
    (tmp_path / "pairs").mkdir()
    (tmp_path / "anchor_results" / "pcakd_vgg+gif").mkdir(parents=True)
    for name in NAMES:
        content = texture(60, 80, seed=int(name))
        write_picture(tmp_path / "pairs" / f"{name}_content.png", content)
        write_picture(tmp_path / "pairs" / f"{name}_style.png", texture(50, 40, seed=9))
        write_picture(tmp_path / "anchor_results" / "pcakd_vgg+gif" / f"{name}.png", content)
    return tmp_path


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """Random weights of the 16x proxy's shape."""
    pytest.importorskip("torch")
    from safetensors.torch import save_file

    from tests.networks import proxy_weights

    save_file(proxy_weights(), tmp_path / "teacher.safetensors")
    return tmp_path / "teacher.safetensors"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr("sys.argv", ["pairs", *map(str, arguments), "--size", "64"])
    return main()


def test_each_pair_gives_what_the_dnn_made_and_what_users_see(data: Path, tiny_release: Path) -> None:
    """Two pictures of the content's shape a pair, and one sheet of them all; nothing is scored without a teacher."""
    to, engine = data / "out", Engine(tiny_release, threads=1)
    methods = all_methods(engine, 64, anchor_folders(data))
    assert measure(data / "pairs", to, methods, None, 64) == {}
    for kind in ("raw", "final"):
        assert sorted(p.name for p in (to / kind).iterdir()) == [f"{name}.png" for name in NAMES]
        assert read_picture(to / kind / "02.png").shape == (48, 64, 3)
    assert not np.array_equal(read_picture(to / "raw" / "02.png"), read_picture(to / "final" / "02.png"))
    assert read_picture(to / "sheet.jpg").shape[1] > 2000


def test_the_command_scores_everything(
    data: Path, teacher: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One table with the anchors, the folders found and named, and ours; printed, and the same in pairs.md."""
    extra = f"mine={data / 'anchor_results' / 'pcakd_vgg+gif'}"
    arguments = ("--to", data / "out", "--data", data, "--release", tiny_release, "--teacher", teacher, extra)
    assert run(monkeypatch, *arguments) == 0
    text = (data / "out" / "pairs.md").read_text()
    assert capsys.readouterr().out == text
    firsts = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert firsts[2:10] == [
        "identity", "Reinhard", "MKL", "PCA-KD VGG + guided filter", "mine", RAW, f"**{FINAL}**",
        "wins on edge and gram, of 3 pairs, against",
    ]  # fmt: skip
    assert firsts[-3:] == list(NAMES)


def test_identity_is_scored_as_such(data: Path, tiny_release: Path) -> None:
    """The content itself keeps all structure; the style itself has no distance to the style."""
    methods = all_methods(Engine(tiny_release, threads=1), 64, {})

    def colour_means(picture: Picture) -> list[Picture]:
        return [np.ascontiguousarray(picture.transpose(2, 0, 1))]

    scores = measure(data / "pairs", data / "out", methods, colour_means, 64)["01"]
    assert list(scores) == ["identity", "Reinhard", "MKL", RAW, FINAL]
    identity, mkl = scores["identity"], scores["MKL"]
    assert identity.edge == pytest.approx(1) and identity.luma == pytest.approx(1)
    assert mkl.edge < 1 and mkl.mean_std < identity.mean_std
    assert all(isinstance(each, Scores) and each.cpu_seconds is not None for each in scores.values())


def test_the_sheet_shows_what_there_is(data: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without scores no teacher and no other method's results are needed."""
    for path in (data / "anchor_results").rglob("*.png"):
        path.unlink()
    (data / "anchor_results" / "pcakd_vgg+gif").rmdir()
    arguments = ("--to", data / "out", "--data", data, "--release", tiny_release, "--no-scores")
    assert run(monkeypatch, *arguments) == 0
    assert (data / "out" / "sheet.jpg").exists() and not (data / "out" / "pairs.md").exists()


def test_what_is_missing_is_named_before_any_work(
    data: Path, teacher: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No teacher, no results to compare with, no such folder, a name taken: each is an error that says what to give."""
    base = ("--to", data / "out", "--release", tiny_release)
    with pytest.raises(InputError, match="--teacher"):
        run(monkeypatch, *base, "--data", data, "--teacher", data / "nothing")
    with pytest.raises(InputError, match=r"anchor_results.*--no-scores"):
        run(monkeypatch, *base, "--data", data / "pairs", "--teacher", teacher)
    with pytest.raises(InputError, match="nowhere"):
        run(monkeypatch, *base, "--data", data, "--teacher", teacher, f"x={data / 'nowhere'}")
    with pytest.raises(UsageError, match="MKL"):
        run(monkeypatch, *base, "--data", data, "--teacher", teacher, f"MKL={data}")
    with pytest.raises(SystemExit):
        run(monkeypatch, *base, "nameless")
    assert not (data / "out").exists()


def test_a_folder_without_pairs_is_refused(tmp_path: Path, tiny_release: Path) -> None:
    """Nothing to score is an error that names the folder."""
    methods = all_methods(Engine(tiny_release, threads=1), 64, {})
    with pytest.raises(InputError, match=str(tmp_path)):
        measure(tmp_path, tmp_path / "out", methods, None, 64)
    assert not (tmp_path / "out").exists()


def test_pictures_go_through_floats_without_loss() -> None:
    """What is scored is what is written."""
    picture = texture(16, 16)
    assert np.array_equal(codes(real(picture)), picture)
