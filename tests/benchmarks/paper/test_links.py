"""Table 5: links from the paper's own times, and that key frames take them."""

import pytest

from benchmarks.paper.table5 import Link, arrivals, fitted_link


def test_a_link_is_read_off_its_times() -> None:
    """Latency and bandwidth come back from times that they made; the fit does not favour the longest time."""
    sizes = [40_000, 80_000, 130_000, 400_000]
    link = fitted_link("x", sizes, [0.02 + size / 1e6 for size in sizes])
    assert link.latency == pytest.approx(0.02) and link.rate == pytest.approx(1e6)
    noisy = fitted_link("x", sizes, [1.1 * (0.02 + size / 1e6) for size in sizes])
    assert noisy.latency == pytest.approx(0.022) and noisy.rate == pytest.approx(1e6 / 1.1)


def test_a_link_has_no_negative_latency() -> None:
    """Where times grow faster than bytes, all of it is bandwidth."""
    link = fitted_link("x", [10_000, 20_000], [0.001, 0.004])
    assert link.latency == 0 and link.rate > 0


async def test_bytes_take_as_long_as_the_link_says() -> None:
    """Never less than latency and bandwidth ask for; more only as far as a busy machine is late."""
    link = Link("slow", 0.05, 500_000)
    seconds = await arrivals(link, {"small": bytes(1_000), "large": bytes(100_000)})
    assert 0.05 <= seconds["small"] < seconds["large"]
    assert seconds["large"] >= 0.05 + 0.2 * 0.9
