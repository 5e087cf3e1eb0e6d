"""What ``mvstylizer releases`` does: changes an edge's store, and waits until the edge that runs on it has followed."""

import argparse
import asyncio
from collections.abc import Callable

import aiohttp

from inference import MODEL
from inference.data_dir import DataDir
from inference.model_store import ModelStore
from mvstylizer.errors import EdgeError, MVStylizerError, ReleaseError, UsageError

_CONNECT_SECONDS = 5.0
_SECONDS = 600.0
"""For the edge to load and try a release; it may be busy with key frames meanwhile."""
_ERRORS: dict[int, type[MVStylizerError]] = {404: UsageError, 409: UsageError, 422: ReleaseError}


def run_releases(options: argparse.Namespace) -> None:
    """Carry out ``options.action`` on ``options.data_dir``.

    Raises:
        UsageError: there is no such version, or none to go back to, or another change is going on.
        ReleaseError: the release is damaged, or the running edge refuses it; the old one runs on.
        EdgeError: the edge that runs cannot be asked.
        OutputError, NoSpaceError: the store cannot be written.
    """
    actions: dict[str, Callable[[argparse.Namespace, DataDir, ModelStore], None]] = {
        "list": _list, "publish": _publish, "load": _load, "rollback": _rollback,
    }  # fmt: skip
    if options.action != "publish" and not options.data_dir.is_dir():
        raise UsageError(f"{options.data_dir}: no such directory; name the --data-dir of an edge")
    data = DataDir(options.data_dir)
    actions[options.action](options, data, ModelStore(data.releases))


def _list(options: argparse.Namespace, data: DataDir, store: ModelStore) -> None:
    marks = {store.previous: "previous", store.current: "current"}
    found = store.versions()
    width = max((len(each.version) for each in found), default=0)
    for each in found:
        notes = [marks.get(each.version, ""), each.reason and f"cannot run: {each.reason}"]
        print(f"{each.version:{width}}  {'; '.join(note for note in notes if note)}".rstrip())
    if not found:
        print(f"{data.path}: no releases yet; an edge that starts on it gets the bundled one")


def _publish(options: argparse.Namespace, data: DataDir, store: ModelStore) -> None:
    version = store.publish(options.directory)
    _run_from_now_on(data, store, version)
    if options.keep is not None:
        for deleted in store.prune(options.keep):
            print(f"release {deleted} is deleted")


def _load(options: argparse.Namespace, data: DataDir, store: ModelStore) -> None:
    _run_from_now_on(data, store, options.version)


def _rollback(options: argparse.Namespace, data: DataDir, store: ModelStore) -> None:
    version = store.previous
    if version is None:
        raise UsageError(f"{data.path}: no release ran before {store.current}; name one with: mvstylizer releases load")
    _run_from_now_on(data, store, version)


def _run_from_now_on(data: DataDir, store: ModelStore, version: str) -> None:
    try:
        lock = data.lock()
    except UsageError:  # held by the edge that runs
        swapped = asyncio.run(_ask(data.admin_url(), data.admin_token(), version))
        print(f"release {version} {'runs' if swapped else 'ran already'} on {data.path}")
        return
    try:
        store.point_at(version)
    finally:
        lock.release()
    print(f"release {version} is set; no edge runs on {data.path}, the next one that starts will run it")


async def _ask(url: str, token: str, version: str) -> bool:
    """Tell the edge; whether it did not run the version before."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS, connect=_CONNECT_SECONDS)
    headers = {"Authorization": f"Bearer {token}"}
    path = f"{url}/v2/repository/models/{MODEL}/load"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
            http.post(path, json={"version": version}) as reply,
        ):
            told = await reply.json()
            if reply.status == 200:
                return bool(told["swapped"])
            raise _ERRORS.get(reply.status, EdgeError)(str(told["error"]))
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
        raise EdgeError(
            f"{url}: the edge does not answer ({error or type(error).__name__}); look into its log"
        ) from error
