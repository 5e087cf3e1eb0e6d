"""One word for several settings, each of which can still be given apart."""

import argparse

import pytest

from mvstylizer.device import DeviceOptions
from mvstylizer.effort import DEFAULT_EFFORT, EFFORTS, apply_effort
from mvstylizer.keyframes import ERROR_BUDGET


def test_the_default_is_what_the_library_does() -> None:
    """Without any option the command line does what ``DeviceOptions`` do."""
    effort, device = EFFORTS[DEFAULT_EFFORT], DeviceOptions()
    assert (effort.crf, effort.preset, effort.quality) == (device.crf, device.preset, device.quality)


def test_more_effort_is_finer() -> None:
    """From draft to best the encoder's quality rises, and key frames come closer together."""
    efforts = list(EFFORTS.values())
    assert list(EFFORTS) == ["draft", "balanced", "best"]
    assert sorted(efforts, key=lambda effort: -effort.crf) == efforts
    assert sorted(efforts, key=lambda effort: -ERROR_BUDGET[effort.quality]) == efforts


@pytest.mark.parametrize("name", EFFORTS)
def test_what_is_given_stays(name: str) -> None:
    """Only settings that nobody has given are filled in."""
    options = argparse.Namespace(effort=name, crf=0, preset=None, quality=None)
    apply_effort(options)
    effort = EFFORTS[name]
    assert (options.crf, options.preset, options.quality) == (0, effort.preset, effort.quality)
