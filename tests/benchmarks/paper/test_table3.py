"""Table 3: scores on pairs, and Inception's through the same code with networks of random weights."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.pair_report import FINAL, RAW
from benchmarks.paper.inception import WEIGHTS, Network, inception, network, scores, seen
from benchmarks.paper.material import Material
from benchmarks.paper.part import Size
from benchmarks.paper.table3 import NOT_MEASURED, drawn_frames, measure
from mvstylizer.errors import InputError
from mvstylizer.pictures import write_picture
from tests.benchmarks.paper.contexts import quick_context, random_teacher
from tests.scenes import texture

# Nothing here is large enough for a second thread to pay.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have some."""
    monkeypatch.delenv(WEIGHTS, raising=False)


def test_cells_without_weights_say_so(tiny_release: Path, tmp_path: Path) -> None:
    """The paper's figures stand beside "not measured here", and the scores on pairs are there all the same."""
    report = measure(quick_context(tiny_release, tmp_path), random_teacher(tmp_path))
    text = "\n".join(report.lines)
    assert text.count(f"| {NOT_MEASURED} | {NOT_MEASURED} |") == 2 and "135.2" in text and WEIGHTS in text
    assert [line.ours for line in report.summary[:2]] == [NOT_MEASURED] * 2
    assert [line.paper for line in report.summary[:2]] == ["135.2", "164.23"]
    assert f"| **{FINAL}** |" in text and "| MKL |" in text and "wins on edge and gram" in text
    assert len(report.summary) == 4


def test_without_a_teacher_gram_is_left_out(tiny_release: Path, tmp_path: Path) -> None:
    """Edges, halo and colours need no network; what needs the teacher is left out, and the page says why."""
    report = measure(quick_context(tiny_release, tmp_path), tmp_path / "none.safetensors")
    text = "\n".join(report.lines)
    row = next(line for line in report.lines if line.startswith("| MKL |")).split(" | ")
    assert row[5:7] == ["–", "–"] and "none.safetensors" in text and "wins on" not in text
    assert 0 < float(row[1]) <= 1 and len(report.summary) == 3


def test_given_pairs_are_scored_once(tiny_release: Path, tmp_path: Path) -> None:
    """Given results of other methods have rows; a second run needs none of the pictures."""
    for folder in ("pairs", "anchor_results/other"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("01", "02"):
        content = texture(96, 128, seed=int(name))
        write_picture(tmp_path / "pairs" / f"{name}_content.png", content)
        write_picture(tmp_path / "pairs" / f"{name}_style.png", texture(64, 64, seed=9))
        write_picture(tmp_path / "anchor_results/other" / f"{name}.png", content)
    material = Material("given", (), (), evaluation=tmp_path)
    context = quick_context(tiny_release, tmp_path, material)
    first = measure(context, tmp_path / "none.safetensors")
    other = next(line for line in first.lines if line.startswith("| other |"))
    assert other.split(" | ")[1] == "1.000"
    assert first.summary[2].ours.endswith("against 1.000") and "best other: other" in first.summary[2].what
    for path in tmp_path.rglob("*_style.png"):
        path.unlink()
    assert measure(context, tmp_path / "none.safetensors") == first


def test_frames_are_drawn_from_all_clips(tiny_release: Path, tmp_path: Path) -> None:
    """Of the wanted size, none twice, from both clips, the same ones every time."""
    context = quick_context(tiny_release, tmp_path)
    drawn = drawn_frames(context, Size(64, 32), 20)
    assert len(drawn) == 20 and {number for number, _ in drawn} == {0, 1}
    assert all(frame.shape == (32, 64, 3) for _, frame in drawn)
    assert len({frame.tobytes() for _, frame in drawn}) == 20
    again = drawn_frames(context, Size(64, 32), 20)
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(drawn, again, strict=True))
    assert len(drawn_frames(context, Size(64, 32), 1000)) == 120


