"""The ablations, small: what is exchanged really is, rows are measured once, what cannot be measured is said."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from benchmarks.paper import ablation_key_frames, ablation_propagation, ablations
from benchmarks.paper.ablation_key_frames import ADAPTIVE, INTERVAL, SELECTORS, Chosen, error, rate, selector
from benchmarks.paper.material import Material
from benchmarks.paper.part import Context
from tests.benchmarks.paper.contexts import quick_context, random_teacher
from tests.scenes import pan


def cells(lines: list[str], first: str) -> list[str]:
    """The row that begins so, cell by cell."""
    return next(line for line in lines if line.startswith(f"| {first} |")).strip("| ").split(" | ")


def without_clips(context: Context) -> Context:
    """The same names of clips and photos that are no longer there."""
    for path in (*context.material.clips, *context.material.styles):
        path.unlink()
    return context


@pytest.mark.slow
def test_every_flow_and_way_is_measured_once(tiny_release: Path, tmp_path: Path) -> None:
    """On a pan each is near the DNN at every other frame; Algorithm 1 falls behind ours the further key frames are
    apart; a second run needs no clip."""
    context = quick_context(tiny_release, tmp_path)
    lines, summary = ablation_propagation.flows(context)
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == [*ablation_propagation.FLOWS] * 2
    values = [[float(value) for value in row[2:5]] for row in rows]
    assert all(value[0] > 0.98 and value[0] > value[2] for value in values)
    assert all(ours[2] > warp[2] for warp, ours in zip(values[:3], values[3:], strict=True))
    assert all(float(row[5]) > 0 for row in rows)
    assert len({row[2] for row in rows[:3]}) > 1, "the estimator makes no difference"
    ways, _ = ablation_propagation.ways_compared(without_clips(context))
    assert sum("DNN on every frame" in line for line in ways) == 7
    assert any(line.startswith("| flow only + residual |") for line in ways)
    assert ablation_propagation.flows(context) == (lines, summary)


def test_the_codec_selector_takes_the_streams_own(tiny_release: Path, tmp_path: Path) -> None:
    """An I-frame every sixth frame: four of 24, against two at an interval of 15; measured once."""
    clip = tmp_path / "groups.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", 25, options={"crf": "8", "x264-params": "keyint=6:scenecut=0"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 160, 96, "yuv420p", Fraction(1, 25)
        for number, picture in enumerate(pan(24, 96, 160)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    styles = quick_context(tiny_release, tmp_path).material.styles
    context = quick_context(tiny_release, tmp_path, Material("groups", (clip,), styles))
    lines, summary = ablation_key_frames.selectors(context)
    assert cells(lines, "codec")[1] == "16.7" and cells(lines, INTERVAL)[1] == "8.3"
    assert all(0.9 < float(cells(lines, name)[2]) <= 1 for name in SELECTORS)
    assert float(cells(lines, "adaptive, best")[1]) >= float(cells(lines, "adaptive, draft")[1])
    assert ablation_key_frames.selectors(without_clips(context)) == (lines, summary)


def test_selectors_are_the_products() -> None:
    """The default row is the product's default; a better quality never takes fewer key frames of a pan."""
    frames = pan(30, 96, 128, step=3)
    keys = {
        name: [index for index, frame in enumerate(frames) if way.decide(frame, index % 10 == 4).is_key]
        for name, way in ((name, selector(name)) for name in SELECTORS)
    }
    assert keys[INTERVAL] == [0, 15] and keys["codec"] == [0, 4, 14, 24]
    assert len(keys["adaptive, draft"]) <= len(keys[ADAPTIVE]) < len(keys["adaptive, best"])


def test_clips_count_by_frames_in_number_and_alike_in_quality() -> None:
    """Key frames in 100 of all frames; the error is the mean over clips."""
    clips = [Chosen("short", 10, 2, 0.1), Chosen("long", 90, 3, 0.2)]
    assert rate(clips) == 5 and error(clips) == pytest.approx(0.15)


