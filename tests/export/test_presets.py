"""Presets of a release: from a folder of photos, or taken over from a release with the same style graph."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from export.presets import DESCRIPTIONS, presets_from
from export.release import export_release
from mvstylizer import release as releases
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError, MVStylizerError, ReleaseError
from mvstylizer.network.stylizer import StylizerConfig
from mvstylizer.pictures import read_picture, write_picture
from tests.networks import perturbed_stylizer, save_stylizer
from tests.scenes import texture
from tests.tiny_release import TINY_PRESETS


@pytest.fixture
def release(tiny_release: Path) -> releases.Release:
    return releases.load(tiny_release)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of two presets, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(("autumn.png", "deep-winter-1.jpg", "deep-winter-2.png", "deep-winter-11.webp")):
        write_picture(folder / name, texture(30, 40, seed))
    (folder / "notes.txt").write_text("mine")
    return folder


def refused(source: Path, release: releases.Release, kind: type[MVStylizerError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        presets_from(source, release)
    assert str(source) in str(caught.value) and "\n" not in str(caught.value)


def test_photos_become_presets(folder: Path, release: releases.Release) -> None:
    """One photo gives its code, several of one name the mean of theirs, by the release's own style graph."""
    found = presets_from(folder, release)
    engine = Engine(release, threads=1)
    codes = {path.stem: engine.encode_style(read_picture(path)) for path in folder.iterdir() if path.suffix != ".txt"}
    assert list(found.codes) == ["autumn", "deep-winter"] and set(found.descriptions.values()) == {""}
    np.testing.assert_array_equal(found.codes["autumn"], codes["autumn"])
    mean = np.mean([code for name, code in codes.items() if name != "autumn"], axis=0)
    np.testing.assert_allclose(found.codes["deep-winter"], mean, rtol=1e-5)


def test_presets_may_be_described(folder: Path, release: releases.Release) -> None:
    """``descriptions.json`` says in a line what a preset looks like; what it leaves out has none."""
    (folder / DESCRIPTIONS).write_text(json.dumps({"autumn": "Blätter im Licht"}))
    assert presets_from(folder, release).descriptions == {"autumn": "Blätter im Licht", "deep-winter": ""}


@pytest.mark.parametrize("text", ["{", "[]", '{"autumn": 7}', '{"autumn": "two\\nlines"}', '{"summer": "hot"}', "\xff"])
def test_wrong_descriptions_are_refused(folder: Path, release: releases.Release, text: str) -> None:
    """Descriptions must be one line each, and of presets that there are."""
    (folder / DESCRIPTIONS).write_text(text, encoding="latin-1")
    refused(folder, release, InputError, re.escape(DESCRIPTIONS))


def test_folders_that_hold_no_presets_are_refused(folder: Path, release: releases.Release, tmp_path: Path) -> None:
    """No folder, a file, an empty folder, a name that no preset can have, a damaged photo: each is named."""
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "none", folder / "autumn.png", tmp_path / "empty"):
        refused(source, release, InputError, "folder|presets")
    shutil.copy(folder / "autumn.png", folder / "Not This.png")
    refused(folder, release, InputError, "Not This")
    (folder / "Not This.png").unlink()
    (folder / "autumn.png").write_text("not a picture")
    refused(folder, release, InputError, "not a picture")


def test_a_releases_presets_are_taken_over(release: releases.Release, preset_release: Path) -> None:
    """From a release with the same style graph codes and descriptions come over as they are."""
    found = presets_from(preset_release, release)
    assert found.descriptions == {"cold-light": "Blue as snow", "warm-light": ""}
    for name, code in TINY_PRESETS.items():
        np.testing.assert_array_equal(found.codes[name], code)


def test_codes_of_another_style_graph_are_refused(
    release: releases.Release, preset_release: Path, tiny_release: Path, tmp_path: Path
) -> None:
    """Codes mean something to their own style graph only; a release without presets or damaged is refused too."""
    other = releases.Release("2", release.code_size, release.manifest, {**release.graphs, releases.STYLE_GRAPH: b"x"})
    refused(preset_release, other, ReleaseError, "style.onnx")
    refused(tiny_release, release, ReleaseError, "no presets")
    damaged = tmp_path / "damaged"
    shutil.copytree(preset_release, damaged)
    (damaged / releases.PRESETS).write_bytes(b"garbage")
    refused(damaged, release, ReleaseError, "damaged")


@pytest.mark.slow
def test_presets_are_exported_with_the_graphs(folder: Path, tmp_path: Path) -> None:
    """An exported release has the folder's presets; the next one takes them over; a failure leaves nothing behind."""
    quick = StylizerConfig(decoder="mirrored", colorization="mean", levels=(4,), skips=False)
    saved = save_stylizer(perturbed_stylizer(quick), tmp_path / "checkpoints")
    (folder / DESCRIPTIONS).write_text(json.dumps({"autumn": "leaves"}))
    manifest = export_release(saved, tmp_path / "first", "1", folder)
    first = releases.load(tmp_path / "first")
    assert manifest["files"] == first.manifest["files"] and manifest["presets"] == first.manifest["presets"]
    assert first.descriptions == {"autumn": "leaves", "deep-winter": ""}
    photo = read_picture(folder / "autumn.png")
    np.testing.assert_array_equal(first.presets["autumn"], Engine(first, threads=1).encode_style(photo))
    export_release(saved, tmp_path / "second", "2", tmp_path / "first")
    second = releases.load(tmp_path / "second")
    assert (tmp_path / "second" / releases.PRESETS).read_bytes() == (tmp_path / "first" / releases.PRESETS).read_bytes()
    assert (second.sha256, second.descriptions) == (first.sha256, first.descriptions)
    with pytest.raises(InputError):
        export_release(saved, tmp_path / "third", "3", tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "first", "photos", "second"]
