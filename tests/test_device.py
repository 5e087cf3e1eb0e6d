"""The device on real small videos, with stylizers that answer at once, late, or not at all."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer import device
from mvstylizer.device import DeviceOptions, Progress, stylize_picture, stylize_video
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import EdgeError, InputError, OutputError, UsageError
from mvstylizer.propagation import PropagationName
from mvstylizer.styles import Style
from mvstylizer.video import Frame, VideoReader
from tests.clips import Clip, packets, write_clip
from tests.scenes import no_thread_left, pan, texture, write_scene

Picture = NDArray[np.uint8]
STYLE = Style.of_photo(texture(30, 40))
LOSSLESS = DeviceOptions(crf=0, preset="ultrafast")
VARIABLE = [0, 500, 700, 1500, 1600, 2900, 3000, 3100, 4444, 5000, 6001, 6002]
FASTSTART = {"movflags": "faststart"}


class Stylizer:
    """Answers at once with what ``look`` makes of a key frame; notes what it is asked."""

    identity = "a test's"

    def __init__(self, look: Callable[[Picture], Picture] = lambda proxy: proxy) -> None:
        self._look = look
        self.styles: list[Style] = []
        self.submitted: list[tuple[Picture, float]] = []

    def set_style(self, style: Style) -> None:
        self.styles.append(style)

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        self.submitted.append((proxy, r))
        answer: Future[Picture] = Future()
        self.answer(answer, proxy)
        return answer

    def answer(self, answer: Future[Picture], proxy: Picture) -> None:
        answer.set_result(self._look(proxy))

    def close(self) -> None:
        pass


class SlowStylizer(Stylizer):
    """Takes 50 ms for each answer."""

    def answer(self, answer: Future[Picture], proxy: Picture) -> None:
        threading.Timer(0.05, super().answer, (answer, proxy)).start()


class PatientStylizer(Stylizer):
    """Answers nothing before so many requests have come."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self._requests = requests
        self._held: list[tuple[Future[Picture], Picture]] = []

    def answer(self, answer: Future[Picture], proxy: Picture) -> None:
        self._held.append((answer, proxy))
        if len(self.submitted) >= self._requests:
            for held in self._held:
                super().answer(*held)
            self._held.clear()


class FailingStylizer(Stylizer):
    """Fails at the third key frame."""

    def answer(self, answer: Future[Picture], proxy: Picture) -> None:
        if len(self.submitted) == 3:
            answer.set_exception(EdgeError("the edge has gone"))
        else:
            super().answer(answer, proxy)


def read(path: Path) -> list[Frame]:
    with VideoReader(path) as reader:
        return list(reader)


def planes(frame: Frame) -> list[NDArray[np.int64]]:
    return [plane.astype(np.int64) for plane in (frame.y, frame.u, frame.v)]


@pytest.mark.parametrize(
    "clip",
    [
        Clip(sounds=("aac",), subtitle="mov_text", metadata={"title": "a title"}),
        Clip(pts=VARIABLE, sounds=("aac", "aac"), last_duration=700),
        Clip(frames=7, start=5000, rotation=90),
        Clip(frames=7, width=97, height=63, pixel_format="yuv444p"),
    ],
    ids=["constant", "variable", "late", "odd"],
)
def test_all_but_the_picture_stays_as_it_is(tmp_path: Path, clip: Clip) -> None:
    """Number and times of frames, size, rotation, and every packet of sound and subtitles are the source's."""
    source, output = write_clip(tmp_path / "in.mp4", clip), tmp_path / "out.mp4"
    done = stylize_video(source, STYLE, output, Stylizer(), DeviceOptions(interval=4))
    before, after = read(source), read(output)
    assert [frame.pts for frame in after] == [frame.pts for frame in before]
    assert done.frames == len(before)
    with VideoReader(source) as a, VideoReader(output) as b:
        assert (a.info.time_base, a.info.rotation) == (b.info.time_base, b.info.rotation)
        # 4:2:0 has even sizes only.
        assert (b.info.width, b.info.height) == (a.info.width + a.info.width % 2, a.info.height + a.info.height % 2)
    for number in range(len(clip.sounds)):
        assert packets(output, "audio", number) == packets(source, "audio", number)
    if clip.subtitle:
        assert packets(output, "subtitle") == packets(source, "subtitle")


