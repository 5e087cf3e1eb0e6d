"""Which frames are key frames, and what is a cut."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.errors import UsageError
from mvstylizer.keyframes import MAX_INTERVAL, Decision, KeyFrameSelector
from tests.scenes import pan, texture

STILL = texture(36, 64)


def decisions(
    selector: KeyFrameSelector, proxies: list[NDArray[np.uint8]], codec_keys: set[int] | None = None
) -> list[Decision]:
    return [selector.decide(proxy, i in (codec_keys or ())) for i, proxy in enumerate(proxies)]


def keys(found: list[Decision]) -> list[int]:
    return [i for i, decision in enumerate(found) if decision.is_key]


def cuts(found: list[Decision]) -> list[int]:
    return [i for i, decision in enumerate(found) if decision.is_cut]


@pytest.mark.parametrize("interval", [1, 2, 7, MAX_INTERVAL])
def test_interval_takes_every_nth(interval: int) -> None:
    """``interval`` n makes frames 0, n, 2n, … key frames, whatever the codec does."""
    found = decisions(KeyFrameSelector("interval", interval), [STILL] * 130, codec_keys={3, 11})
    assert keys(found) == list(range(0, 130, interval))
    assert cuts(found) == []


def test_codec_follows_the_streams_own() -> None:
    """``codec`` takes the stream's I-frames and the first frame, and no others while these come often enough."""
    found = decisions(KeyFrameSelector("codec"), [STILL] * 100, codec_keys={12, 40, 41, 95})
    assert keys(found) == [0, 12, 40, 41, 95]


def test_codec_never_waits_longer_than_the_longest_interval() -> None:
    """A stream with a single I-frame still gets a key frame every MAX_INTERVAL frames."""
    found = decisions(KeyFrameSelector("codec"), [STILL] * 200, codec_keys={0})
    assert keys(found) == [0, MAX_INTERVAL, 2 * MAX_INTERVAL, 3 * MAX_INTERVAL]


@pytest.mark.parametrize("interval", [0, -1, MAX_INTERVAL + 1])
def test_impossible_intervals_are_refused(interval: int) -> None:
    """An interval that cannot be is a UsageError that says what can."""
    with pytest.raises(UsageError, match=f"1 to {MAX_INTERVAL}"):
        KeyFrameSelector("interval", interval)


def test_a_cut_starts_with_a_key_frame() -> None:
    """Between two scenes lies a cut: the second begins with a key frame, from which the interval counts on."""
    frames = pan(8, 36, 64, seed=1) + pan(12, 36, 64, seed=2)
    found = decisions(KeyFrameSelector("interval", 5), frames)
    assert cuts(found) == [8]
    assert keys(found) == [0, 5, 8, 13, 18]


def test_a_cut_between_equally_bright_scenes_is_found() -> None:
    """Scenes that differ in nothing but colour are different scenes."""
    red, cyan = np.full((36, 64, 3), (180, 60, 60), np.uint8), np.full((36, 64, 3), (20, 140, 140), np.uint8)
    assert cuts(decisions(KeyFrameSelector(), [red] * 5 + [cyan] * 5)) == [5]


def test_every_one_of_several_cuts_is_found() -> None:
    """Cuts in quick succession all count."""
    frames = [frame for seed in range(1, 5) for frame in pan(4, 36, 64, seed=seed)]
    assert cuts(decisions(KeyFrameSelector(), frames)) == [4, 8, 12]


@pytest.mark.parametrize("step", [1, 4])
def test_a_pan_is_no_cut(step: int) -> None:
    """A camera that moves, slowly or fast, stays in one scene."""
    world = cv2.GaussianBlur(texture(72, 128 + 40 * step, softness=8), (0, 0), 2)
    frames = [np.ascontiguousarray(world[:, step * i : step * i + 128]) for i in range(40)]
    assert cuts(decisions(KeyFrameSelector(), [np.asarray(frame, np.uint8) for frame in frames])) == []


def test_a_fade_is_no_cut() -> None:
    """A cross-fade between two scenes, even within a third of a second, has no cut in it."""
    before, after = texture(36, 64, 1).astype(np.float32), texture(36, 64, 2).astype(np.float32)
    fade = [(before + (after - before) * share).astype(np.uint8) for share in np.linspace(0, 1, 9)]
    frames = [fade[0]] * 10 + fade + [fade[-1]] * 10
    assert cuts(decisions(KeyFrameSelector(), frames)) == []


def test_fast_motion_is_no_cut() -> None:
    """A large object that crosses the picture within half a second is not taken for a cut."""
    scene = texture(72, 128, softness=6)
    frames = []
    for i in range(30):
        frame = scene.copy()
        x = 12 * (i - 8)
        if -48 < x < 128:
            frame[12:60, max(0, x) : x + 48] = (230, 220, 40)
        frames.append(frame)
    assert cuts(decisions(KeyFrameSelector(), frames)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (5, 5)])
def test_tiny_pictures_can_be_judged(shape: tuple[int, int]) -> None:
    """Proxies smaller than the thumbnail that cuts are looked for in are no problem."""
    dark, bright = np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 200, np.uint8)
    assert cuts(decisions(KeyFrameSelector(), [dark] * 3 + [bright] * 3)) == [3]
