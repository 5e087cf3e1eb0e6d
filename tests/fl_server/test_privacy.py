"""Differential privacy: Flower's noise in the right measure, and an ε that is a true bound."""

import math

import numpy as np
import pytest
from flwr.app import Error, Message

from fl_server.guard import BUSY
from fl_server.privacy import epsilon, privacy_spent, with_privacy
from fl_server.strategies import STRATEGIES, make_strategy
from mvstylizer.errors import UsageError
from tests.fl_server.federation import GOOD, Answer, Federation, drawn_to


def test_epsilon_is_the_renyi_bound_at_its_best_order() -> None:
    """The closed form is the smallest of the bounds of all orders, α ρ + ln(1/δ) / (α - 1)."""
    noise, rounds, delta = 1.3, 20, 1e-5
    rho = rounds / (2 * noise**2)
    orders = np.linspace(1.01, 50, 200_000)
    assert epsilon({noise: rounds}, delta) == pytest.approx(
        (orders * rho + math.log(1 / delta) / (orders - 1)).min(), rel=1e-6
    )


def test_epsilon_grows_with_rounds_and_falls_with_noise() -> None:
    """No round is free, more noise protects more, none does not at all; campaigns add up."""
    assert epsilon({}, 1e-5) == 0.0
    assert epsilon({1.0: 1}, 1e-5) < epsilon({1.0: 2}, 1e-5) < epsilon({0.5: 2}, 1e-5)
    assert epsilon({0.0: 1}, 1e-5) == math.inf
    assert epsilon({1.0: 3, 2.0: 4}, 1e-5) == pytest.approx(epsilon({1.0: 4}, 1e-5))


def test_a_manifest_promises_nothing_for_rounds_without_noise() -> None:
    """Without noise nothing is said; where some rounds had none, ε is None and not a number."""
    assert privacy_spent({"0": 5}, 1e-5, 1.0) == {}
    assert privacy_spent({"0": 1, "1": 5}, 1e-5, 1.0)["privacy"]["epsilon"] is None
    assert privacy_spent({"1": 5}, 1e-5, 2.0)["privacy"]["clip"] == 2.0


@pytest.mark.parametrize("edges", [1, 4])
def test_noise_is_that_of_the_replies_that_came(edges: int) -> None:
    """Standard deviation noise · clip / replies, whatever the examples, though one edge is always busy."""
    model = np.zeros(20_000, np.float32)
    good: dict[str, Answer] = {f"edge-{i}": drawn_to(0.0, 1 + i) for i in range(edges)}

    def busy(message: Message, context: object) -> Message:
        return Message(Error(BUSY, "busy"), reply_to=message)

    federation = Federation(make_strategy("fedavg", {}), {**good, "busy": busy}, model, noise=2.0)
    assert float(federation.run(1).std()) == pytest.approx(2.0 / edges, rel=0.03)


def test_no_edge_moves_the_model_by_more_than_the_clip() -> None:
    """An update of length 20 counts as one of length 1, and 99 times the examples give no greater share."""
    model = np.zeros(400, np.float32)
    edges: dict[str, Answer] = {"loud": drawn_to(2.0, 99), "quiet": drawn_to(0.0, 1)}
    moved = Federation(make_strategy("fedavg", {}), edges, model, noise=1e-6).run(1)
    assert float(np.linalg.norm(moved)) == pytest.approx(1 / len(edges), rel=1e-3)


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"fedavg", "fedprox"}))
def test_strategies_that_remember_updates_are_refused(name: str) -> None:
    """What they carry on had no noise, so the promise would be false."""
    with pytest.raises(UsageError, match="fedavg or fedprox"):
        with_privacy(make_strategy(name, {}), 1.0, 1.0)


def test_values_out_of_range_are_refused() -> None:
    """A clip of 0 would keep every update out."""
    with pytest.raises(UsageError, match="clip"):
        with_privacy(make_strategy("fedavg", {}), 1.0, 0.0)


def test_good_edges_are_there() -> None:
    """Rounds with noise are counted as all others are."""
    federation = Federation(make_strategy("fedavg", {}), GOOD, np.zeros(4, np.float32), noise=0.1)
    federation.run(3)
    assert federation.completed == 3