@pytest.mark.parametrize(
    "options", [*(DeviceOptions(interval=n) for n in (1, 2, 15, 60)), DeviceOptions(key_frames="codec")]
)
def test_only_key_frames_are_sent(tmp_path: Path, options: DeviceOptions) -> None:
    """The stylizer gets the style once, the key frames that were asked for as proxies, and no other frame."""
    source, stylizer = write_clip(tmp_path / "in.mp4", Clip()), Stylizer()
    done = stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer, options)
    frames = read(source)
    if options.key_frames == "codec":
        keys = [frame for frame in frames if frame.is_key]
        assert 1 < len(keys) < 25
    else:
        keys = frames[:: options.interval]
    assert (done.frames, done.key_frames, len(stylizer.styles)) == (25, len(keys), 1)
    for (proxy, r), frame in zip(stylizer.submitted, keys, strict=True):
        assert r == 1.0
        np.testing.assert_array_equal(proxy, frame.proxy)


def test_proxies_have_the_size_that_was_asked_for(tmp_path: Path) -> None:
    """What leaves the device is never larger than the proxy size."""
    stylizer = Stylizer()
    options = DeviceOptions(interval=10, proxy_size=48)
    stylize_video(write_clip(tmp_path / "in.mp4", Clip()), STYLE, tmp_path / "out.mp4", stylizer, options)
    assert {proxy.shape for proxy, _ in stylizer.submitted} == {(32, 48, 3)}


def test_warp_asks_for_key_frames_at_full_size(tmp_path: Path) -> None:
    """Algorithm 1 moves stylized pixels, so the stylizer is asked to scale the proxy up to the frame."""
    stylizer = Stylizer(lambda proxy: np.repeat(np.repeat(proxy, 2, axis=0), 2, axis=1))
    options = DeviceOptions(interval=10, proxy_size=48, propagation="warp")
    stylize_video(write_clip(tmp_path / "in.mp4", Clip()), STYLE, tmp_path / "out.mp4", stylizer, options)
    assert {r for _, r in stylizer.submitted} == {2.0}


@pytest.mark.parametrize("interval", [1, 5, 15])
def test_the_identity_changes_nothing(tmp_path: Path, interval: int) -> None:
    """With a stylizer that changes nothing no pixel of any frame moves by more than 3 of 255."""
    source = write_scene(tmp_path / "in.mp4", pan(20, 64, 96, step=2))
    options = DeviceOptions(interval=interval, crf=0, preset="ultrafast")
    stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(), options)
    for before, after in zip(read(source), read(tmp_path / "out.mp4"), strict=True):
        assert max(np.abs(a - b).max() for a, b in zip(planes(before), planes(after), strict=True)) <= 3


