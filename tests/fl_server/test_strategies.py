"""Flower's strategies behind our names, options and checkpoints."""

import numpy as np
import pytest

from fl_server.strategies import (
    STRATEGIES,
    make_strategy,
    option_names,
    packed,
    restore_server_state,
    server_state,
)
from mvstylizer.errors import UsageError
from tests.fl_server.federation import GOOD, MODEL, Federation


@pytest.mark.parametrize("name", STRATEGIES)
def test_going_on_from_a_checkpoint_changes_nothing(name: str) -> None:
    """Two rounds, a restart from what a checkpoint keeps, two more: to the last bit as four rounds at once."""
    at_once = Federation(make_strategy(name, {}), GOOD, MODEL).run(4)
    first = Federation(make_strategy(name, {}), GOOD, MODEL)
    weights = first.run(2)
    state = {key: np.array(value) for key, value in server_state(first.strategy).items()}
    strategy = make_strategy(name, {})
    restore_server_state(strategy, state, packed(weights))
    resumed = Federation(strategy, GOOD, weights, completed=2)
    np.testing.assert_array_equal(resumed.run(2), at_once)
    assert resumed.completed == 4
    assert at_once.dtype == np.float32 and np.isfinite(at_once).all() and not np.array_equal(at_once, MODEL)


@pytest.mark.parametrize(("name", "keys"), [("fedavgm", {"momentum_vector"}), ("fedadam", {"m_t", "v_t"})])
def test_state_matters(name: str, keys: set[str]) -> None:
    """Without its state the same strategy goes another way, so the test above would notice a loss."""
    first = Federation(make_strategy(name, {}), GOOD, MODEL)
    weights = first.run(2)
    assert server_state(first.strategy).keys() == keys
    forgetful = Federation(make_strategy(name, {}), GOOD, weights, completed=2)
    assert not np.array_equal(forgetful.run(2), first.run(2))


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_edge_is_enough(name: str) -> None:
    """Every strategy but Bulyan, which needs three replies by its nature, makes a round of one edge."""
    federation = Federation(make_strategy(name, {}), {"oslo": GOOD["oslo"]}, MODEL)
    if name == "bulyan":
        edges = dict(GOOD)
        federation = Federation(make_strategy(name, {}), edges, MODEL)
    federation.run(1)
    assert federation.completed == 1


def test_fedavg_is_the_mean_weighted_by_examples() -> None:
    """The paper's average: by hand for one round of three edges."""
    halfway = [(MODEL + target) / 2 for target in (0.0, 1.0, 2.0)]
    expected = (4 * halfway[0] + 8 * halfway[1] + 2 * halfway[2]) / 14
    np.testing.assert_allclose(Federation(make_strategy("fedavg", {}), GOOD, MODEL).run(1), expected, rtol=1e-6)


def test_fedprox_tells_edges_its_mu() -> None:
    """The proximal term is the edges' to add, so they must hear of it; from others they hear 0 or nothing."""
    federation = Federation(make_strategy("fedprox", {"proximal_mu": 0.5}), GOOD, MODEL)
    federation.run(1)
    assert {message.content["config"]["proximal-mu"] for message in federation.grid.messages} == {0.5}


def test_options_are_the_strategys_own() -> None:
    """Options reach the strategy, whole numbers as such; what it does not know is refused with what it does."""
    assert getattr(make_strategy("fedadam", {"eta": 0.25, "beta_2": 0.5}), "eta", None) == 0.25
    malicious = getattr(make_strategy("krum", {"num_malicious_nodes": 2.0}), "num_malicious_nodes", None)
    assert malicious == 2 and isinstance(malicious, int)
    assert option_names("fedavg") == {}
    with pytest.raises(UsageError, match="no option eta; it has none"):
        make_strategy("fedavg", {"eta": 1.0})
    with pytest.raises(UsageError, match="server_momentum"):
        make_strategy("fedavgm", {"momentum": 1.0})
    with pytest.raises(UsageError, match="bulyan"):
        make_strategy("fedsgd", {})
    with pytest.raises(UsageError, match="beta"):
        make_strategy("fedtrimmedavg", {"beta": 0.7})


def test_min_edges_are_waited_for() -> None:
    """A round of at least three edges does not begin with two."""
    federation = Federation(make_strategy("fedavg", {}, 3), GOOD, MODEL)
    late = federation.grid.edges.pop("lima")
    looks = []

    def nodes() -> list[object]:
        looks.append(1)
        if len(looks) == 5:
            federation.grid.edges["lima"] = late
        return list(type(federation.grid).get_nodes(federation.grid))

    federation.grid.get_nodes = nodes  # type: ignore[method-assign,assignment]
    federation.guarded._min_edges = 3
    federation.run(1)
    assert len(looks) == 5 and len(federation.guarded.exchange.taking_part) == 3
