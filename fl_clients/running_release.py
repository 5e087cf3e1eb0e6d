"""The release that an edge runs, as its trainer finds it on the disk: whether or not the edge is up."""

from pathlib import Path

from inference.model_store import ModelStore, UnknownVersionError
from mvstylizer import release as releases
from mvstylizer.errors import ReleaseError
from mvstylizer.release import Release


def running_release_directory(edge_data_dir: Path) -> Path:
    """Of the model store's current release; of the bundled one if there is none, or if it is damaged."""
    store = ModelStore(edge_data_dir / "releases")
    if store.current is not None:
        try:
            store.load(store.current)
            return store.directory / store.current
        except (ReleaseError, UnknownVersionError):
            pass
    return releases.bundled()


def running_release(edge_data_dir: Path) -> Release:
    """The release in ``running_release_directory``; raises ReleaseError if even the bundled one is damaged."""
    return releases.load(running_release_directory(edge_data_dir))