@pytest.mark.parametrize("propagation", ["affine", "warp"])
def test_every_frame_gets_the_look(tmp_path: Path, propagation: PropagationName) -> None:
    """With a stylizer that darkens, every frame of the output is as dark as it should be, not only key frames."""
    source = write_scene(tmp_path / "in.mp4", pan(20, 64, 96))
    options = DeviceOptions(interval=6, propagation=propagation, crf=0, preset="ultrafast")
    stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(lambda proxy: proxy // 2), options)
    for before, after in zip(read(source), read(tmp_path / "out.mp4"), strict=True):
        error = np.abs(after.proxy.astype(int) - before.proxy // 2)[8:-8, 8:-8]
        assert error.mean() < 4


@pytest.mark.parametrize("propagation", ["affine", "warp"])
@pytest.mark.parametrize("cut", [7, 13])
def test_nothing_crosses_a_cut(tmp_path: Path, propagation: PropagationName, cut: int) -> None:
    """Each frame has the look of its own scene: next to a cut, too, the other scene's colours do not show."""
    scenes = pan(cut, 64, 96, seed=1) + [(frame // 3).astype(np.uint8) for frame in pan(9, 64, 96, seed=2)]
    source = write_scene(tmp_path / "in.mp4", scenes)

    def look(proxy: Picture) -> Picture:
        return np.full_like(proxy, (200, 60, 60) if proxy.mean() > 90 else (60, 60, 200))

    options = DeviceOptions(interval=10, propagation=propagation, crf=0, preset="ultrafast")
    stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(look), options)
    for index, frame in enumerate(read(tmp_path / "out.mp4")):
        wanted = (200, 60, 60) if index < cut else (60, 60, 200)
        assert np.abs(frame.proxy.astype(int) - wanted).max() <= 25, index


@pytest.mark.parametrize(
    ("options", "longest"),
    [
        (DeviceOptions(interval=2), 2),
        (DeviceOptions(interval=30), 30),
        (DeviceOptions(interval=30, propagation="warp"), 30),
        (DeviceOptions(key_frames="codec", max_interval=20), 20),
        (DeviceOptions(max_interval=20), 20),
    ],
    ids=["close", "far", "warp", "codec", "adaptive"],
)
@pytest.mark.parametrize("frames", [90, 180])
def test_frames_held_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: DeviceOptions, longest: int, frames: int
) -> None:
    """However long the video and slow the stylizer: the longest interval and 16 frames are decoded at most, and often.

    Beside them the two last worked on, which nobody has let go of yet.
    """
    alive: set[int] = set()
    most = 0

    class CountingReader(VideoReader):
        def frames_from(self, index: int) -> Iterator[Frame]:
            nonlocal most
            for number, frame in enumerate(super().frames_from(index)):
                alive.add(number)
                weakref.finalize(frame, alive.discard, number)
                most = max(most, len(alive))
                yield frame
                del frame

    monkeypatch.setattr(device, "VideoReader", CountingReader)
    source = write_clip(tmp_path / "in.mp4", Clip(frames=frames))
    stylize_video(source, STYLE, tmp_path / "out.mp4", SlowStylizer(), options)
    assert longest + 16 <= most <= longest + 16 + 2


@pytest.mark.parametrize("interval", [1, 2, 8])
def test_key_frames_are_sent_ahead(tmp_path: Path, interval: int) -> None:
    """The next key frames are on their way before the first is answered: nobody waits frame by frame."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=40))
    options = DeviceOptions(interval=interval)
    done = stylize_video(source, STYLE, tmp_path / "out.mp4", PatientStylizer(3), options)
    assert done.frames == 40


def test_a_failing_stylizer_leaves_nothing(tmp_path: Path) -> None:
    """An edge that fails in the middle: its own error comes out; no output, no temporary file, no thread is left."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=40))
    with no_thread_left(), pytest.raises(EdgeError, match="the edge has gone"):
        stylize_video(source, STYLE, tmp_path / "out.mp4", FailingStylizer(), DeviceOptions(interval=5))
    assert list(tmp_path.iterdir()) == [source]


def test_a_failing_style_leaves_nothing(tmp_path: Path) -> None:
    """A style that the stylizer refuses ends it before any key frame is sent."""

    class Refusing(Stylizer):
        def set_style(self, style: Style) -> None:
            raise InputError("not this photo")

    source, stylizer = write_clip(tmp_path / "in.mp4", Clip()), Refusing()
    with no_thread_left(), pytest.raises(InputError, match="not this photo"):
        stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer)
    assert stylizer.submitted == []
    assert list(tmp_path.iterdir()) == [source]


def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    """A truncated video: the reader's error comes out; no output, no temporary file, no thread is left."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=60, muxer_options=FASTSTART))
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])
    with no_thread_left(), pytest.raises(InputError, match="breaks off"):
        stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(), DeviceOptions(interval=4))
    assert list(tmp_path.iterdir()) == [source]


def test_a_refused_output_costs_no_work(tmp_path: Path) -> None:
    """Where the output may not be written, the stylizer is not even given the style."""
    source, stylizer = write_clip(tmp_path / "in.mp4", Clip()), Stylizer()
    (tmp_path / "out.mp4").write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer)
    assert (stylizer.styles, stylizer.submitted) == ([], [])
    assert (tmp_path / "out.mp4").read_text() == "precious"


def test_overwriting_is_possible(tmp_path: Path) -> None:
    """With ``overwrite`` an output that exists is replaced."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=3))
    (tmp_path / "out.mp4").write_text("old")
    stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(), DeviceOptions(overwrite=True))
    assert len(read(tmp_path / "out.mp4")) == 3


