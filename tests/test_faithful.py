"""Nothing changes but the look: small clips of every kind go from file to file, and PyAV alone reads what came out."""

import shlex
import shutil
import subprocess
from concurrent.futures import Future
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray

from mvstylizer.cli import main
from mvstylizer.device import DeviceOptions, KeyFrameStylizer, Picture, stylize_video
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.pictures import write_picture
from mvstylizer.styles import Style
from tests.clips import Clip, packets, write_clip
from tests.scenes import texture

INPUT_ERROR = 3
LOSSLESS = DeviceOptions(interval=4, crf=0, preset="ultrafast")
BLUE = np.clip(texture(60, 80) * 0.4 + (10, 60, 120), 0, 255).astype(np.uint8)
BT709, BT601, BT2020 = (1, 1, 1), (6, 6, 6), (9, 14, 9)
LIMITED, FULL = 1, 2
HEVC = {"preset": "ultrafast", "x265-params": "log-level=error:crf=12"}
# So that mp4 can say exactly when a track starts that does not start at 0.
EXACT_START = {"movie_timescale": "12800"}
# What lies before 0 is kept in the file and hidden by an edit list, as phones do when a clip is trimmed.
TRIMMED = {"avoid_negative_ts": "disabled", **EXACT_START}


class Identity:
    """A stylizer that changes nothing."""

    identity = "identity"

    def set_style(self, style: Style) -> None:
        pass

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        answer: Future[Picture] = Future()
        answer.set_result(proxy)
        return answer

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Shown:
    """A frame as a player shows it, not turned: when, and its (H, W, 3) uint8 RGB."""

    seconds: Fraction
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class Film:
    """A file as read by PyAV: its frames, and what says how to show them."""

    frames: list[Shown]
    rotation: int
    pixel_shape: Fraction | None
    tags: tuple[int, int, int, int]
    """Primaries, transfer, space and range of ITU-T H.273."""

    @property
    def times(self) -> list[Fraction]:
        return [frame.seconds for frame in self.frames]


