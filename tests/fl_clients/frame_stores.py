"""Frame stores with parts of real photographs in the styles of others, and messages as the cloud sends them."""

from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray
from skimage import data

from fl_clients.settings import TrainerSettings
from inference.frame_store import FrameStore, OfferedFrame
from mvstylizer.engine import Engine
from mvstylizer.pictures import encode_jpeg

CONTRIBUTOR = "0" * 32
_SIDE = 96


def photographs() -> list[NDArray[np.uint8]]:
    """Photographs that come with scikit-image, RGB."""
    pictures = (data.astronaut, data.coffee, data.chelsea, data.rocket)
    return [np.asarray(picture(), np.uint8) for picture in pictures]  # type: ignore[no-untyped-call]


def offered(engine: Engine, picture: bytes, code: NDArray[np.float32]) -> OfferedFrame:
    """A frame as a device offers it to an edge that runs the engine's release."""
    return OfferedFrame(picture, _SIDE, _SIDE, code, engine.version, engine.encoder_sha256)


def fill_store(path: Path, engine: Engine, count: int, seed: int = 0) -> None:
    """Add ``count`` frames, about an eighth of which the store holds out."""
    rng = np.random.default_rng(seed)
    photos = photographs()
    codes = [engine.encode_style(photo) for photo in photos]
    store = FrameStore(path, 2**30, 1e9)
    for index in range(count):
        photo = photos[index % len(photos)]
        top, left = (int(rng.integers(side - _SIDE)) for side in photo.shape[:2])
        crop = np.ascontiguousarray(photo[top : top + _SIDE, left : left + _SIDE])
        code = codes[int(rng.integers(len(codes)))]
        store.add(CONTRIBUTOR, offered(engine, encode_jpeg(crop), code))
    store.close()


def add_rows(path: Path, rows: list[OfferedFrame]) -> None:
    """Add frames as they are."""
    store = FrameStore(path, 2**30, 1e9)
    for row in rows:
        store.add(CONTRIBUTOR, row)
    store.close()


def settings_in(folder: Path, **changes: object) -> TrainerSettings:
    """Of a trainer whose edge has its directory in ``folder`` and is not asked."""
    (folder / "trainer").mkdir(exist_ok=True)
    values: dict[str, object] = {
        "frame_store": folder / "frames.sqlite",
        "edge_data_dir": folder / "edge",
        "data_dir": folder / "trainer",
        "edge": "http://127.0.0.1:9",
        "train_without_edge": True,
        "quiet_seconds": 0.0,
        "min_frames": 4,
        "threads": 1,
        **changes,
    }
    return TrainerSettings(**values)  # type: ignore[arg-type]


def context_of(settings: TrainerSettings) -> Context:
    """As Flower makes it of the node config."""
    return Context(1, 2, settings.to_values(), RecordDict(), {})


def train_message(weights: NDArray[np.float32], layout: str, **changes: object) -> Message:
    """What the cloud sends; ``changes`` are to its config, with ``_`` for ``-``."""
    # Flower tells who we are in each of its processes; here nobody does, and messages cannot be made without.
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    config: dict[str, object] = {
        "round": 7, "server-round": 3, "layout": layout, "steps": 3, "batch": 2, "crop": 64, "learning-rate": 1e-3,
        "proximal-mu": 0.0,
    } | {key.replace("_", "-"): value for key, value in changes.items()}  # fmt: skip
    content = RecordDict(
        {"arrays": ArrayRecord({"weights": Array(weights)}), "config": ConfigRecord(config)}  # type: ignore[arg-type]
    )
    return Message(content, dst_node_id=2, message_type="train")
