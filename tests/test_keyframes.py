"""Which frames are key frames, and what is a cut."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice, permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.device import DeviceOptions, stylize_video
from mvstylizer.errors import UsageError
from mvstylizer.keyframes import (
    DEFAULT_MAX_INTERVAL,
    MAX_INTERVAL,
    WARM_UP_FRAMES,
    CutDetector,
    Decision,
    KeyFrameSelector,
    QualityName,
    SelectorName,
)
from mvstylizer.styles import Style
from mvstylizer.video import Encoding, VideoReader, VideoWriter
from mvstylizer.video.frame import Planes
from tests.scenes import cropped, pan, texture, write_scene

CLIPS = Path(__file__).resolve().parents[2] / "shared" / "data" / "eval" / "clips"
SIZE = 256, 144
STILL = texture(36, 64)

Scene = list[NDArray[np.uint8]]


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
    found = decisions(KeyFrameSelector("codec"), [STILL] * 100, codec_keys={12, 40, 41, 80})
    assert keys(found) == [0, 12, 40, 41, 80]


def test_codec_never_waits_longer_than_the_longest_interval() -> None:
    """A stream with a single I-frame still gets a key frame every so many frames, by default and on demand."""
    found = decisions(KeyFrameSelector("codec"), [STILL] * 100, codec_keys={0})
    assert keys(found) == [0, DEFAULT_MAX_INTERVAL, 2 * DEFAULT_MAX_INTERVAL]
    found = decisions(KeyFrameSelector("codec", max_interval=MAX_INTERVAL), [STILL] * 100, codec_keys={0})
    assert keys(found) == [0, MAX_INTERVAL]


@pytest.mark.parametrize("interval", [0, -1, MAX_INTERVAL + 1])
def test_impossible_intervals_are_refused(interval: int) -> None:
    """An interval that cannot be is a UsageError that says what can."""
    with pytest.raises(UsageError, match=f"1 to {MAX_INTERVAL}"):
        KeyFrameSelector("interval", interval)
    with pytest.raises(UsageError, match=f"longest .* 1 to {MAX_INTERVAL}"):
        KeyFrameSelector(max_interval=interval)


def flyover(frames: int, speed: float, seed: int = 1) -> Scene:
    """A camera that flies over a landscape of soft hills, ``speed`` pixels a frame, 144 × 256."""
    world = texture(144, 256 + int(speed * frames) + 1, seed, softness=6)
    return [cropped(world, round(speed * i), 0, 144, 256) for i in range(frames)]


def test_adaptive_is_the_default_and_gives_way_to_an_interval() -> None:
    """Without a word key frames are adaptive; an interval makes them come every so many frames."""
    scene = flyover(60, 4)
    assert decisions(KeyFrameSelector(), scene) == decisions(KeyFrameSelector("adaptive"), scene)
    assert keys(decisions(KeyFrameSelector(interval=7), scene)) == list(range(0, 60, 7))
    assert keys(decisions(KeyFrameSelector(), scene)) != list(range(0, 60, 15))


def test_a_still_scene_gets_few_key_frames_and_a_fast_one_many() -> None:
    """The faster the camera the more key frames; what never changes gets only those of the longest interval."""
    numbers = [len(keys(decisions(KeyFrameSelector(), flyover(91, speed)))) for speed in (0.0, 2.0, 4.0, 16.0)]
    assert numbers[0] == 3
    assert numbers == sorted(set(numbers)) and numbers[-1] >= 2 * numbers[1]


def test_a_change_of_light_asks_for_key_frames() -> None:
    """Where nothing moves but the light fades, the stylizer's answer changes, and key frames come sooner."""
    still = texture(144, 256, softness=6)
    fading = [np.asarray(still * (1 - 0.008 * i), np.uint8) for i in range(91)]
    found = decisions(KeyFrameSelector(), fading)
    assert cuts(found) == []
    assert len(keys(found)) > 2 * len(keys(decisions(KeyFrameSelector(), [still] * 91)))


