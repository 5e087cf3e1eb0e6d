"""The ClientApp in process, on frames of real photographs with the bundled release."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from fl_clients import round_log
from fl_clients.app import app
from inference.training_frames import TrainingFrames
from mvstylizer.engine import Engine
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.training.packing import layout, pack
from tests.fl_clients.frame_stores import add_rows, context_of, fill_store, offered, settings_in, train_message

ROOT = Path(__file__).parents[2]
METRICS = {"num-examples", "loss-before", "loss-after", "content", "style", "seconds", "round"}


@pytest.fixture(scope="module")
def message(stylizer: Stylizer) -> Message:
    return train_message(pack(stylizer), layout(stylizer))


@pytest.fixture(scope="module")
def reply(message: Message, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Message, Path]:
    """What an edge with frames answers, and its directory."""
    folder = tmp_path_factory.mktemp("trained")
    fill_store(folder / "frames.sqlite", engine, 40, seed=3)
    return app(message, context_of(settings_in(folder))), folder


def test_it_trains(reply: tuple[Message, Path], stylizer: Stylizer) -> None:
    """An edge with frames sends back changed weights, and how it did on frames that it did not train on."""
    content = reply[0].content
    metrics = content.metric_records["metrics"]
    weights = content.array_records["arrays"]["weights"].numpy()
    before = pack(stylizer)
    assert weights.dtype == np.float32 and weights.shape == before.shape
    assert np.isfinite(weights).all() and not np.array_equal(weights, before)
    assert set(metrics) == METRICS
    assert metrics["num-examples"] == 6 and metrics["round"] == 7
    assert all(isinstance(value, int | float) and math.isfinite(value) for value in metrics.values())
    assert metrics["loss-after"] != metrics["loss-before"]


def test_nothing_but_weights_and_numbers_leaves_an_edge(
    reply: tuple[Message, Path], message: Message, stylizer: Stylizer
) -> None:
    """No picture, style code, path or text is in what is sent."""
    content = reply[0].content
    assert set(content) == {"arrays", "metrics"}
    arrays, metrics = content["arrays"], content["metrics"]
    assert isinstance(arrays, ArrayRecord) and isinstance(metrics, MetricRecord)
    assert set(arrays) == {"weights"}
    sent = arrays["weights"]
    assert sent.dtype == "float32" and sent.shape == (pack(stylizer).size,)
    assert all(type(value) in (int, float) for value in metrics.values())
    # What Flower adds is names and shapes: no room for anything more.
    assert len(sent.data) <= 4 * pack(stylizer).size + 256
    assert reply[0].metadata.reply_to_message_id == message.metadata.message_id


def test_it_remembers_in_the_frame_store(reply: tuple[Message, Path]) -> None:
    """Frames of a round count as used; the held-out ones never do."""
    with TrainingFrames(reply[1] / "frames.sqlite") as store:
        unused, all_of_them = store.available(1), store.available(99)
        held_out = store.available(1, held_out=True)
    assert all_of_them - unused == 6
    assert held_out > 0


def test_it_tells_what_a_round_took(reply: tuple[Message, Path]) -> None:
    """The operator finds the round in the trainer's log, with the seconds of its parts."""
    (entry,) = round_log.read(reply[1] / "trainer")
    assert (entry["result"], entry["round"], entry["skipped"]) == ("trained", 7, 0)
    assert entry["seconds"].keys() == {"gate", "data", "torch", "network", "evaluate", "train"}