def film(path: Path) -> Film:
    """Read all of a file, each frame at the time that it has in the file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        first = frames[0]
        # An AVI's times are right all in all, but not frame by frame where the order of decoding is another.
        times = sorted(frame.pts * stream.time_base for frame in frames if frame.pts is not None and stream.time_base)
        assert len(times) == len(frames)
        tags = (first.color_primaries, first.color_trc, first.colorspace, first.color_range)
        shown = [Shown(seconds, _rgb(frame)) for seconds, frame in zip(times, frames, strict=True)]
        return Film(shown, first.rotation % 360, stream.sample_aspect_ratio, tags)


def _rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    exact = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
    rgb = frame.reformat(format="rgb24", interpolation=exact, dst_color_range=ColorRange.JPEG)
    return np.asarray(rgb.to_ndarray(), np.uint8)


def stylized(
    source: Path, output: Path, stylizer: KeyFrameStylizer | None = None, notices: list[str] | None = None
) -> Path:
    """The whole device, from file to file; collects what it has to say."""
    found: list[str] = [] if notices is None else notices
    stylize_video(source, Style.of_photo(BLUE), output, stylizer or Identity(), LOSSLESS, note=found.append)
    return output


def assert_same_sound_and_text(source: Path, output: Path) -> None:
    """Every packet of every track but the picture has its bytes, and its time, in tracks of the same order."""
    with av.open(str(source)) as before, av.open(str(output)) as after:
        kinds: list[str] = [stream.type for stream in before.streams]
        assert [stream.type for stream in after.streams] == kinds
        assert [stream.language for stream in after.streams] == [stream.language for stream in before.streams]
    for kind in {"audio", "subtitle"} & set(kinds):
        for number in range(kinds.count(kind)):
            assert packets(output, kind, number) == packets(source, kind, number)


# name of the row: file, clip
CLIPS: dict[str, tuple[str, Clip]] = {
    # Times
    "constant rate": ("in.mp4", Clip(sounds=("aac",))),
    "variable rate": (
        "in.mp4",
        Clip(pts=[0, 512, 700, 2000, 2001, 9000, 9600, 20_000], sounds=("aac",)),
    ),
    "starts late": ("in.mp4", Clip(start=12_807, sounds=("aac",), muxer_options=EXACT_START)),
    "ten hours in": ("in.mp4", Clip(start=36_000 * 12_800 + 7, frames=8, muxer_options=EXACT_START)),
    "trimmed by an edit list": ("in.mp4", Clip(start=-5 * 512, sounds=("aac",), muxer_options=TRIMMED)),
    "no presentation times": ("in.avi", Clip(time_base=Fraction(1, 25), sounds=("libmp3lame",))),
    "NTSC": ("in.mov", Clip(time_base=Fraction(1001, 30_000), pts=range(25))),
    "120 fps": ("in.mp4", Clip(time_base=Fraction(1, 12_000), pts=range(0, 6000, 100), sounds=("aac",))),
    "one frame": ("in.mp4", Clip(frames=1)),
    "one frame with sound": ("in.mp4", Clip(frames=1, sounds=("aac",))),
    # Tracks
    "no audio": ("in.mp4", Clip()),
    "two languages and subtitles": ("in.mp4", Clip(sounds=("aac", "aac"), subtitle="mov_text")),
    "mkv with three sounds and subtitles": (
        "in.mkv",
        Clip(sounds=("flac", "libopus", "aac"), subtitle="subrip"),
    ),
    "sound before the picture": ("in.mov", Clip(sounds=("pcm_s16le", "aac"), sound_first=True)),
    # Shapes
    "rotation 0": ("in.mp4", Clip(frames=6, rotation=0)),
    "rotation 90": ("in.mp4", Clip(frames=6, rotation=90)),
    "rotation 180": ("in.mp4", Clip(frames=6, rotation=180)),
    "rotation 270": ("in.mov", Clip(frames=6, rotation=270)),
    "portrait": ("in.mp4", Clip(64, 96, frames=6)),
    "pixels that are not square": ("in.mp4", Clip(frames=6, sample_aspect_ratio=Fraction(16, 11))),
    "4K": ("in.mp4", Clip(3840, 2160, frames=2, options={"preset": "ultrafast", "crf": "20"})),
    # Colours
    "BT.709": ("in.mp4", Clip(frames=6, bars=True, colour=(*BT709, LIMITED))),
    "BT.709 full range": ("in.mp4", Clip(frames=6, bars=True, colour=(*BT709, FULL))),
    "BT.601": ("in.mp4", Clip(frames=6, bars=True, colour=(*BT601, LIMITED))),
    "BT.601 full range": ("in.mp4", Clip(frames=6, bars=True, colour=(*BT601, FULL))),
    "BT.2020 SDR": ("in.mp4", Clip(frames=6, bars=True, colour=(*BT2020, LIMITED))),
    "untagged": ("in.mp4", Clip(frames=6, bars=True)),
    "mkv BT.709 full range": ("in.mkv", Clip(frames=6, bars=True, colour=(*BT709, FULL))),
    "grey": ("in.mp4", Clip(frames=6, pixel_format="gray", colour=(*BT709, LIMITED))),
    # Codecs
    "HEVC": ("in.mp4", Clip(codec="libx265", options=HEVC, colour=(*BT709, LIMITED), sounds=("aac",))),
    "VP9": (
        "in.webm",
        Clip(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}, sounds=("libopus",)),
    ),
    "motion JPEG full range": (
        "in.mov",
        Clip(frames=6, codec="mjpeg", pixel_format="yuvj420p", options={}, colour=(*BT601, FULL)),
    ),
}


@pytest.mark.parametrize("row", CLIPS)
def test_a_stylizer_that_changes_nothing_changes_nothing(tmp_path: Path, row: str) -> None:
    """Times, sound, text, rotation, pixel shape and tags are the source's; no pixel moves by more than 3 of 255."""
    name, clip = CLIPS[row]
    source = write_clip(tmp_path / name, clip)
    container = source.suffix if source.suffix in (".mp4", ".mov") else ".mkv"
    notices: list[str] = []
    output = stylized(source, tmp_path / f"out{container}", notices=notices)
    assert notices == []
    before, after = film(source), film(output)
    assert after.times == before.times
    assert (after.rotation, after.pixel_shape, after.tags) == (before.rotation, before.pixel_shape, before.tags)
    for a, b in zip(before.frames, after.frames, strict=True):
        assert np.abs(a.rgb.astype(int) - b.rgb).max() <= 3
    assert_same_sound_and_text(source, output)


# name of the row: clip, what the notice says, how far a pixel may move
CONVERTED: dict[str, tuple[Clip, str, int]] = {
    "odd sizes": (Clip(95, 63, frames=6, pixel_format="yuv444p"), "95x63 is written as 96x64", 12),
    "4:4:4": (Clip(frames=6, pixel_format="yuv444p"), "4:4:4 colour is written as 4:2:0", 12),
    "10-bit 4:2:2": (Clip(frames=6, pixel_format="yuv422p10le"), "4:2:2 colour is written as 4:2:0", 12),
    "10 bit": (Clip(frames=6, pixel_format="yuv420p10le", colour=(*BT709, LIMITED)), "10-bit video is written", 3),
    "10-bit HEVC": (
        Clip(frames=6, codec="libx265", pixel_format="yuv420p10le", options=HEVC, colour=(*BT2020, LIMITED)),
        "10-bit video is written",
        3,
    ),
}