def test_better_quality_takes_more_key_frames() -> None:
    """From draft to best, each takes more key frames than the one before."""
    scene = flyover(91, 4)
    qualities: tuple[QualityName, ...] = ("draft", "balanced", "best")
    numbers = [len(keys(decisions(KeyFrameSelector(quality=quality), scene))) for quality in qualities]
    assert numbers[0] < numbers[1] < numbers[2]


@pytest.mark.parametrize(("longest", "held"), [(10, MAX_INTERVAL), (MAX_INTERVAL, 10)])
def test_adaptive_never_waits_longer_than_it_may(longest: int, held: int) -> None:
    """However still the scene, the longest interval holds, and so does what there is memory for."""
    found = decisions(KeyFrameSelector(max_interval=longest, held=held), [STILL] * 35)
    assert keys(found) == [0, 10, 20, 30]


@pytest.mark.parametrize("name", ["adaptive", "interval", "codec"])
def test_a_selector_that_starts_at_a_key_frame_decides_the_same(name: SelectorName) -> None:
    """Started at any key frame, having seen the frames before it, a selector goes on like one that never stopped."""
    scene = flyover(40, 3) + flyover(35, 1, seed=2) + [frame // 3 for frame in flyover(45, 14, seed=3)]
    codec_keys = {11, 40, 62, 90, 91}
    whole = decisions(KeyFrameSelector(name), scene, codec_keys)
    assert cuts(whole) == [40, 75] and len(keys(whole)) >= 7
    for start in keys(whole):
        selector = KeyFrameSelector(name)
        for frame in scene[max(0, start - WARM_UP_FRAMES) : start]:
            selector.warm_up(frame)
        rest = decisions(selector, scene[start:], {i - start for i in codec_keys})
        assert rest == whole[start:]


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


class TwoLooks:
    """A stylizer that paints dark key frames blue and all others red, and notes what it is sent."""

    identity = "two looks"

    def __init__(self) -> None:
        self.sent: Scene = []

    def set_style(self, style: Style) -> None:
        pass

    def submit(self, proxy: NDArray[np.uint8], r: float = 1.0) -> Future[NDArray[np.uint8]]:
        self.sent.append(proxy)
        answer: Future[NDArray[np.uint8]] = Future()
        answer.set_result(np.full_like(proxy, (60, 60, 200) if proxy.mean() < 90 else (200, 60, 60)))
        return answer

    def close(self) -> None:
        pass


class Graded(TwoLooks):
    """Answers with a grade that depends on the whole picture, as a real stylizer's does."""

    def submit(self, proxy: NDArray[np.uint8], r: float = 1.0) -> Future[NDArray[np.uint8]]:
        self.sent.append(proxy)
        answer: Future[NDArray[np.uint8]] = Future()
        answer.set_result(np.asarray(255 - 0.7 * proxy - 0.3 * proxy.mean((0, 1)), np.uint8))
        return answer


def adaptive_run(source: Path, output: Path, options: DeviceOptions) -> tuple[Scene, Scene]:
    """What was sent, and the proxies of what was written, of a real run of the device."""
    stylizer = TwoLooks()
    stylize_video(source, Style.of_photo(STILL), output, stylizer, options)
    with VideoReader(output) as reader:
        return stylizer.sent, [frame.proxy for frame in reader]


@pytest.mark.parametrize("cut", [11, 40])
def test_two_clips_spliced_keep_their_looks(tmp_path: Path, cut: int) -> None:
    """With adaptive key frames each clip has one at its beginning, and no frame shows the colours of the other."""
    scene = flyover(cut, 2) + [(frame // 3).astype(np.uint8) for frame in flyover(20, 2, seed=2)]
    source = write_scene(tmp_path / "in.mp4", scene)
    sent, written = adaptive_run(source, tmp_path / "out.mp4", DeviceOptions(crf=0, preset="ultrafast"))
    with VideoReader(source) as reader:
        proxies = [frame.proxy for frame in reader]
    for begin in (0, cut):
        assert any(np.array_equal(proxy, proxies[begin]) for proxy in sent)
    for index, proxy in enumerate(written):
        wanted = (200, 60, 60) if index < cut else (60, 60, 200)
        assert np.abs(proxy.astype(int) - wanted).max() <= 25, index


def planes_of(path: Path, size: tuple[int, int]) -> list[Planes]:
    """The first 20 frames, scaled to a width and height, both even."""
    half = size[0] // 2, size[1] // 2
    with VideoReader(path) as reader:
        frames = [(frame.y, frame.u, frame.v) for frame in islice(reader, 20)]
    return [(scaled(y, size), scaled(u, half), scaled(v, half)) for y, u, v in frames]


def scaled(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


def lossless(path: Path, like: Path, pictures: Sequence[Planes]) -> Path:
    """A video of these planes, bit for bit, at the rate of another."""
    height, width = pictures[0][0].shape
    with VideoReader(like) as reader:
        info = replace(reader.info, width=width, height=height)
    step = round(1 / (info.frame_rate * info.time_base))
    with VideoWriter(path, info, Encoding(crf=0, preset="ultrafast")) as writer:
        for index, planes in enumerate(pictures):
            writer.write(planes, index * step)
    return path


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the clips of ../shared/data/eval are not there")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [("davis_parkour", "davis_kite_surf"), ("davis_scooter_black", "davis_parkour")],
    ids=["parkour, kite surf", "scooter, parkour"],
)
def test_nothing_crosses_a_cut_between_real_clips(tmp_path: Path, before: str, after: str) -> None:
    """Two clips spliced come out as each of them alone, bit for bit: the cut begins anew, with a key frame."""
    parts = [planes_of(CLIPS / f"{name}.mp4", SIZE) for name in (before, after)]
    found: dict[str, list[Planes]] = {}
    sent: dict[str, Scene] = {}
    for name, pictures in {"before": parts[0], "after": parts[1], "spliced": [*parts[0], *parts[1]]}.items():
        source = lossless(tmp_path / f"{name}.mp4", CLIPS / f"{before}.mp4", pictures)
        stylizer, output = Graded(), tmp_path / f"{name} out.mp4"
        stylize_video(source, Style.of_photo(STILL), output, stylizer, DeviceOptions(crf=0, preset="ultrafast"))
        with VideoReader(output) as reader:
            found[name] = [(frame.y, frame.u, frame.v) for frame in reader]
        sent[name] = stylizer.sent
    np.testing.assert_equal(sent["spliced"], [*sent["before"], *sent["after"]])
    np.testing.assert_equal(found["spliced"], [*found["before"], *found["after"]])


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the clips of ../shared/data/eval are not there")
def test_cuts_between_real_clips_are_found() -> None:
    """Wherever one clip is cut to another, in the middle of a fast pan too, that is a cut, and nothing else is."""
    clips = [proxies_of(path) for path in sorted(CLIPS.glob("davis_*.mp4"))]
    assert len(clips) > 1
    for first, second in permutations(clips, 2):
        for at in range(3, 40, 3):
            detector = CutDetector()
            found = [detector.is_cut(frame) for frame in first[:at] + second[:3]]
            assert [index for index, is_cut in enumerate(found) if is_cut] == [at]


def proxies_of(path: Path) -> Scene:
    with VideoReader(path, 64) as reader:
        return [frame.proxy for frame in islice(reader, 40)]


def test_the_device_follows_quality_and_longest_interval(tmp_path: Path) -> None:
    """On the device, too, better quality and a shorter longest interval each take more key frames."""
    source = write_scene(tmp_path / "in.mp4", flyover(31, 4))

    def number(**settings: object) -> int:
        options = DeviceOptions(preset="ultrafast", overwrite=True, **settings)  # type: ignore[arg-type]
        return len(adaptive_run(source, tmp_path / "out.mp4", options)[0])

    draft = number(quality="draft")
    assert draft < number(quality="best")
    assert number(quality="draft", max_interval=5) == 7 > draft
    assert number(interval=3) == 11