def test_networks_need_photos_and_weights(tiny_release: Path, tmp_path: Path) -> None:
    """What is missing is named on the page, and the rest of it is made all the same."""
    pytest.importorskip("torch")
    from benchmarks.paper.ablation_networks import ENCODER, networks

    context = quick_context(tiny_release, tmp_path)
    nowhere = tmp_path / "nowhere"
    no_photos = replace(context, material=replace(context.material, photos=None))
    few = replace(context, material=replace(context.material, photos=tmp_path / "runs"))
    for lacking, encoder, teacher, what in (
        (no_photos, ENCODER, nowhere, "--data"),
        (context, nowhere, nowhere, "nowhere and no"),
        (few, ENCODER, random_teacher(tmp_path), "too few photos"),
    ):
        lines, summary = networks(lacking, None, encoder, teacher)
        assert what in lines[-1] and lines[-1].startswith("Not measured") and summary == []


@pytest.mark.slow
def test_every_variant_is_trained_and_judged_once(tiny_release: Path, tmp_path: Path) -> None:
    """All boxes can be exchanged; each variant has finite scores, its own, and a second run trains none again."""
    pytest.importorskip("torch")
    from benchmarks.paper.ablation_networks import ENCODER, VARIANTS, networks
    from benchmarks.paper.ablation_training import Budget

    context, budget = quick_context(tiny_release, tmp_path), Budget(1, 1, 48, 4, 1, 2, 64, (32, 64))
    teacher = random_teacher(tmp_path)
    lines, summary = networks(context, budget, ENCODER, teacher)
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]
    assert [row[0].strip("*") for row in rows] == [variant.name for variant in VARIANTS]
    scores = [tuple(float(value) for value in row[1:7]) for row in rows]
    assert all(value == value and abs(value) < 1e4 for each in scores for value in each)
    assert len(set(scores)) > 3, "variants are all the same"
    for path in (context.material.photos or tmp_path).iterdir():
        path.unlink()
    assert networks(context, budget, ENCODER, teacher) == (lines, summary)


def test_only_what_a_variant_has_learns(tiny_release: Path, tmp_path: Path) -> None:
    """Without meta-smoothing its kernels stay the identity; with it they move, and the encoder never does."""
    torch = pytest.importorskip("torch")
    from benchmarks.paper.ablation_networks import ENCODER, OURS, VARIANTS
    from benchmarks.paper.ablation_training import Budget, Laboratory
    from mvstylizer.network.smoothing import MetaSmoothing
    from mvstylizer.training.distill import encoder_from

    budget = Budget(3, 1, 48, 4, 1, 2, 64, (32, 64))
    lab = Laboratory(quick_context(tiny_release, tmp_path), budget, ENCODER, random_teacher(tmp_path))
    without = next(variant for variant in VARIANTS if not variant.has_smoothing)
    identity, encoder = MetaSmoothing().state_dict(), encoder_from(ENCODER).state_dict()
    for variant, learns in ((without, False), (OURS, True)):
        stylizer = lab.stylizer(variant)
        moved = any(not torch.equal(value, identity[key]) for key, value in stylizer.smoothing.state_dict().items())
        assert moved == learns
        assert all(torch.equal(value, encoder[key]) for key, value in stylizer.encoder.state_dict().items())


def test_no_photo_is_trained_on_and_judged_by(tmp_path: Path) -> None:
    """A large folder is split as training splits it; of a small one every third photo is held out."""
    pytest.importorskip("torch")
    from benchmarks.paper.ablation_training import split
    from mvstylizer.training.photos import is_held_out

    for count in (9, 200):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.jpg").touch()
        training, held = split(folder)
        assert not set(training) & set(held) and len(training) + len(held) == count
        if count == 9:
            assert len(held) == 3
        else:
            assert held and all(is_held_out(path.name) for path in held)
            assert not any(is_held_out(path.name) for path in training)


@pytest.mark.slow
def test_the_page_has_all_sections(tiny_release: Path, tmp_path: Path) -> None:
    """One page, four sections, whether networks could be trained or not."""
    context = quick_context(tiny_release, tmp_path)
    report = ablations.measure(replace(context, material=replace(context.material, photos=None)))
    headings = [line for line in report.lines if line.startswith("## ")]
    assert headings == ["## Networks", "## Optical flow", "## Propagation", "## Key frames"]
    assert len(report.summary) == 3 and all(line.ours for line in report.summary)
