"""Writing: the source's time, sound and tags come back exactly, or no file comes at all."""

import errno
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import AttachmentStream

from mvstylizer.errors import NoSpaceError, OutputError, UsageError
from mvstylizer.video import Encoding, VideoReader, VideoWriter, planes_to_rgb
from tests.clips import Clip, packets, picture, write_clip


def copy(source: Path, target: Path, *, crf: int = 12, codec: str = "h264") -> Path:
    """The identity stylizer: read, write, nothing else."""
    encoding = Encoding(crf=crf, codec=codec)
    with VideoReader(source) as reader, VideoWriter(target, reader, encoding) as writer:
        for frame in reader:
            writer.write((frame.y, frame.u, frame.v), frame.pts)
    return target


def times(path: Path) -> list[Fraction]:
    return [packet.time for packet in packets(path, "video")]


TIMINGS = {
    "constant": Clip(),
    "variable": Clip(pts=[0, 512, 700, 2000, 2001, 9000, 9600, 20_000]),
    "offset": Clip(start=12_807),
    "NTSC": Clip(time_base=Fraction(1001, 30_000), pts=range(5, 30)),
    "90 kHz": Clip(time_base=Fraction(1, 90_000), pts=[i * 3003 + 17 for i in range(40)]),
    "one frame": Clip(frames=1),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
@pytest.mark.parametrize("timing", TIMINGS)
def test_times_are_exact(tmp_path: Path, timing: str, suffix: str) -> None:
    """Every frame of an mp4 or mov comes back at exactly its second: constant, variable, with an offset."""
    clip = TIMINGS[timing]
    scale = str(clip.time_base.denominator)
    source = write_clip(tmp_path / "in.mov", replace(clip, muxer_options={"movie_timescale": scale}))
    assert times(source) == [pts * clip.time_base for pts in clip.times()]
    assert times(copy(source, tmp_path / f"out{suffix}")) == times(source)


@pytest.mark.parametrize("timing", TIMINGS)
def test_matroska_times_are_exact_to_the_millisecond(tmp_path: Path, timing: str) -> None:
    """Matroska rounds times to 1 ms and changes nothing else about them."""
    clip = replace(TIMINGS[timing], sounds=("aac",))
    scale = str(clip.time_base.denominator)
    source = write_clip(tmp_path / "in.mp4", replace(clip, muxer_options={"movie_timescale": scale}))
    target = copy(source, tmp_path / "out.mkv")
    for kind in ("video", "audio"):
        pairs = zip(packets(source, kind), packets(target, kind), strict=True)
        assert all(abs(a.time - b.time) <= Fraction(1, 2000) for a, b in pairs)


def test_the_last_frame_lasts_as_long_as_it_did(tmp_path: Path) -> None:
    """The track ends when the source's does, also when the last frame is a long one."""
    no_reordering = {"bf": "0", "preset": "ultrafast"}  # else ffmpeg's mp4 muxer gets the source wrong
    slow = replace(TIMINGS["variable"], last_duration=12_800, options=no_reordering)
    for clip in (slow, replace(slow, sounds=("aac",)), Clip(sounds=("aac",), frames=10)):
        source = write_clip(tmp_path / "in.mp4", clip)
        with (
            VideoReader(source) as reader,
            VideoWriter(tmp_path / "out.mp4", reader, overwrite=True) as writer,
        ):
            for frame in reader:
                writer.write((frame.y, frame.u, frame.v), frame.pts)
        with av.open(str(source)) as a, av.open(str(tmp_path / "out.mp4")) as b:
            assert abs((a.duration or 0) - (b.duration or 0)) <= 1000  # microseconds


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("in.mp4", Clip(sounds=("aac", "aac"), subtitle="mov_text")),
        ("in.mp4", Clip(sounds=("aac",), sound_first=True, start=12_800)),
        ("in.mov", Clip(sounds=("pcm_s16le", "aac"), sound_first=True)),
        ("in.mkv", Clip(sounds=("flac", "libopus", "aac"), subtitle="subrip")),
    ],
    ids=["two and text", "first", "pcm", "mkv"],
)
def test_sound_and_subtitles_are_the_same_bits(tmp_path: Path, name: str, clip: Clip) -> None:
    """Every packet of every track has its bytes and its time, and tracks keep order, language and title."""
    source = write_clip(tmp_path / name, clip)
    target = copy(source, tmp_path / f"out{source.suffix}")
    for number in range(len(clip.sounds)):
        assert packets(target, "audio", number) == packets(source, "audio", number)
    if clip.subtitle:
        assert packets(target, "subtitle") == packets(source, "subtitle")
    with av.open(str(source)) as a, av.open(str(target)) as b:
        assert [s.type for s in a.streams] == [s.type for s in b.streams]
        assert [s.language for s in a.streams] == [s.language for s in b.streams]