def test_the_scores_are_their_definitions() -> None:
    """Inception score: exp of the mean divergence of labels from their mean. FID: Gaussians' Fréchet distance."""
    pytest.importorskip("torchmetrics")
    linalg = pytest.importorskip("scipy.linalg")
    pictures = [texture(32, 48, seed=number) for number in range(40)]
    others = [(picture // 2 + 60).astype(np.uint8) for picture in pictures]
    sees = _network()
    made, real = seen(others, sees), seen(pictures, sees)
    found = scores(made, real)
    labels = made.logits.double().softmax(1)
    divergence = (labels * (labels / labels.mean(0)).log()).sum(1).mean()
    assert found["inception"] == pytest.approx(float(divergence.exp()), rel=1e-4)
    (a, b) = (each.features.double().numpy() for each in (made, real))
    root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    wanted = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert found["fid"] == pytest.approx(wanted, rel=1e-3)
    assert scores(real, real)["fid"] == pytest.approx(0, abs=1e-3) and found["fid"] > 0.1
    with pytest.raises(InputError, match="one picture"):
        scores(made, seen(pictures[:1], sees))


def test_a_network_fills_the_cells(tiny_release: Path, tmp_path: Path) -> None:
    """Every method gets both scores, what changes frames most the largest distance, and a second run needs no clip."""
    pytest.importorskip("torchmetrics")
    context = quick_context(tiny_release, tmp_path)
    report = measure(context, tmp_path / "none.safetensors", _network())
    assert NOT_MEASURED not in "\n".join(report.lines)
    rows = {line.split(" | ")[0]: line for line in report.lines[:10]}
    values = {name: [float(x) for x in rows[f"| {name}"].strip(" |").split(" | ")[1:]] for name in ("MKL", RAW, FINAL)}
    assert all(score >= 1 and distance > 0 for score, distance in values.values())
    assert report.summary[0].ours == f"{values[RAW][0]:.2f}" and report.summary[1].ours == f"{values[RAW][1]:.2f}"
    for path in context.material.clips[1:]:
        path.unlink()
    assert measure(context, tmp_path / "none.safetensors", _network()).lines == report.lines


@pytest.mark.slow
def test_torch_fidelitys_weights_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inception v3 with the tensors of a file, as .pth or safetensors: 2048 features and 1008 classes of a picture."""
    from safetensors.torch import save_file

    weights = _random_inception()
    torch.save(weights, tmp_path / "weights.pth")
    save_file(weights, tmp_path / "weights.safetensors")
    found = []
    for name in ("weights.pth", "weights.safetensors"):
        monkeypatch.setenv(WEIGHTS, str(tmp_path / name))
        sees = network()
        assert sees is not None
        found.append(seen([texture(32, 64), texture(32, 64, seed=2)], sees))
    assert found[0].features.shape == (2, 2048) and found[0].logits.shape == (2, 1008)
    assert torch.equal(found[0].features, found[1].features) and torch.equal(found[0].logits, found[1].logits)
    assert not torch.equal(found[0].features[0], found[0].features[1])


def test_other_files_are_refused(tmp_path: Path) -> None:
    """No file, tensors of something else, code in a pickle: an error that names the file, and nothing is run."""
    pytest.importorskip("torch_fidelity")
    others, code = tmp_path / "others.pth", tmp_path / "code.pth"
    torch.save({"weight": torch.zeros(2)}, others)
    torch.save({"weight": _Touches(tmp_path / "touched")}, code)
    for path in (tmp_path / "nowhere.pth", tmp_path / "no.safetensors", others, code):
        with pytest.raises(InputError, match=path.name):
            inception(str(path))
    assert not (tmp_path / "touched").exists()


class _Touches:
    """Unpickling it leaves a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._path),)


def _random_inception() -> dict[str, torch.Tensor]:
    """Weights of Inception v3's shapes, as they are drawn."""
    from io import BytesIO

    architecture = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3").FeatureExtractorInceptionV3

    class Untrained(architecture):  # type: ignore[misc, valid-type]
        def load_state_dict(self, *arguments: object) -> None:
            """It stays as it was drawn."""

    nothing = BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.manual_seed(0)
    return dict(Untrained("inception-v3-compat", ["2048"], nothing).state_dict())


def _network() -> Network:
    """Six features that are random mixtures of a picture's coarse colours."""
    mixed = torch.nn.Linear(12, 6, bias=False)
    torch.nn.init.normal_(mixed.weight, generator=torch.Generator().manual_seed(0))
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), mixed)

    def see(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = module(batch.float() / 64)
        return features, features[:, :5]

    return see
