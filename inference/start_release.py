"""Which release an edge with a data directory starts with."""

import logging
from pathlib import Path

from inference.data_dir import DataDir
from inference.model_store import ModelStore
from inference.trial import try_out
from mvstylizer import release as releases
from mvstylizer.engine import Engine
from mvstylizer.errors import ReleaseError, UsageError

log = logging.getLogger(__name__)


def start_engine(data: DataDir, release: Path | None = None, *, threads: int = 0) -> Engine:
    """The engine of the store's current release, tried out.

    A ``release`` that is named is published and becomes current; an empty store gets the bundled one. Where the
    current one is damaged the newest that is whole takes its place, with a warning in the log.

    Raises:
        ReleaseError: the named release, or every one in the store, is damaged or cannot run.
        UsageError: another edge runs on the directory, or the store has other content under the named one's version.
        OutputError, NoSpaceError: the store cannot be read or written.
    """
    store, lock = ModelStore(data.releases), data.lock()
    try:
        if release is not None:
            return _started(store, store.publish(release), threads)
        if not store.names():
            store.publish(releases.bundled())
        return _newest_that_runs(store, data, threads)
    finally:
        lock.release()


def _newest_that_runs(store: ModelStore, data: DataDir, threads: int) -> Engine:
    current, reasons = store.current, list[str]()
    names = store.names()[::-1]
    for version in sorted(names, key=lambda name: name != current):
        try:
            engine = _started(store, version, threads)
        except (ReleaseError, UsageError) as error:
            reasons.append(str(error))
            log.warning("release %s cannot run: %s", version, error)
            continue
        if current is not None and version != current:
            log.warning("release %s runs in place of %s", version, current)
        return engine
    raise ReleaseError(
        f"{store.directory}: no release there can run ({'; '.join(reasons)}); publish one that is whole with: "
        f"mvstylizer releases publish DIR --data-dir {data.path}"
    )


def _started(store: ModelStore, version: str, threads: int) -> Engine:
    engine = Engine(store.load(version), threads=threads)
    try_out(engine)
    store.point_at(version)
    return engine
