"""Makes a release the one that an edge runs: through its admin listener, or for its next start if it is down."""

import asyncio
from pathlib import Path

import aiohttp

from inference import MODEL
from inference.data_dir import DataDir
from inference.model_store import ModelStore
from mvstylizer.errors import EdgeError, OutputError, ReleaseError, UsageError

_TIMEOUT = aiohttp.ClientTimeout(total=600, connect=5)
"""The edge loads and tries a release between the key frames that it is asked for."""
_KEEP = 5


async def publish(edge_data_dir: Path, release_directory: Path) -> bool:
    """Copy a release into the edge's store and run it from now on; True if a running edge swapped it in.

    Raises:
        ReleaseError: the store or the running edge refuses it; the old one runs on.
        UsageError: the store has other content under the version, or another change is going on.
        EdgeError: the edge cannot be asked, or is shutting down.
        OutputError, NoSpaceError: the store cannot be written.
    """
    data = await asyncio.to_thread(DataDir, edge_data_dir)
    store = ModelStore(data.releases)
    version = await asyncio.to_thread(store.publish, release_directory)
    swapped = await _run_from_now_on(data, store, version)
    await asyncio.to_thread(store.prune, _KEEP)
    return swapped


async def _run_from_now_on(data: DataDir, store: ModelStore, version: str) -> bool:
    try:
        lock = data.lock()
    except UsageError:  # held by the edge that runs
        await _load(data.admin_url(), data.admin_token(), version)
        return True
    try:
        await asyncio.to_thread(store.point_at, version)
    finally:
        lock.release()
    return False


async def _load(url: str, token: str, version: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    path = f"{url}/v2/repository/models/{MODEL}/load"
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as http,
            http.post(path, json={"version": version}) as reply,
        ):
            told = await reply.json()
            if reply.status != 200:
                raise _refused(reply.status, str(told["error"]))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        why = str(error) or type(error).__name__
        raise EdgeError(f"{url}: the edge does not answer ({why}); look into its log") from error


def _refused(status: int, why: str) -> ReleaseError | OutputError | EdgeError:
    if status == 422:
        return ReleaseError(why)
    return OutputError(why) if status == 507 else EdgeError(why)
