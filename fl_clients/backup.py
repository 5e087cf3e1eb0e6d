"""The cloud's checkpoints as an edge fetches them: newest first, verified, and resumed where a download was cut off."""

import asyncio
import json
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from inference.client.access import Access
from mvstylizer.durable import fsync, output_error
from mvstylizer.errors import EdgeError, InputError
from mvstylizer.training.checkpoint_files import FILES, WEIGHTS, sha256

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=30)
_CHUNK = 2**18
_MAX_JSON = 2**20
_MAX_BYTES = 2 * 2**30
_KEEP = 2


@dataclass(frozen=True)
class BackedUpRound:
    """A round that the cloud keeps: its number, its files' hex SHA-256, and the answer's ETag."""

    round: int
    sha256: Mapping[str, str]
    etag: str | None = None

    @property
    def weights(self) -> str:
        """Digest of the weights, by which rounds of different trainings are told apart."""
        return self.sha256[WEIGHTS]


@dataclass
class Backup:
    """The backup endpoint at ``url``, whose rounds are kept as checkpoints in ``directory``.

    Methods raise EdgeError: the cloud cannot be reached or answers nonsense. UsageError: the token would travel
    unprotected, or the certificates cannot be read.
    """

    url: str
    directory: Path
    token: str | None = field(default=None, repr=False)
    ca: Path | None = None

    async def newest(self, etag: str | None = None) -> BackedUpRound | None:
        """The newest round; None if there is none yet, or if it is still the one that ``etag`` came with."""
        headers = {"If-None-Match": etag} if etag else {}
        async with self._get("/v1/checkpoints/latest", headers) as reply:
            if reply.status in (304, 404):
                return None
            self._check(reply)
            return _read(await reply.content.read(_MAX_JSON), reply.headers.get("ETag"), str(reply.url))

    async def fetch(self, wanted: BackedUpRound) -> Path:
        """The round's checkpoint on this disk, fetched as far as it is not there yet.

        Raises InputError: what came is not what the cloud said; the next call begins that file anew. OutputError or
        NoSpaceError: the directory cannot be written.
        """
        target = self.directory / f"round-{wanted.round:06d}"
        if await asyncio.to_thread(_is_complete, target, wanted):
            return target
        partial = self.directory / f".{target.name}-{wanted.weights[:16]}.part"
        try:
            partial.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                await self._fetch_file(wanted, name, partial / name)
            await asyncio.to_thread(_publish, partial, target)
        except OSError as error:
            raise output_error(target, error) from error
        return target

    async def _fetch_file(self, wanted: BackedUpRound, name: str, path: Path) -> None:
        if await asyncio.to_thread(_matches, path, wanted.sha256[name]):
            return
        have = path.stat().st_size if path.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        async with self._get(f"/v1/checkpoints/{wanted.round}/{name}", headers) as reply:
            if reply.status == 416:  # it has as many bytes already, and they are wrong
                path.unlink()
                raise _damaged(path, self.url)
            self._check(reply)
            await self._store(reply, path, have if reply.status == 206 else 0)
        if not await asyncio.to_thread(_matches, path, wanted.sha256[name]):
            path.unlink()
            raise _damaged(path, self.url)

    async def _store(self, reply: aiohttp.ClientResponse, path: Path, have: int) -> None:
        with path.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            async for chunk in reply.content.iter_chunked(_CHUNK):
                have += len(chunk)
                if have > _MAX_BYTES:
                    raise EdgeError(f"{reply.url}: more than {_MAX_BYTES >> 30} GB; this is no checkpoint of ours")
                file.write(chunk)

    @asynccontextmanager
    async def _get(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        access = Access(self.token, self.ca)
        every = {**access.headers(self.url), **headers}
        context: ssl.SSLContext | bool = access.context(self.url) or True
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}) as session,
                session.get(f"{self.url}{path}", headers=every, ssl=context, allow_redirects=False) as reply,
            ):
                yield reply
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise EdgeError(f"{self.url}: the cloud's backup does not answer ({why}); it is asked again") from error

    def _check(self, reply: aiohttp.ClientResponse) -> None:
        if reply.status in (401, 403):
            raise EdgeError(f"{self.url}: the cloud's backup refuses the token; name the right one with --token-file")
        if reply.status not in (200, 206):
            raise EdgeError(f"{reply.url}: the cloud's backup answers {reply.status}; look into its log")


def keep_newest(directory: Path) -> None:
    """Delete all but the two newest rounds, and what older downloads left unfinished."""
    rounds = sorted(directory.glob("round-*"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    for path in [*rounds[:-_KEEP], *directory.glob(".round-*.part")]:
        shutil.rmtree(path, ignore_errors=True)


def _read(body: bytes, etag: str | None, source: str) -> BackedUpRound:
    try:
        told: dict[str, Any] = json.loads(body)
        digests = {str(name): str(digest) for name, digest in told["sha256"].items()}
        if not all(_DIGEST.fullmatch(digests[name]) for name in FILES):
            raise ValueError("a digest is none")
        number = told["round"]
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError("the round is no number")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EdgeError(f"{source}: no answer of a backup ({error}); check --backup") from error
    return BackedUpRound(number, digests, etag)


def _is_complete(directory: Path, wanted: BackedUpRound) -> bool:
    return all(_matches(directory / name, wanted.sha256[name]) for name in FILES)


def _matches(path: Path, digest: str) -> bool:
    try:
        return sha256(path) == digest
    except OSError:  # what cannot be read cannot be relied on; writing it will tell why
        return False


def _publish(partial: Path, target: Path) -> None:
    for path in (*partial.iterdir(), partial):
        fsync(path)
    if target.exists():  # of another training, or damaged
        shutil.rmtree(target)
    partial.rename(target)
    fsync(target.parent)


def _damaged(path: Path, url: str) -> InputError:
    return InputError(f"{url}: {path.name} came damaged (its sha256 is not what the cloud said); it is fetched again")