def test_metadata_chapters_and_attachments_are_kept(tmp_path: Path) -> None:
    """The title, the chapters and an attached font come along."""
    clip = Clip(metadata={"title": "Holiday", "comment": "sea"}, chapters=True, sounds=("aac",))
    for suffix in (".mp4", ".mkv"):
        source = write_clip(tmp_path / f"in{suffix}", clip)
        target = copy(source, tmp_path / f"out{suffix}")
        with av.open(str(target)) as container:
            metadata = {key.lower(): value for key, value in container.metadata.items()}
            assert (metadata["title"], metadata["comment"]) == ("Holiday", "sea")
            assert [c["metadata"]["title"] for c in container.chapters()] == ["One", "Two"]
            assert container.chapters()[1]["start"] * (container.chapters()[1]["time_base"] or 0) == Fraction(2, 5)
    font = tmp_path / "font.mkv"
    with av.open(str(source)) as container, av.open(str(font), "w") as output:
        streams = {s.index: output.add_stream_from_template(s, opaque=True) for s in container.streams}
        output.add_attachment("a.ttf", "font/ttf", b"glyphs")
        for packet in container.demux():
            if packet.dts is not None or packet.size:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    with av.open(str(copy(font, tmp_path / "copy.mkv"))) as container:
        assert [s.data for s in container.streams if isinstance(s, AttachmentStream)] == [b"glyphs"]
    with VideoReader(font) as reader, pytest.raises(UsageError, match="attachment track 2"):
        VideoWriter(tmp_path / "no.mp4", reader)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_and_pixel_shape_are_kept(tmp_path: Path, suffix: str, rotation: int) -> None:
    """A phone's sideways video and anamorphic pixels are shown as before."""
    clip = Clip(frames=3, rotation=rotation, sample_aspect_ratio=Fraction(4, 3))
    target = copy(write_clip(tmp_path / "in.mp4", clip), tmp_path / f"out{suffix}")
    with VideoReader(target) as reader:
        assert (reader.info.rotation, reader.info.sample_aspect_ratio) == (rotation, Fraction(4, 3))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (1, 1, 1, 2), (6, 6, 6, 1), (9, 14, 9, 1), (2, 2, 2, 0)], ids=str)
