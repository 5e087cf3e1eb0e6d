"""The cost benchmark: that it times what it says, not how long that takes."""

import time
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.cost import AIM, LARGEST_RELEASE, MUST, Time, Way, measure, missed, ratios, table, ways
from mvstylizer import release as releases
from tests.networks import Exported


def test_works_take_turns_and_waiting_is_no_cost() -> None:
    """Each work runs once for warming and once a turn, in turns; who sleeps takes time but no processor."""
    seen = []

    def sleep() -> None:
        seen.append("sleep")
        time.sleep(0.05)

    def work() -> None:
        seen.append("work")
        began = time.process_time()
        while time.process_time() - began < 0.05:
            pass

    times = measure({("sleep", ""): sleep, ("work", ""): work}, 3)
    assert seen == ["sleep", "work"] * 4
    assert times["sleep", ""].cpu < 0.5 * times["sleep", ""].wall
    assert times["work", ""].cpu > 0.9 * 50 and times["work", ""].cpu > times["sleep", ""].cpu


def test_a_runtime_is_compared_with_itself() -> None:
    """A ratio for each runtime, of CPU time."""
    times = {
        ("ours", "a"): Time(10, 0), ("paper", "a"): Time(40, 0), ("ours", "b"): Time(30, 0), ("paper", "b"): Time(60, 0)
    }  # fmt: skip
    assert ratios(times) == {"a": 0.25, "b": 0.5}


def test_what_misses_the_musts_is_said() -> None:
    """At the limits nothing, beyond them one line each."""
    assert not missed({"a": MUST, "b": AIM}, LARGEST_RELEASE)
    assert len(missed({"a": MUST + 0.01, "b": AIM}, LARGEST_RELEASE + 1)) == 2


def test_the_table_has_a_line_for_each_network_and_runtime() -> None:
    """Times, parameters, and the sizes of files where the runtime has files."""
    graphs = {releases.STYLIZE_GRAPH: bytes(2000), releases.STYLE_GRAPH: bytes(1000)}
    found = {
        ("ours", "ONNX Runtime"): Way(int, int, 5000, graphs),
        ("ours", "torch"): Way(int, int, 5000),
    }
    times = {key: Time(12, 34) for key in found}
    lines = list(table(found, times, times))
    assert lines[2] == "| ours | ONNX Runtime | 12 | 34 | 12 | 5,000 | 2,000 | 1,000 |"
    assert lines[3] == "| ours | torch | 12 | 34 | 12 | 5,000 |  |  |"


@pytest.mark.slow
def test_both_runtimes_run_the_same_network(exported: Exported) -> None:
    """The paper's network gives one picture in torch and in ONNX Runtime; ours is the smaller one of the two."""
    shape = (32, 40)
    found = ways(releases.load(exported.directory), shape)
    assert set(found) == {(network, runtime) for network in ("ours", "paper") for runtime in ("ONNX Runtime", "torch")}
    pictures = {key: np.asarray(cast(Any, way.stylize())).reshape(3, *shape) for key, way in found.items()}
    np.testing.assert_allclose(pictures["paper", "torch"], pictures["paper", "ONNX Runtime"], atol=1e-3)
    assert pictures["paper", "torch"].std() > 0
    codes = {key: np.asarray(cast(Any, way.encode_style())).ravel() for key, way in found.items()}
    np.testing.assert_allclose(codes["paper", "torch"], codes["paper", "ONNX Runtime"], rtol=1e-3, atol=1e-4)
    for runtime in ("ONNX Runtime", "torch"):
        assert found["ours", runtime].parameters < 0.1 * found["paper", runtime].parameters
    assert found["paper", "torch"].parameters == found["paper", "ONNX Runtime"].parameters