def test_an_exception_in_the_report_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C (which may come anywhere, here in the progress report) leaves no output and no thread."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=40))

    def interrupt(progress: Progress) -> None:
        if progress.frames == 11:
            raise KeyboardInterrupt

    with no_thread_left(), pytest.raises(KeyboardInterrupt):
        stylize_video(source, STYLE, tmp_path / "out.mp4", SlowStylizer(), DeviceOptions(interval=5), interrupt)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("propagation", ["affine", "warp"])
@pytest.mark.parametrize(("width", "height", "frames"), [(96, 64, 1), (12, 8, 5), (2, 2, 3), (400, 16, 5)])
def test_the_shortest_and_smallest_videos_work(
    tmp_path: Path, propagation: PropagationName, width: int, height: int, frames: int
) -> None:
    """A single frame, a few pixels, a narrow strip: all come out with as many frames as they had."""
    source = write_clip(tmp_path / "in.mp4", Clip(width=width, height=height, frames=frames))
    options = DeviceOptions(interval=2, propagation=propagation)
    assert stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(), options).frames == frames
    assert [(frame.y.shape, frame.pts) for frame in read(tmp_path / "out.mp4")] == [
        ((height, width), frame.pts) for frame in read(source)
    ]


def test_progress_is_reported(tmp_path: Path) -> None:
    """Every frame is reported once, with the container's total and the key frames so far."""
    reports: list[Progress] = []
    source = write_clip(tmp_path / "in.mp4", Clip())
    done = stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(), DeviceOptions(interval=10), reports.append)
    assert [report.frames for report in reports] == list(range(1, 26))
    assert {report.total for report in reports} == {25}
    assert all(before.key_frames <= after.key_frames for before, after in pairwise(reports))
    assert reports[-1] == done == Progress(25, 25, 3)


def test_a_real_release_stylizes_a_video(tmp_path: Path, tiny_release: Path) -> None:
    """Through ONNX Runtime in this process every frame takes on the photo's mean colour."""
    source = write_scene(tmp_path / "in.mp4", pan(12, 64, 96))
    photo = np.clip(texture(50, 60) * 0.3 + (110, 60, 20), 0, 255).astype(np.uint8)
    stylizer = LocalStylizer(Engine(tiny_release, threads=1))
    with no_thread_left():
        stylize_video(source, Style.of_photo(photo), tmp_path / "out.mp4", stylizer, DeviceOptions(interval=5))
        stylizer.close()
    wanted = photo.mean((0, 1))
    for frame in read(tmp_path / "out.mp4"):
        assert np.abs(frame.proxy.mean((0, 1)) - wanted).max() < 8


@pytest.mark.parametrize("size", [(64, 96), (701, 523), (1, 1), (3, 900)])
def test_a_picture_keeps_its_size(size: tuple[int, int]) -> None:
    """A still picture comes out at its own size, however large or small; the identity changes next to nothing."""
    picture = texture(*size)
    stylizer = Stylizer()
    stylized = stylize_picture(picture, STYLE, stylizer, proxy_size=128)
    assert stylized.shape == picture.shape and stylized.dtype == np.uint8
    assert np.abs(stylized.astype(int) - picture).max() <= 3
    assert max(stylizer.submitted[0][0].shape) <= 128
    assert len(stylizer.submitted) == len(stylizer.styles) == 1