@pytest.mark.parametrize("row", CONVERTED)
def test_what_the_output_cannot_hold_is_converted_with_a_notice(tmp_path: Path, row: str) -> None:
    """Sizes become even, samples 8 bits and chroma 4:2:0: a notice says so, and the eye sees no difference."""
    clip, notice, most = CONVERTED[row]
    source = write_clip(tmp_path / "in.mp4", replace(clip, sounds=("aac",)))
    notices: list[str] = []
    before, after = film(source), film(stylized(source, tmp_path / "out.mp4", notices=notices))
    assert any(notice in each for each in notices)
    assert (after.times, after.tags) == (before.times, before.tags)
    for a, b in zip(before.frames, after.frames, strict=True):
        assert b.rgb.shape == (64, 96, 3)
        assert np.abs(a.rgb.astype(int) - b.rgb[: clip.height, : clip.width]).max() <= most
    assert_same_sound_and_text(source, tmp_path / "out.mp4")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.mark.parametrize(
    "clip",
    [
        Clip(frames=1),
        Clip(95, 63, frames=5, pixel_format="yuv444p"),
        Clip(frames=5, pixel_format="gray"),
        Clip(frames=5, pixel_format="yuv420p10le", colour=(*BT709, LIMITED)),
        Clip(64, 96, pts=[0, 512, 700, 2000, 9000], rotation=90, sample_aspect_ratio=Fraction(16, 11)),
        Clip(frames=5, colour=(*BT601, FULL)),
    ],
    ids=["one frame", "odd", "grey", "10 bit", "portrait, turned, variable rate", "BT.601 full range"],
)
def test_the_bundled_release_changes_the_look_alone(tmp_path: Path, engine: Engine, clip: Clip) -> None:
    """With the real thing every frame takes on the photo's blue; times, sound, shape and tags stay."""
    source = write_clip(tmp_path / "in.mp4", replace(clip, sounds=("aac",)))
    stylizer = LocalStylizer(engine)
    before, after = film(source), film(stylized(source, tmp_path / "out.mp4", stylizer))
    stylizer.close()
    for a, b in zip(before.frames, after.frames, strict=True):
        assert _warmth(b.rgb) < _warmth(a.rgb) - 20
        assert b.rgb.std() > 5
    assert replace(after, frames=[]) == replace(before, frames=[])
    assert after.times == before.times
    assert_same_sound_and_text(source, tmp_path / "out.mp4")


def _warmth(rgb: NDArray[np.uint8]) -> float:
    """How much redder than blue a picture is on the whole."""
    return float(rgb[..., 0].mean() - rgb[..., 2].mean())


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_metadata_and_chapters_are_kept(tmp_path: Path, suffix: str) -> None:
    """Title, date, a long comment in another script, and the chapters with their names and times."""
    comment = "Νάξος 夏 " * 40
    metadata = {"title": "Ferien", "comment": comment, "creation_time": "2026-07-01T12:00:00.000000Z"}
    source = write_clip(tmp_path / f"in{suffix}", Clip(metadata=metadata, chapters=True, sounds=("aac",)))
    with av.open(str(stylized(source, tmp_path / f"out{suffix}"))) as output, av.open(str(source)) as original:
        kept = {key.lower(): value for key, value in output.metadata.items()}
        assert {key: kept[key] for key in metadata} == metadata
        assert [(c["metadata"]["title"], c["start"], c["end"], c["time_base"]) for c in output.chapters()] == [
            (c["metadata"]["title"], c["start"], c["end"], c["time_base"]) for c in original.chapters()
        ]


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_what_a_phone_writes_about_a_video_is_kept(tmp_path: Path, suffix: str) -> None:
    """Place, camera and local date, under Apple's own names, survive from mov to mov and to mp4."""
    apple = {
        "com.apple.quicktime.location.ISO6709": "+47.3769+008.5417+408/",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.creationdate": "2026-07-01T14:00:00+0200",
    }
    source = write_clip(
        tmp_path / "in.mov", Clip(frames=3, metadata=apple, muxer_options={"movflags": "use_metadata_tags"})
    )
    with av.open(str(stylized(source, tmp_path / f"out{suffix}"))) as output:
        assert {key: output.metadata.get(key) for key in apple} == apple


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_a_time_code_is_kept(tmp_path: Path, suffix: str) -> None:
    """An editor finds the time of day that the camera counted, and no track counts as left out."""
    source = write_clip(tmp_path / "in.mov", Clip(frames=3, picture_metadata={"timecode": "10:20:30:04"}))
    output = stylized(source, tmp_path / f"out{suffix}")
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert {key.lower(): value for key, value in stream.metadata.items()}["timecode"] == "10:20:30:04"