def test_same_frames_same_weights(message: Message, frames: Path, tmp_path: Path) -> None:
    """What an edge makes of a round depends on its frames and the round, on nothing else."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "frames.sqlite").write_bytes(frames.read_bytes())
    first, second = (app(message, context_of(settings_in(folder))) for folder in (tmp_path, other))
    one, two = (each.content.array_records["arrays"]["weights"].numpy() for each in (first, second))
    np.testing.assert_array_equal(one, two)


def test_bad_rows_are_skipped(message: Message, engine: Engine, tmp_path: Path) -> None:
    """Frames that cannot be used are counted and not drawn again; the others are trained on."""
    fill_store(tmp_path / "frames.sqlite", engine, 20, seed=3)
    code = engine.encode_style(np.full((64, 64, 3), 128, np.uint8))
    nan = np.full_like(code, np.nan)
    rows = [offered(engine, f"no picture {index}".encode(), code) for index in range(6)]
    add_rows(tmp_path / "frames.sqlite", [*rows, offered(engine, b"nor this", nan)])
    settings = settings_in(tmp_path, held_out=99)
    wide = train_message(*_weights_and_layout(message), steps=14)
    content = app(wide, context_of(settings)).content
    (entry,) = round_log.read(tmp_path / "trainer")
    examples = content.metric_records["metrics"]["num-examples"]
    assert isinstance(examples, int) and 10 < examples <= 20
    assert entry["skipped"] == 7
    with TrainingFrames(tmp_path / "frames.sqlite") as store:
        assert store.available(1) == 0


def _weights_and_layout(message: Message) -> tuple[NDArray[np.float32], str]:
    content = message.content
    return content.array_records["arrays"]["weights"].numpy(), str(content.config_records["config"]["layout"])


def test_too_few_frames(message: Message, frames: Path, tmp_path: Path) -> None:
    """An edge without enough frames stays out of the round and says so."""
    answer = app(message, context_of(settings_in(tmp_path, min_frames=1000)))
    assert answer.error.code == 1002
    assert "unseen frames, 1000 are needed" in (answer.error.reason or "")


def test_frames_seen_too_often(message: Message, frames: Path, tmp_path: Path) -> None:
    """Frames that were used in as many rounds as are allowed count as none."""
    with TrainingFrames(frames) as store:
        rows = store.sample(99, 9, np.random.default_rng())
        store.mark_used([row.id for row in rows])
    answer = app(message, context_of(settings_in(tmp_path, max_uses=1)))
    assert answer.error.code == 1002


def test_no_store_yet(message: Message, tmp_path: Path) -> None:
    """An edge that was never given a frame has no data, which is no failure."""
    answer = app(message, context_of(settings_in(tmp_path)))
    assert answer.error.code == 1002


def test_another_network(message: Message, frames: Path, tmp_path: Path) -> None:
    """Weights of another network are refused; the frames stay unused."""
    weights, _ = _weights_and_layout(message)
    answer = app(train_message(weights, "f" * 64), context_of(settings_in(tmp_path)))
    assert answer.error.code == 1003
    with TrainingFrames(frames) as store:
        assert store.available(1) == store.available(99)


@pytest.mark.parametrize(
    "changes", [{"steps": 0}, {"steps": "many"}, {"learning_rate": math.nan}, {"batch": True}, {"crop": 0}]
)
def test_a_message_beyond_reason(message: Message, frames: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    """What no cloud of this version would ask for is refused with a reason, not an exception."""
    weights, own = _weights_and_layout(message)
    answer = app(train_message(weights, own, **changes), context_of(settings_in(tmp_path)))
    assert answer.error.code == 1004
    assert (answer.error.reason or "").startswith("failed: the cloud")


def test_poisoned_weights(message: Message, frames: Path, tmp_path: Path) -> None:
    """NaN from the cloud is not trained on."""
    weights, own = _weights_and_layout(message)
    answer = app(train_message(np.full_like(weights, np.nan), own), context_of(settings_in(tmp_path)))
    assert answer.error.code == 1004
    assert "NaN" in (answer.error.reason or "")


def test_damaged_store(message: Message, tmp_path: Path) -> None:
    """A damaged frame store keeps this edge out of the round, with the reason."""
    (tmp_path / "frames.sqlite").write_bytes(b"no database" * 1000)
    answer = app(message, context_of(settings_in(tmp_path)))
    assert answer.error.code == 1004
    assert "frames.sqlite" in (answer.error.reason or "")


def test_a_message_without_weights(frames: Path, tmp_path: Path) -> None:
    """A message of another kind is answered, too."""
    train_message(np.zeros(1, np.float32), "")
    empty = Message(RecordDict({"arrays": ArrayRecord({"other": Array(np.zeros(1))})}), 2, "train")
    assert app(empty, context_of(settings_in(tmp_path))).error.code == 1004


@pytest.mark.parametrize(("changes", "code"), [({"train_without_edge": False}, 1001), ({"min_frames": 1000}, 1002)])
def test_refusals_do_not_wait_for_torch(frames: Path, tmp_path: Path, changes: dict[str, object], code: int) -> None:
    """An edge that is busy or has no data answers before torch is imported: each message starts a process."""
    values = settings_in(tmp_path, **changes).to_values()
    script = f"""
import json, sys
from tests.fl_clients import answering
print(json.dumps(answering.answer({json.dumps(json.dumps(values))})))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [code, []]
