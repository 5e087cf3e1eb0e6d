"""What a hot swap refuses: the old release stays, and it is said why."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from inference.data_dir import DataDir
from inference.limits import Limits
from inference.model_store import ModelStore
from mvstylizer.release import MANIFEST, MAX_GRAPH_BYTES, STYLE_GRAPH, STYLIZE_GRAPH, sha256
from tests.changed_release import changed_release, constant, renamed_input, together, values_in
from tests.inference.stores import INDEX, LOAD, Admin, administered, published


@pytest.fixture
def data(tmp_path: Path, preset_release: Path) -> DataDir:
    """With the releases ``dark``, which is current, and ``light``."""
    data = DataDir(tmp_path / "edge")
    published(data, preset_release)
    return data


@pytest.fixture
async def admin(data: DataDir) -> AsyncIterator[Admin]:
    async with administered(data) as admin:
        yield admin


@pytest.mark.parametrize("version", ["none", "", "..", "../dark", "/etc/passwd", "light/", "x" * 70, "current"])
async def test_unknown_versions(admin: Admin, version: str) -> None:
    """Are 404, whatever they look like, and nothing else changes."""
    status, told = await admin.load(version)
    assert (status, told["code"]) == (404, "unknown-version")
    assert (admin.edge.stylizer.version, admin.store.current) == ("dark", "dark")
    assert set(await admin.index()) == {"dark", "light"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {"Content-Type": "application/json"}, 400),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b'{"version": "li\xff"}', {"Content-Type": "application/json"}, 400),
        (b"[" * 60_000, {"Content-Type": "application/json"}, 400),
        (b'["version"]', {"Content-Type": "application/json"}, 400),
        (b"{}", {"Content-Type": "application/json"}, 400),
        (b'{"version": 7}', {"Content-Type": "application/json"}, 400),
        (b'{"version": "light", "parameters": {}}', {"Content-Type": "application/json"}, 400),
        (b'{"version": "light"}', {"Content-Type": "text/plain"}, 415),
        (b'{"version": "light"}', {"Content-Type": "application/json", "Content-Encoding": "deflate"}, 415),
        (b'{"version": "' + b"x" * 70_000 + b'"}', {"Content-Type": "application/json"}, 413),
    ],
)
async def test_malformed_requests(admin: Admin, body: bytes, headers: dict[str, str], status: int) -> None:
    """Have the one error shape, and swap nothing."""
    async with admin.http.post(LOAD, data=body, headers=headers) as reply:
        assert reply.status == status
        assert {"error", "code", "request_id"} <= set(await reply.json())
    assert (admin.edge.stylizer.version, admin.swaps()) == ("dark", {})


async def test_there_is_no_unload_and_nothing_for_clients(admin: Admin) -> None:
    """An edge never runs without a release, and only admins change it."""
    async with admin.http.post("/v2/repository/models/stylizer/unload") as reply:
        assert reply.status == 404
    async with aiohttp.ClientSession() as http:
        for base, status in ((admin.url, 404), (admin.data.admin_url(), 401)):
            for path in (INDEX, LOAD):
                async with http.post(base + path, json={"version": "light"}) as reply:
                    assert reply.status == status
    assert admin.edge.stylizer.version == "dark"


def _put(store: ModelStore, made: Path) -> None:
    """Place a release into the store as no ``publish`` would: somebody else wrote it, or it was damaged since."""
    made.rename(store.directory / "bad")


def _truncated(source: Path, to: Path) -> Path:
    path = changed_release(source, to, "bad") / STYLIZE_GRAPH
    path.write_bytes(path.read_bytes()[:-1])
    return to


def _truncated_but_vouched_for(source: Path, to: Path) -> Path:
    data = (changed_release(source, to, "bad") / STYLIZE_GRAPH).read_bytes()[:-40]
    (to / STYLIZE_GRAPH).write_bytes(data)
    manifest = json.loads((to / MANIFEST).read_text())
    manifest["files"][STYLIZE_GRAPH]["sha256"] = sha256(data)
    (to / MANIFEST).write_text(json.dumps(manifest))
    return to


def _wrong_sha(source: Path, to: Path) -> Path:
    manifest = json.loads((changed_release(source, to, "bad") / MANIFEST).read_text())
    manifest["files"][STYLE_GRAPH]["sha256"] = "0" * 64
    (to / MANIFEST).write_text(json.dumps(manifest))
    return to


def _huge(source: Path, to: Path) -> Path:
    with (changed_release(source, to, "bad") / STYLIZE_GRAPH).open("ab") as file:
        file.truncate(8 * MAX_GRAPH_BYTES)
    return to


def _half_written(source: Path, to: Path) -> Path:
    path = changed_release(source, to, "bad") / MANIFEST
    path.write_text(path.read_text()[:60])
    return to


def _unfinished(source: Path, to: Path) -> Path:
    (changed_release(source, to, "bad") / STYLE_GRAPH).unlink()
    return to


def _changed(*changes: Callable[..., object]) -> Callable[[Path, Path], Path]:
    return lambda source, to: changed_release(source, to, "bad", together(*changes))


BAD = {
    "truncated": (_truncated, "damaged"),
    "truncated, with a sha256 to match": (_truncated_but_vouched_for, "no ONNX model"),
    "wrong sha256": (_wrong_sha, "damaged"),
    "huge": (_huge, "larger than 512 MB"),
    "half a manifest": (_half_written, "no readable release"),
    "no style graph": (_unfinished, "no readable release"),
    "wrong input names": (_changed(renamed_input("frame", "picture")), "computes picture"),
    "external data": (_changed(values_in("/etc/hostname")), "another file"),
    "not finite": (_changed(constant("tiny", -10.0)), "not finite"),
    "out of range": (_changed(constant("zero", 2.0), constant("one", 5.0)), "beyond 0..1"),
    "one colour": (_changed(constant("zero", 0.5), constant("one", 0.5)), "one colour"),
    "no network": (_changed(lambda model: setattr(model.graph.node[0], "op_type", "Nothing")), "cannot load"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.failure("F14")
async def test_bad_releases_are_refused(admin: Admin, preset_release: Path, tmp_path: Path, name: str) -> None:
    """F14: 422 with the reason, which the index keeps; the old one runs on, and a good one can be loaded then."""
    make, words = BAD[name]
    _put(admin.store, make(preset_release, tmp_path / "bad"))
    engine = admin.edge.stylizer
    status, told = await admin.load("bad")
    assert (status, told["code"]) == (422, "release-refused")
    assert words in told["error"] and "release dark runs on" in told["error"]
    assert admin.edge.stylizer is engine and admin.store.current == "dark"
    index = await admin.index()
    assert index["bad"][0] == "UNAVAILABLE" and words in index["bad"][1]
    assert index["dark"] == ("READY", "")
    assert (await admin.load("light"))[0] == 200
    assert admin.swaps() == {"failed": 1, "swapped": 1}


async def test_a_release_that_is_too_different_is_refused(data: DataDir) -> None:
    """The bound is a setting; the message tells by how much it is exceeded."""
    async with administered(data, Limits(max_release_difference=0.5)) as admin:
        status, told = await admin.load("light")
        assert status == 422 and "of 255 apart from those of dark, more than 0.5" in told["error"]
        assert admin.edge.stylizer.version == "dark"
