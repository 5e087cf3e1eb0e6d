"""Releases: what the manifest does not vouch for is not run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvstylizer import release as releases
from mvstylizer.errors import ReleaseError
from mvstylizer.presets import packed
from mvstylizer.release import (
    FORMAT,
    GRAPHS,
    MANIFEST,
    PRESETS,
    STYLE_GRAPH,
    STYLIZE_GRAPH,
    load,
    output_shape,
    sha256,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A release whose graphs are no networks: loading does not look into them."""
    graphs = {STYLE_GRAPH: b"style" * 50, STYLIZE_GRAPH: b"stylize" * 50}
    for name, data in graphs.items():
        (tmp_path / name).write_bytes(data)
    files = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in graphs.items()}
    manifest = {"format": FORMAT, "version": "1.2", "code_size": 7, "files": files}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    return tmp_path


def edit(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    manifest = json.loads((directory / MANIFEST).read_text())
    change(manifest)
    (directory / MANIFEST).write_text(json.dumps(manifest))


def refused(directory: Path, words: str) -> None:
    with pytest.raises(ReleaseError, match=words) as caught:
        load(directory)
    assert str(directory) in str(caught.value) and "\n" not in str(caught.value)


def test_a_whole_release_is_loaded(directory: Path) -> None:
    """Version, code size and the very bytes that were verified."""
    release = load(directory)
    assert (release.version, release.code_size) == ("1.2", 7)
    assert release.graphs == {name: (directory / name).read_bytes() for name in GRAPHS}


def test_the_digest_is_that_of_both_graphs(directory: Path) -> None:
    """Two releases have one digest if and only if both graphs are the same, whatever else the manifest says."""
    first = load(directory).sha256
    digests = {first}
    assert len(first) == 64
    edit(directory, lambda manifest: manifest.update(version="1.3"))
    assert load(directory).sha256 == first
    for name in GRAPHS:
        other = (directory / name).read_bytes() + b"!"
        (directory / name).write_bytes(other)
        digest = sha256(other)

        def vouch(manifest: dict[str, Any], name: str = name, digest: str = digest) -> None:
            manifest["files"][name]["sha256"] = digest

        edit(directory, vouch)
        digests.add(load(directory).sha256)
    assert len(digests) == 3


@pytest.mark.parametrize("name", GRAPHS)
def test_one_flipped_byte_is_noticed(directory: Path, name: str) -> None:
    """A graph that differs in one bit, or is cut short, is damaged."""
    data = bytearray((directory / name).read_bytes())
    data[100] ^= 1
    for damaged in (bytes(data), bytes(data[:99]), b""):
        (directory / name).write_bytes(damaged)
        refused(directory, "damaged")


@pytest.mark.parametrize("name", [*GRAPHS, MANIFEST])
def test_a_missing_file_is_noticed(directory: Path, name: str) -> None:
    """Without one of its three files a directory is no release."""
    (directory / name).unlink()
    refused(directory, "no readable release")


def test_later_formats_are_named(directory: Path) -> None:
    """A release of a later version is not guessed at; the message names both formats."""
    edit(directory, lambda manifest: manifest.update(format=FORMAT + 1))
    refused(directory, f"format {FORMAT + 1}; this version reads {FORMAT}")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b"{}", b'{"format": 1}'])
def test_other_manifests_are_refused(directory: Path, text: bytes) -> None:
    """Whatever stands in the manifest's place, the answer is a ReleaseError."""
    (directory / MANIFEST).write_bytes(text)
    refused(directory, "no readable release")


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("version"),
        lambda manifest: manifest.update(code_size="many"),
        lambda manifest: manifest.update(code_size=None),
        lambda manifest: manifest.update(files=[]),
        lambda manifest: manifest["files"].pop(STYLE_GRAPH),
        lambda manifest: manifest["files"].update({STYLE_GRAPH: "sha256"}),
        lambda manifest: manifest["files"][STYLE_GRAPH].update(sha256=None),
    ],
)
def test_incomplete_manifests_are_refused(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Each entry that running needs must be there and of its kind."""
    edit(directory, change)
    refused(directory, "no readable release|damaged")


def test_no_directory_is_no_release(tmp_path: Path) -> None:
    """A path that does not exist, or is a file, is said to hold no release."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file"):
        refused(path, "no readable release")


