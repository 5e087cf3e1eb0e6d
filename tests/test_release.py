"""Releases: what the manifest does not vouch for is not run."""

import json
import os
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
from tests.changed_release import changed_release, padded, renamed_input, values_in
from tests.tiny_release import CODE_SIZE, write_tiny_release


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A release of version 1.2, to be damaged."""
    directory = write_tiny_release(tmp_path / "release")
    edit(directory, lambda manifest: manifest.update(version="1.2"))
    return directory


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
    assert (release.version, release.code_size) == ("1.2", CODE_SIZE)
    assert release.graphs == {name: (directory / name).read_bytes() for name in GRAPHS}


def test_the_digest_is_that_of_both_graphs(directory: Path) -> None:
    """Two releases have one digest if and only if both graphs are the same, whatever else the manifest says."""
    first = load(directory).sha256
    digests = {first}
    assert len(first) == 64
    edit(directory, lambda manifest: manifest.update(version="1.3"))
    assert load(directory).sha256 == first
    for name in GRAPHS:
        other = (directory / name).read_bytes() + b"\x32\x01!"  # a doc_string
        (directory / name).write_bytes(other)
        digest = sha256(other)

        def vouch(manifest: dict[str, Any], name: str = name, digest: str = digest) -> None:
            manifest["files"][name]["sha256"] = digest

        edit(directory, vouch)
        digests.add(load(directory).sha256)
    assert len(digests) == 3


def test_style_codes_belong_to_the_style_graph(directory: Path, tmp_path: Path) -> None:
    """Releases that differ in the other graph only share their encoder's digest, else they do not."""
    encoder = load(directory).encoder_sha256
    for graph, same in ((STYLIZE_GRAPH, True), (STYLE_GRAPH, False)):
        other = load(changed_release(directory, tmp_path / graph, "1.3", padded(1), graph))
        assert other.sha256 != load(directory).sha256
        assert (other.encoder_sha256 == encoder) is same


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


def test_only_files_are_read(directory: Path) -> None:
    """A pipe in a graph's place is refused; nobody waits for what will never come."""
    (directory / STYLE_GRAPH).unlink()
    os.mkfifo(directory / STYLE_GRAPH)
    refused(directory, "is no file")


def test_a_manifest_of_absurd_size_is_not_read(directory: Path) -> None:
    """Nor parsed."""
    with (directory / MANIFEST).open("ab") as file:
        file.truncate(releases.MAX_MANIFEST_BYTES + 1)
    refused(directory, "larger than 1 MB")


@pytest.mark.parametrize(
    "version", ["", ".", "..", "../up", "a/b", ".hidden", "a b", "a\nb", "1\r\nX: y", "ä", "x" * 65]
)
def test_versions_can_be_names_and_headers(directory: Path, version: str) -> None:
    """A version that could lead elsewhere, or break a header, is refused."""
    edit(directory, lambda manifest: manifest.update(version=version))
    refused(directory, "version")


@pytest.mark.parametrize("graph", GRAPHS)
def test_values_in_another_file_are_refused(directory: Path, tmp_path: Path, graph: str) -> None:
    """A graph that would read another file of this machine is never given to ONNX Runtime."""
    change = values_in("/etc/hostname", "plane_axes" if graph == STYLE_GRAPH else "zero")
    refused(changed_release(directory, tmp_path / "bad", "1.3", change, graph), "another file")


@pytest.mark.parametrize("old", ["frame", "code", "r"])
def test_other_inputs_are_refused(directory: Path, tmp_path: Path, old: str) -> None:
    """The message tells what a release's graph computes from what."""
    wrong = changed_release(directory, tmp_path / "bad", "1.3", renamed_input(old, "picture"))
    refused(wrong, r"picture.*code, frame, r → stylized")


@pytest.mark.parametrize("code_size", [CODE_SIZE - 1, CODE_SIZE + 1, 0, 364])
def test_the_size_of_a_style_code_is_that_of_the_graphs(directory: Path, code_size: int) -> None:
    """A manifest that says another one is refused before anything runs."""
    edit(directory, lambda manifest: manifest.update(code_size=code_size))
    refused(directory, rf"style codes of \(1, {CODE_SIZE}\).*\(1, {code_size}\)")


def add_presets(directory: Path, data: bytes) -> None:
    """Put this file of presets into the release, vouched for by the manifest."""
    (directory / PRESETS).write_bytes(data)
    edit(directory, lambda manifest: manifest["files"].update({PRESETS: {"sha256": sha256(data)}}))
    edit(directory, lambda manifest: manifest.update(presets={"winter": {"description": "cold"}}))


WINTER = {"winter": np.arange(CODE_SIZE, dtype=np.float32)}


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
        add_presets(directory, b"no codes" if damage == "no codes" else packed({"winter": np.zeros(5, np.float32)}))
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
