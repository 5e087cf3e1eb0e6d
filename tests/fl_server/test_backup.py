"""The backup endpoint: what an edge is restored from."""

import hashlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import torch
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from fl_server.backup import Backup
from fl_server.backup_files import BackupFiles
from inference.errors import one_error_shape
from inference.security import Security
from mvstylizer.training import checkpoint
from mvstylizer.training.checkpoint import Checkpoint

TOKEN = "a-token-of-sufficient-length"
FILES = ("manifest.json", "weights.safetensors", "optimizer.safetensors")


def save(directory: Path, step: int, keep: int = 3) -> Path:
    config = {"federated": {"layout": "abc"}}
    return checkpoint.save(directory, Checkpoint("stylizer", step, config, {"w": torch.full((64,), step)}, {}), keep)


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@asynccontextmanager
async def asking(directory: Path, token: str | None = None) -> AsyncIterator[tuple[ClientSession, BackupFiles]]:
    """A client of a backup, and the backup's files."""
    files = BackupFiles(directory)
    app = web.Application(middlewares=[one_error_shape])
    app.add_routes(Backup(files, Security(token)).routes())
    async with TestServer(app) as server, ClientSession(server.make_url("")) as session:
        yield session, files


async def test_a_fresh_edge_gets_all_it_needs(tmp_path: Path) -> None:
    """The newest round's number, layout and digests; its files match them and load as a checkpoint."""
    save(tmp_path / "cloud", 6)
    save(tmp_path / "cloud", 7)
    edge = tmp_path / "edge"
    edge.mkdir()
    async with asking(tmp_path / "cloud") as (session, _):
        async with session.get("/v1/checkpoints/latest") as answer:
            told = await answer.json()
        assert told["round"] == 7 and told["layout"] == "abc" and told["sha256"].keys() == set(FILES)
        for name in FILES:
            async with session.get(f"/v1/checkpoints/7/{name}") as answer:
                data = await answer.read()
            assert answer.status == 200 and hashlib.sha256(data).hexdigest() == told["sha256"][name]
            (edge / name).write_bytes(data)
    assert checkpoint.load(edge).step == 7


async def test_a_download_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """A Range gives the rest of a file."""
    whole = (save(tmp_path, 1) / FILES[1]).read_bytes()
    async with (
        asking(tmp_path) as (session, _),
        session.get(f"/v1/checkpoints/1/{FILES[1]}", headers={"Range": "bytes=100-"}) as answer,
    ):
        assert answer.status == 206 and await answer.read() == whole[100:]


async def test_what_is_known_is_not_sent_again(tmp_path: Path) -> None:
    """The same ETag gets 304 without a body until there is a new round."""
    save(tmp_path, 1)
    async with asking(tmp_path) as (session, _):
        async with session.get("/v1/checkpoints/latest") as answer:
            known = {"If-None-Match": answer.headers["ETag"]}
        async with session.get("/v1/checkpoints/latest", headers=known) as answer:
            assert answer.status == 304 and await answer.read() == b""
        save(tmp_path, 2)
        async with session.get("/v1/checkpoints/latest", headers=known) as answer:
            assert answer.status == 200 and (await answer.json())["round"] == 2


async def test_a_damaged_checkpoint_is_never_given_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The one before it is; the damage is logged and counted once, however often edges ask; once mended it is back."""
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    flip_a_byte(newest / FILES[1])
    async with asking(tmp_path) as (session, files):
        with caplog.at_level(logging.ERROR, "fl_server"):
            for _ in range(3):
                async with session.get("/v1/checkpoints/latest") as answer:
                    assert (await answer.json())["round"] == 1
        assert len(caplog.records) == 1 and files.damaged == 1
        async with session.get(f"/v1/checkpoints/2/{FILES[1]}") as answer:
            assert answer.status == 404
        (newest / FILES[2]).unlink()
        for _ in range(2):
            async with session.get("/v1/checkpoints/latest") as answer:
                assert (await answer.json())["round"] == 1
        assert files.damaged == 2
        save(tmp_path, 2)
        async with session.get("/v1/checkpoints/latest") as answer:
            assert (await answer.json())["round"] == 2


async def test_without_the_token_nothing_is_told(tmp_path: Path) -> None:
    """No token or a wrong one gets 401 for the index and for files; the right one gets them."""
    save(tmp_path, 1)
    async with asking(tmp_path, TOKEN) as (session, _):
        for path in ("latest", f"1/{FILES[1]}"):
            for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}):
                async with session.get(f"/v1/checkpoints/{path}", headers=headers) as answer:
                    assert answer.status == 401
            async with session.get(f"/v1/checkpoints/{path}", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
                assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    ["1/../../secret", "1/..%2f..%2fsecret", "1/secret", "9/manifest.json", "-1/manifest.json", "1/", "x/manifest.json",
     "..%2f..%2fsecret/manifest.json"],
)  # fmt: skip
async def test_nothing_else_can_be_had(tmp_path: Path, path: str) -> None:
    """Other files, other rounds and ways out of the directory are 404."""
    (tmp_path / "secret").write_text("secret")
    save(tmp_path / "cloud", 1)
    async with asking(tmp_path / "cloud") as (session, _), session.get(f"/v1/checkpoints/{path}") as answer:
        assert answer.status == 404 and b"secret" not in (await answer.read()).replace(path.encode(), b"")


async def test_before_the_first_round_there_is_none(tmp_path: Path) -> None:
    """404 with what to do, in the one shape of errors."""
    async with asking(tmp_path) as (session, _), session.get("/v1/checkpoints/latest") as answer:
        assert answer.status == 404 and "first round" in json.loads(await answer.read())["error"]


async def test_it_cannot_be_written(tmp_path: Path) -> None:
    """Any other method is refused."""
    save(tmp_path, 1)
    async with asking(tmp_path) as (session, _):
        for method in ("PUT", "POST", "DELETE"):
            async with session.request(method, f"/v1/checkpoints/1/{FILES[0]}", data=b"x") as answer:
                assert answer.status == 405
    assert checkpoint.load(tmp_path).step == 1