def test_identity_keeps_every_colour(tmp_path: Path, suffix: str, colour: tuple[int, int, int, int]) -> None:
    """Colour tags are copied; at high quality no colour moves by more than 3 of 255."""
    clip = Clip(frames=5, colour=colour)
    source = write_clip(tmp_path / "in.mp4", clip)
    with VideoReader(source) as before, VideoReader(copy(source, tmp_path / f"out{suffix}", crf=1)) as after:
        assert after.info.tags == before.info.tags
        for a, b in zip(before, after, strict=True):
            difference = np.abs(a.proxy.astype(int) - b.proxy)
            assert difference.mean() < 1 and np.percentile(difference, 99) <= 3


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_crf_0_is_lossless(tmp_path: Path, codec: str) -> None:
    """At crf 0 every plane comes back bit for bit, and at crf 1 it does not, with either encoder."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=5, options={"preset": "ultrafast", "crf": "2"}))

    def is_kept(crf: int) -> bool:
        target = copy(source, tmp_path / f"{crf}.mp4", crf=crf, codec=codec)
        with VideoReader(source) as before, VideoReader(target) as after:
            pairs = zip(before, after, strict=True)
            return all(np.array_equal(x, y) for a, b in pairs for x, y in ((a.y, b.y), (a.u, b.u), (a.v, b.v)))

    assert is_kept(0) and not is_kept(1)


@pytest.mark.parametrize("pixel_format", ["gray", "yuv420p10le", "yuv444p"])
def test_identity_keeps_other_pixel_formats(tmp_path: Path, pixel_format: str) -> None:
    """Grey, 10-bit and 4:4:4 sources come out as yuv420p that looks the same."""
    source = write_clip(tmp_path / "in.mp4", Clip(frames=5, pixel_format=pixel_format))
    with VideoReader(source) as before, VideoReader(copy(source, tmp_path / "out.mp4")) as after:
        for a, b in zip(before, after, strict=True):
            assert np.abs(a.proxy.astype(int) - b.proxy).mean() < 1.5


def test_odd_sizes_grow_by_one_repeated_pixel(tmp_path: Path) -> None:
    """Nothing is cropped: 95x63 becomes 96x64 with the last column and row doubled."""
    clip = Clip(95, 63, frames=3, pixel_format="yuv444p")
    target = copy(write_clip(tmp_path / "in.mp4", clip), tmp_path / "out.mp4")
    with VideoReader(target) as reader:
        frame = next(iter(reader))
        shown = planes_to_rgb(frame.y, frame.u, frame.v, reader.info.colour)
    assert frame.y.shape == (64, 96)
    assert np.abs(shown[:63, :95].astype(int) - picture(clip, 0)).mean() < 2
    assert np.abs(frame.y[:, 95].astype(int) - frame.y[:, 94]).max() <= 3


def test_the_result_plays_in_browsers(tmp_path: Path) -> None:
    """H.264, yuv420p, and the index before the data."""
    target = copy(write_clip(tmp_path / "in.mp4", Clip(sounds=("aac",))), tmp_path / "out.mp4")
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    data = target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return write_clip(tmp_path / "in.mp4", Clip(frames=10, sounds=("aac",)))


def refuse(source: Path, target: Path, match: str, kind: type[Exception] = OutputError, **options: object) -> None:
    before = sorted(target.parent.iterdir()) if target.parent.is_dir() else []
    with VideoReader(source) as reader, pytest.raises(kind, match=match):
        VideoWriter(target, reader, **options)  # type: ignore[arg-type]
    assert (sorted(target.parent.iterdir()) if target.parent.is_dir() else []) == before


def test_outputs_that_must_not_be_are_refused_before_any_work(source: Path, tmp_path: Path) -> None:
    """An existing file, the source, a missing directory, an unknown ending: one line, nothing touched."""
    taken = tmp_path / "out" / "taken.mp4"
    taken.write_bytes(b"precious")
    link = tmp_path / "out" / "link.mp4"
    link.symlink_to(source)
    refuse(source, taken, "exists already")
    refuse(source, source, "is the source")
    refuse(source, link, "is the source", overwrite=True)
    refuse(source, tmp_path / "none" / "out.mp4", "no such directory")
    refuse(source, tmp_path / "out", "cannot tell the format", UsageError)
    refuse(source, tmp_path / "out" / "x.avi", "cannot tell the format", UsageError)
    assert taken.read_bytes() == b"precious"


def test_a_track_that_does_not_fit_is_named_before_any_work(tmp_path: Path) -> None:
    """Subrip does not go into mp4: the message names the track and the container that keeps it."""
    subbed = write_clip(tmp_path / "in.mkv", Clip(frames=5, sounds=("aac",), subtitle="subrip"))
    refuse(subbed, tmp_path / "out.mp4", r"subtitle track 2 \(subrip\).*\.mkv", UsageError)


def test_an_existing_file_is_replaced_only_at_the_end(source: Path, tmp_path: Path) -> None:
    """With overwrite the old file stands until the new one is whole."""
    target = tmp_path / "out" / "x.mp4"
    target.write_bytes(b"old")
    with VideoReader(source) as reader, VideoWriter(target, reader, overwrite=True) as writer:
        for frame in reader:
            writer.write((frame.y, frame.u, frame.v), frame.pts)
            assert target.read_bytes() == b"old"
    assert times(target) == times(source)
    assert [path.name for path in target.parent.iterdir()] == ["x.mp4"]


def test_an_exception_leaves_nothing(source: Path, tmp_path: Path) -> None:
    """What breaks inside the block comes out as it is, and no file stays, neither whole nor temporary."""
    target = tmp_path / "out" / "x.mp4"
    with (
        VideoReader(source) as reader,
        pytest.raises(KeyboardInterrupt),
        VideoWriter(target, reader) as writer,
    ):
        for index, frame in enumerate(reader):
            if index == 5:
                assert any(path.name.startswith(".x.") for path in target.parent.iterdir())
                raise KeyboardInterrupt
            writer.write((frame.y, frame.u, frame.v), frame.pts)
    assert list(target.parent.iterdir()) == []


def test_no_frame_is_no_file(source: Path, tmp_path: Path) -> None:
    """A block that wrote nothing is an error and not an empty video."""
    target = tmp_path / "out" / "x.mp4"
    refusal = pytest.raises(OutputError, match="not one frame")
    with VideoReader(source) as reader, refusal, VideoWriter(target, reader):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_wrong_frames_are_refused(source: Path, tmp_path: Path) -> None:
    """Planes of another size and times that do not rise are programming errors."""
    with VideoReader(source) as reader, pytest.raises(ValueError, match="rise"):
        frame = next(iter(reader))
        with VideoWriter(tmp_path / "out" / "x.mp4", reader) as writer:
            with pytest.raises(ValueError, match="planes must be"):
                writer.write((frame.y[2:], frame.u, frame.v), 0)
            writer.write((frame.y, frame.u, frame.v), 5)
            writer.write((frame.y, frame.u, frame.v), 5)


def test_a_full_disk_says_how_much_is_missing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC becomes a NoSpaceError with what is needed and what is free, and leaves nothing."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NoSpaceError, match=r"MB are free"):
        copy(source, tmp_path / "out" / "x.mp4")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_result_that_differs_is_not_published(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finished file is read back before it gets its name; a lost frame is noticed."""
    monkeypatch.setattr(
        "mvstylizer.video.joining.Expected",
        lambda n, first, last, tracks: _expected(n + 1, first, last, tracks),
    )
    with pytest.raises(OutputError, match="10 of 11 frames"):
        copy(source, tmp_path / "out" / "x.mp4")
    assert list((tmp_path / "out").iterdir()) == []


def _expected(frames: int, first: Fraction, last: Fraction, tracks: dict[str, int]) -> object:
    from mvstylizer.video.verify import Expected

    return Expected(frames, first, last, tracks)
