"""What stands before the strategy: bad replies are found, counted and named, and rounds are as if they had not come."""

import logging
import time
from collections.abc import Mapping

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Error, Message, MetricRecord, RecordDict

from fl_server.guard import BUSY, NO_DATA
from fl_server.local_grid import LocalGrid
from fl_server.strategies import make_strategy
from tests.fl_server.federation import GOOD, MODEL, Answer, Federation, drawn_to
from tests.fl_server.tiny_client import reply, weights_of


def _with_weights(change: float) -> Answer:
    def train(message: Message, context: Context) -> Message:
        weights = weights_of(message).copy()
        weights[1] = change
        return reply(message, weights, 4)

    return train


def _with_content(**records: ArrayRecord | MetricRecord | None) -> Answer:
    """A good reply with some of its records replaced or left out."""

    def train(message: Message, context: Context) -> Message:
        answer = reply(message, weights_of(message), 4)
        for name, record in records.items():
            if record is None:
                del answer.content[name]
            else:
                answer.content[name] = record
        return answer

    return train


def _with_metrics(metrics: Mapping[str, float] | None = None, drop: str = "") -> Answer:
    def train(message: Message, context: Context) -> Message:
        answer = reply(message, weights_of(message), 4, **(metrics or {}))
        record = answer.content["metrics"]
        if drop and isinstance(record, MetricRecord):
            del record[drop]
        return answer

    return train


def _array(values: object) -> ArrayRecord:
    return ArrayRecord({"weights": Array(np.asarray(values))})


def _huge(message: Message, context: Context) -> Message:
    return reply(message, weights_of(message) * np.float32(1e9), 4)


def _raises(message: Message, context: Context) -> Message:
    raise RuntimeError("no memory")


def _with_error(code: int, reason: str) -> Answer:
    return lambda message, context: Message(Error(code, reason), reply_to=message)


POISONS: dict[str, tuple[Answer, str]] = {
    "nan": (_with_weights(np.nan), "not-finite"),
    "infinity": (_with_weights(-np.inf), "not-finite"),
    "huge update": (_huge, "norm"),
    "longer": (_with_content(arrays=_array(np.zeros(5, np.float32))), "shape"),
    "other shape": (_with_content(arrays=_array(np.zeros((4, 1), np.float32))), "shape"),
    "double": (_with_content(arrays=_array(np.zeros(4))), "shape"),
    "half": (_with_content(arrays=_array(np.zeros(4, np.float16))), "shape"),
    "garbage": (_with_content(arrays=ArrayRecord({"weights": Array("float32", (4,), "numpy.ndarray", b"x")})), "shape"),
    "two arrays": (_with_content(arrays=ArrayRecord({k: Array(MODEL) for k in ("weights", "more")})), "keys"),
    "no arrays": (_with_content(arrays=None), "keys"),
    "no metrics": (_with_content(metrics=None), "keys"),
    "one metric more": (_with_metrics({"photos": 1.0}), "keys"),
    "one metric less": (_with_metrics(drop="style"), "keys"),
    "loss is nan": (_with_metrics({"loss-after": np.nan}), "not-finite"),
    "no examples": (_with_metrics({"num-examples": 0}), "examples"),
    "negative examples": (_with_metrics({"num-examples": -4}), "examples"),
    "half an example": (_with_metrics({"num-examples": 0.5}), "examples"),
    "too many examples": (_with_metrics({"num-examples": 10**9}), "examples"),
    "stale": (_with_metrics({"round": 0}), "stale"),
    "busy": (_with_error(BUSY, "busy: 3 key frames wait"), "busy"),
    "no data": (_with_error(NO_DATA, "no data: 2 frames"), "no-data"),
    "dies": (_raises, "crashed"),
}


def _as_without(strategy: str) -> Federation:
    return Federation(make_strategy(strategy, {}), GOOD, MODEL)


@pytest.mark.parametrize("strategy", ["fedavg", "fedavgm", "fedadam", "fedmedian", "fedtrimmedavg", "krum"])
@pytest.mark.parametrize("name", POISONS)
def test_a_round_is_as_if_the_bad_reply_had_not_come(strategy: str, name: str) -> None:
    """F22: whatever one edge sends, two rounds give to the last bit what they give without that edge; it is counted."""
    poison, kind = POISONS[name]
    clean, dirty = _as_without(strategy), Federation(make_strategy(strategy, {}), {**GOOD, "evil": poison}, MODEL)
    np.testing.assert_array_equal(dirty.run(2), clean.run(2))
    assert dirty.completed == 2
    exchange = dirty.guarded.exchange
    assert dict(exchange.counts) == {kind: 1}
    assert [(each.name, each.node) for each in exchange.rejections] == [("evil", 4)]
    assert sorted(exchange.taking_part.values()) == ["lima", "oslo", "rome"]


def test_the_log_names_who_it_was(caplog: pytest.LogCaptureFixture) -> None:
    """One line per refused update, with the edge's name, its node and the reason."""
    with caplog.at_level(logging.INFO, "fl_server"):
        Federation(make_strategy("fedavg", {}), {**GOOD, "evil": _with_weights(np.nan)}, MODEL).run(1)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1 and "evil" in told[0] and "node 4" in told[0] and "NaN" in told[0]