def test_graphs_of_absurd_size_are_not_read(directory: Path) -> None:
    """A graph beyond the limit is refused by its size alone."""
    with (directory / STYLE_GRAPH).open("ab") as file:
        file.truncate(releases.MAX_GRAPH_BYTES + 1)
    refused(directory, "larger than 512 MB")


def add_presets(directory: Path, data: bytes) -> None:
    """Put this file of presets into the release, vouched for by the manifest."""
    (directory / PRESETS).write_bytes(data)
    edit(directory, lambda manifest: manifest["files"].update({PRESETS: {"sha256": sha256(data)}}))
    edit(directory, lambda manifest: manifest.update(presets={"winter": {"description": "cold"}}))


WINTER = {"winter": np.arange(7, dtype=np.float32)}


def test_presets_belong_to_the_release(directory: Path) -> None:
    """A release without presets has none; one with them has codes and descriptions, and its digest stays."""
    bare = load(directory)
    assert (dict(bare.presets), dict(bare.descriptions)) == ({}, {})
    add_presets(directory, packed(WINTER))
    release = load(directory)
    np.testing.assert_array_equal(release.presets["winter"], WINTER["winter"])
    assert release.descriptions == {"winter": "cold"}
    assert release.sha256 == bare.sha256


@pytest.mark.parametrize("damage", ["flipped", "missing", "no codes", "too short"])
def test_damaged_presets_are_refused(directory: Path, damage: str) -> None:
    """Presets that the manifest names are checked like the graphs, and must fit the release's codes."""
    add_presets(directory, packed(WINTER))
    path = directory / PRESETS
    if damage == "flipped":
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "missing":
        path.unlink()
    else:
        add_presets(directory, b"no codes" if damage == "no codes" else packed({"winter": np.zeros(6, np.float32)}))
    refused(directory, "presets.npz|no readable release")


@pytest.mark.parametrize("told", [None, [], {}, {"winter": "cold"}, {"winter": {}}])
def test_presets_the_manifest_does_not_describe_are_refused(directory: Path, told: object) -> None:
    """Where the manifest's words and the codes do not belong together the release is no readable one."""
    add_presets(directory, packed(WINTER))
    edit(directory, lambda manifest: manifest.update(presets=told))
    refused(directory, "no readable release")


def test_sizes_are_rounded_half_to_even() -> None:
    """round(r·size) in single precision, at least one pixel."""
    assert output_shape(5, 7, 0.5) == (2, 4)
    assert output_shape(100, 33, 1.0) == (100, 33)
    assert output_shape(3, 1, 0.01) == (1, 1)
    for size in range(1, 400):
        single = np.float32(size) * np.float32(1.7)
        assert output_shape(size, size, 1.7)[0] == round(float(single))


def test_the_bundled_release_is_whole() -> None:
    """The release that ships with the package loads, and its manifest says that it agrees with torch."""
    if not releases.bundled().exists():
        pytest.skip(f"no bundled release yet in {releases.bundled()}")
    release = load(releases.bundled())
    parity = release.manifest["parity"]
    assert parity["max_abs_difference"] <= parity["tolerance"] <= 1e-3
    assert sorted(path.name for path in releases.bundled().iterdir()) == sorted(
        ["README.md", MANIFEST, PRESETS, *GRAPHS]
    )
    assert sum(len(data) for data in release.graphs.values()) < 20_000_000
    assert len(release.presets) >= 8 and all(release.descriptions[name] for name in release.presets)