def test_a_picture_gets_the_look() -> None:
    """A still picture takes on what the stylizer makes of its proxy."""
    picture = texture(200, 300)
    stylized = stylize_picture(picture, STYLE, Stylizer(lambda proxy: proxy // 2), proxy_size=128)
    assert np.abs(stylized.astype(int) - picture // 2).mean() < 2


@pytest.mark.parametrize("way", ["affine", "warp"])
def test_no_strength_leaves_every_plane_as_it_was(tmp_path: Path, way: PropagationName) -> None:
    """At strength 0 the encoder gets the very planes that were decoded, key frames and others."""
    source = write_scene(tmp_path / "in.mp4", pan(9, 62, 98))
    options = replace(LOSSLESS, interval=4, propagation=way, strength=0.0)
    stylize_video(source, STYLE, tmp_path / "out.mp4", Stylizer(lambda proxy: 255 - proxy), options)
    for before, after in zip(read(source), read(tmp_path / "out.mp4"), strict=True):
        for plane, found in zip(planes(before), planes(after), strict=True):
            np.testing.assert_array_equal(found, plane)


@pytest.mark.parametrize("way", ["affine", "warp"])
def test_strength_leads_from_the_video_to_the_look(tmp_path: Path, way: PropagationName) -> None:
    """The stronger, the further from the source; halfway is about half as far, and 1 is all of the look."""
    source = write_scene(tmp_path / "in.mp4", pan(6, 64, 96))

    def distance(strength: float) -> float:
        options = replace(LOSSLESS, interval=4, propagation=way, strength=strength, overwrite=True)
        stylizer = Stylizer(lambda proxy: np.asarray(proxy // 2 + 20, np.uint8))
        stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer, options)
        pairs = zip(read(source), read(tmp_path / "out.mp4"), strict=True)
        return float(np.mean([np.abs(planes(a)[0] - planes(b)[0]).mean() for a, b in pairs]))

    distances = [distance(strength) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert distances == sorted(distances) and distances[0] == 0
    assert distances[2] == pytest.approx(distances[4] / 2, rel=0.05)
    assert distances[4] > 20


def test_a_picture_without_strength_is_the_picture() -> None:
    """At strength 0 a still picture comes back bit for bit, every colour of it, whatever the style."""
    steps = np.arange(0, 256, 3).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(86 * 43, 172, 3)
    for picture in (colours, texture(701, 523)):
        stylized = stylize_picture(picture, STYLE, Stylizer(lambda proxy: 255 - proxy), strength=0.0)
        np.testing.assert_array_equal(stylized, picture)


def test_a_picture_moves_smoothly_with_strength() -> None:
    """Every step of strength is a step of the same size away from the picture; 1 is what is made without a word."""
    picture = texture(120, 160)

    def darker(proxy: Picture) -> Picture:
        return np.asarray(proxy // 2 + 40, np.uint8)

    def distance(strength: float) -> float:
        stylized = stylize_picture(picture, STYLE, Stylizer(darker), strength=strength)
        return float(np.abs(stylized.astype(np.int64) - picture).mean())

    whole = stylize_picture(picture, STYLE, Stylizer(darker))
    np.testing.assert_array_equal(stylize_picture(picture, STYLE, Stylizer(darker), strength=1.0), whole)
    distances = [distance(float(strength)) for strength in np.linspace(0, 1, 9)]
    assert np.diff(distances) == pytest.approx(distances[-1] / 8, rel=0.1)


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan"), float("inf")])
def test_impossible_strengths_are_refused(strength: float) -> None:
    """A strength outside of 0 to 1 is a UsageError that says what is possible, for videos and for pictures."""
    stylizer = Stylizer()
    with pytest.raises(UsageError, match="choose 0"):
        DeviceOptions(strength=strength)
    with pytest.raises(UsageError, match="choose 0"):
        stylize_picture(texture(8, 8), STYLE, stylizer, strength=strength)
    assert stylizer.styles == []


def test_waiting_is_not_busy(tmp_path: Path) -> None:
    """While the device waits for an answer it uses next to no processor time."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=2))

    class Late(Stylizer):
        def answer(self, answer: Future[Picture], proxy: Picture) -> None:
            threading.Timer(1.0, super().answer, (answer, proxy)).start()

    wall, processor = time.monotonic(), time.process_time()
    stylize_video(source, STYLE, tmp_path / "out.mp4", Late())
    assert time.process_time() - processor < 0.5 * (time.monotonic() - wall)