@pytest.mark.parametrize(("name", "suffix"), [("in.mkv", ".mkv"), ("in.mkv", ".mp4"), ("in.mp4", ".mkv")])
def test_a_cover_picture_is_kept(tmp_path: Path, name: str, suffix: str) -> None:
    """The cover comes along bit for bit, as an attachment in Matroska and as a still track in mp4."""
    source = with_cover(tmp_path / name, write_clip(tmp_path / "plain.mkv", Clip(frames=5, sounds=("aac",))))
    output = stylized(source, tmp_path / f"out{suffix}")
    assert covers(output) == covers(source) and len(covers(source)) == 1
    assert packets(output, "audio")[0].md5 == packets(source, "audio")[0].md5


def test_a_track_that_is_left_out_is_named(tmp_path: Path) -> None:
    """A second picture is not copied, and a notice says so."""
    source = tmp_path / "in.mkv"
    clip = Clip(frames=5)
    with av.open(str(write_clip(tmp_path / "one.mkv", clip))) as one, av.open(str(source), "w") as output:
        both = [output.add_stream_from_template(one.streams.video[0], opaque=True) for _ in range(2)]
        for packet in one.demux():
            for stream in both if packet.size else ():
                again = av.Packet(bytes(packet))
                again.pts, again.dts, again.time_base = packet.pts, packet.dts, packet.time_base
                again.stream, again.is_keyframe = stream, packet.is_keyframe
                output.mux(again)
    notices: list[str] = []
    with av.open(str(stylized(source, tmp_path / "out.mp4", notices=notices))) as container:
        assert len(container.streams) == 1
    assert notices == ["video track 1 (h264) is left out"]


def test_notices_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints each on a line of stderr that names the file, and does its work."""
    source = write_clip(tmp_path / "in.mp4", Clip(95, 64, frames=2, pixel_format="yuv444p10le"))
    write_picture(tmp_path / "photo.png", BLUE)
    assert main(["stylize", str(source), "--style", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out.mp4")]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"mvstylizer: note: {source}: ")]
    assert [line.split(": ")[3].split()[0] for line in lines] == ["10-bit", "4:4:4", "95x64"]


def with_cover(path: Path, plain: Path) -> Path:
    """A copy of a Matroska file with a cover; as mp4 by way of Matroska, from which the product makes it."""
    photo = plain.with_name("cover.jpg")
    write_picture(photo, texture(40, 40))
    covered = path.with_suffix(".mkv")
    with av.open(str(plain)) as original, av.open(str(covered), "w") as output:
        streams = {each.index: output.add_stream_from_template(each, opaque=True) for each in original.streams}
        output.add_attachment("cover.jpg", "image/jpeg", photo.read_bytes())
        for packet in original.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    return covered if path.suffix == ".mkv" else stylized(covered, path)


def covers(path: Path) -> list[bytes]:
    """The bytes of each cover picture."""
    found = []
    with av.open(str(path)) as container:
        for stream in container.streams.video:
            if stream.disposition & av.stream.Disposition.attached_pic:
                found.append(next(bytes(packet) for packet in container.demux(stream) if packet.size))
    return found


MASTERED = {
    "preset": "ultrafast",
    "x265-params": "log-level=error:hdr10=1:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)",
}
HDR = {
    "PQ": Clip(frames=3, pixel_format="yuv420p10le", colour=(9, 16, 9, 1)),
    "HLG": Clip(frames=3, pixel_format="yuv420p10le", colour=(9, 18, 9, 1)),
    "PQ without matrix": Clip(frames=3, pixel_format="yuv420p10le", colour=(2, 16, 2, 0)),
    "mastered, but untagged": Clip(frames=3, pixel_format="yuv420p10le", codec="libx265", options=MASTERED),
}


@pytest.mark.parametrize("row", HDR)
def test_hdr_is_refused_with_a_command_that_works(tmp_path: Path, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    """HDR is exit code 3 and one line with a command; what the command makes is SDR, and is taken."""
    source, output, photo = write_clip(tmp_path / "in.mp4", HDR[row]), tmp_path / "out.mp4", tmp_path / "photo.png"
    write_picture(photo, BLUE)
    arguments = ["stylize", str(source), "--style", str(photo), "-o", str(output)]
    assert main(arguments) == INPUT_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert str(source) in line and "HDR" in line
    assert not output.exists()
    command = shlex.split(line.split("first: ")[1])
    assert command[0] == "ffmpeg"
    tone_mapped = _run_ffmpeg(command, source, tmp_path / "sdr.mp4")
    assert film(tone_mapped).tags == (1, 1, 1, LIMITED)
    stylized(tone_mapped, output)


def _run_ffmpeg(command: list[str], source: Path, output: Path) -> Path:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None or b" zscale " not in subprocess.run([ffmpeg, "-filters"], capture_output=True).stdout:
        pytest.skip("the command can only be tried where there is an ffmpeg with zscale")
    names = {"ffmpeg": ffmpeg, "IN": str(source), "OUT.mp4": str(output)}
    done = subprocess.run([names.get(word, word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output