def test_errors_of_flower_are_put_down_to_the_right_node() -> None:
    """Flower lets the SuperLink itself send 'Node Unavailable'; the message that it answers tells whose it is."""

    def unavailable(message: Message, context: Context) -> Message:
        answer = Message(Error(5, "Node Unavailable"), reply_to=message)
        answer.metadata.__dict__["_src_node_id"] = 1
        return answer

    federation = Federation(make_strategy("fedavg", {}), {**GOOD, "gone": unavailable}, MODEL)
    federation.run(1)
    assert [(each.name, each.node, each.kind) for each in federation.guarded.exchange.rejections] == [
        ("gone", 4, "unavailable")
    ]


@pytest.mark.parametrize("edges", [1, 2])
def test_few_edges_are_compared_with_rounds_before(edges: int) -> None:
    """With one or two replies there is no median to trust: those of earlier rounds stand in for it."""
    names = ["oslo", "rome"][:edges]
    federation = Federation(make_strategy("fedavg", {}), {name: drawn_to(5.0) for name in names}, MODEL)
    before = federation.run(4)
    calls = []

    def turns_bad(message: Message, context: Context) -> Message | None:
        calls.append(message)
        return _huge(message, context) if len(calls) < 3 else drawn_to(5.0)(message, context)

    federation.grid.edges["oslo"] = turns_bad
    after = federation.run(1)
    assert np.linalg.norm(after - before) < 1
    assert federation.guarded.exchange.counts["norm"] == (2 if edges == 1 else 1)


def test_edges_that_do_not_move_keep_nobody_out() -> None:
    """Where most updates are zero the median says nothing about the others."""
    edges = {"a": _with_metrics(), "b": _with_metrics(), "c": drawn_to(1.0)}
    federation = Federation(make_strategy("fedavg", {}), edges, MODEL)
    federation.run(1)
    assert not federation.guarded.exchange.counts


def test_a_round_in_which_nobody_gives_anything_is_repeated() -> None:
    """Three times all are busy: the round is not counted, and the model is what one round makes of it."""
    calls: list[Message] = []

    def busy_at_first(message: Message, context: Context) -> Message | None:
        calls.append(message)
        if len(calls) <= 3:
            return Message(Error(BUSY, "busy: queue"), reply_to=message)
        return drawn_to(0.0)(message, context)

    federation = Federation(make_strategy("fedavg", {}), {"oslo": busy_at_first}, MODEL)
    np.testing.assert_array_equal(federation.run(1), MODEL / 2)
    assert federation.completed == 1
    assert federation.guarded.exchange.attempts == 4 and federation.guarded.exchange.counts["busy"] == 3
    assert {str(message.content["config"]["round"]) for message in calls if message.content["config"]} == {"1"}


def test_who_has_not_answered_is_left_alone_for_a_while() -> None:
    """An edge that is silent for a round gets no second message while it may still work on the first."""
    asked: list[Message] = []

    def silent(message: Message, context: Context) -> None:
        asked.append(message)

    federation = Federation(make_strategy("fedavg", {}), {**GOOD, "slow": silent}, MODEL)
    federation.run(3)
    assert len(asked) == 1
    assert federation.completed == 3


def test_messages_live_no_longer_than_their_round() -> None:
    """What an edge could only answer too late it does not even begin."""
    federation = Federation(make_strategy("fedavg", {}), GOOD, MODEL)
    federation.run(1)
    assert {message.metadata.ttl for message in federation.grid.messages} == {900.0}


def test_waiting_for_edges_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Flower's own waiting logs a line a second; here a hundred looks make one."""
    looks = []

    class Lonely(LocalGrid):
        def get_nodes(self) -> list[object]:  # type: ignore[override]
            looks.append(time.monotonic())
            return [] if len(looks) < 100 else list(super().get_nodes())

    federation = Federation(make_strategy("fedavg", {}), GOOD, MODEL)
    federation.guarded._grid = Lonely(GOOD)
    with caplog.at_level(logging.INFO):
        federation.run(1)
    assert len(looks) == 100
    assert [record.getMessage() for record in caplog.records if "waiting" in record.getMessage().lower()] == [
        "waiting for edges: 0 of 1 there"
    ]


def test_replies_that_answer_nothing_of_this_round_are_dropped() -> None:
    """A late reply of an earlier round, or one sent twice, has no effect."""

    class Echoing(LocalGrid):
        def send_and_receive(self, messages: object, *, timeout: float | None = None) -> list[Message]:
            late = list(self.replies)
            replies = super().send_and_receive(messages, timeout=timeout)  # type: ignore[arg-type]
            return [*late, *replies, *replies]

    clean = _as_without("fedavg").run(3)
    federation = _as_without("fedavg")
    federation.guarded._grid = Echoing(GOOD)
    np.testing.assert_array_equal(federation.run(3), clean)


def test_frames_stay_at_the_edge() -> None:
    """All that a reply holds is one array of the model's size and seven numbers."""
    federation = _as_without("fedavg")
    federation.run(1)
    for answer in federation.grid.replies:
        content = answer.content
        assert isinstance(content, RecordDict) and set(content) == {"arrays", "metrics"}
        assert [array.shape for record in content.array_records.values() for array in record.values()] == [MODEL.shape]
        assert all(isinstance(value, int | float) for value in content.metric_records["metrics"].values())
