"""Reading: every frame with its exact time and colour, or one line that says what is wrong."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mvstylizer.errors import InputError
from mvstylizer.video import ColourSpace, ColourTags, Frame, OtherStream, VideoReader, planes_to_rgb, rgb_to_yuv
from mvstylizer.video.notices import left_out_notices
from tests.clips import Clip, picture, write_clip

FFMPEG_TRANSFERS = {"PQ": "smpte2084", "HLG": "arib-std-b67"}
FASTSTART = {"movflags": "faststart"}


def read(path: Path, proxy_size: int = 512) -> list[Frame]:
    with VideoReader(path, proxy_size) as reader:
        return list(reader)


@pytest.mark.parametrize(
    "clip",
    [
        Clip(),
        Clip(start=12_807),
        Clip(pts=[0, 512, 700, 2000, 2001, 9000, 20_000]),
        Clip(time_base=Fraction(1, 90_000)),
        Clip(frames=1),
        Clip(sounds=("aac",), sound_first=True),
        Clip(sounds=("pcm_s16le",), sound_first=True),
    ],
    ids=["constant", "offset", "variable", "90kHz", "one frame", "sound first", "pcm first"],
)
def test_every_frame_comes_with_its_own_time(tmp_path: Path, clip: Clip) -> None:
    """All frames come, in order, at exactly the seconds at which they were written."""
    options = {"movie_timescale": "12800"}
    path = write_clip(tmp_path / "in.mov", replace(clip, muxer_options=options))
    with VideoReader(path) as reader:
        times = [frame.pts * reader.info.time_base for frame in reader]
    assert times == [pts * clip.time_base for pts in clip.times()]


def test_frames_stay_valid_after_the_next_is_decoded(tmp_path: Path) -> None:
    """Planes held until the end still show their own picture; they cannot be written to."""
    clip = Clip()
    frames = read(write_clip(tmp_path / "in.mp4", clip))
    for index, frame in enumerate(frames):
        assert np.abs(frame.proxy.astype(int) - picture(clip, index)).mean() < 2
        assert not frame.y.flags.writeable
    assert [frame.is_key for frame in frames][:1] == [True]
    assert 2 <= sum(frame.is_key for frame in frames) <= 5


@pytest.mark.parametrize(
    ("pixel_format", "size"),
    [
        ("yuv420p", (96, 64)),
        ("yuv422p", (96, 64)),
        ("yuv444p", (96, 64)),
        ("yuv444p", (95, 63)),
        ("yuv420p10le", (96, 64)),
    ],
)
def test_other_pixel_formats_become_8_bit_420(tmp_path: Path, pixel_format: str, size: tuple[int, int]) -> None:
    """Planes have yuv420p shapes whatever the depth, subsampling and oddness, and the same picture."""
    clip = Clip(*size, frames=3, pixel_format=pixel_format)
    with VideoReader(write_clip(tmp_path / "in.mp4", clip)) as reader:
        frame = next(iter(reader))
        assert reader.info.bit_depth == (10 if "10" in pixel_format else 8)
        shown = planes_to_rgb(frame.y, frame.u, frame.v, reader.info.colour)
    width, height = size
    assert frame.y.shape == (height, width)
    assert frame.u.shape == frame.v.shape == ((height + 1) // 2, (width + 1) // 2)
    assert np.abs(shown.astype(int) - picture(clip, 0)).mean() < 2


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((1, 1, 1, 1), ColourSpace("bt709", "limited")),
        ((1, 1, 1, 2), ColourSpace("bt709", "full")),
        ((6, 6, 6, 1), ColourSpace("bt601", "limited")),
        ((9, 14, 9, 1), ColourSpace("bt2020", "limited")),
        ((2, 2, 2, 0), ColourSpace("bt601", "limited")),
    ],
    ids=["709", "709 full", "601", "2020", "untagged"],
)
def test_colour_tags_are_read_and_obeyed(
    tmp_path: Path, colour: tuple[int, int, int, int], expected: ColourSpace
) -> None:
    """The proxy shows the colours that were filmed, for every matrix and range; raw tags are kept."""
    clip = Clip(frames=2, colour=colour)
    with VideoReader(write_clip(tmp_path / "in.mp4", clip)) as reader:
        frame = next(iter(reader))
        assert reader.info.colour == expected
        assert reader.info.tags == ColourTags(*colour)
    assert np.abs(frame.proxy.astype(int) - picture(clip, 0)).mean() < 2
    assert abs(rgb_to_yuv(frame.proxy, expected)[..., 0].mean() - frame.y.mean()) < 1


def test_untagged_hd_is_bt709(tmp_path: Path) -> None:
    """From 720 lines on, unspecified means BT.709, as in players."""
    with VideoReader(write_clip(tmp_path / "in.mp4", Clip(16, 720, frames=1))) as reader:
        assert reader.info.colour == ColourSpace("bt709", "limited")


def test_what_is_known_before_reading(tmp_path: Path) -> None:
    """Rotation, pixel shape, rates, durations and the other tracks are told when opening."""
    clip = Clip(rotation=90, sample_aspect_ratio=Fraction(4, 3), sounds=("aac", "aac"))
    with VideoReader(write_clip(tmp_path / "in.mp4", clip)) as reader:
        info = reader.info
    assert (info.rotation, info.sample_aspect_ratio) == (90, Fraction(4, 3))
    assert (info.width, info.height, info.frames, info.duration) == (96, 64, 25, Fraction(1))
    assert (info.frame_rate, info.time_base, info.codec) == (Fraction(25), Fraction(1, 12_800), "h264")
    assert [(other.index, other.type, other.codec) for other in info.others] == [
        (1, "audio", "aac"),
        (2, "audio", "aac"),
    ]


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("in.mkv", Clip()),
        ("in.webm", Clip(codec="libvpx", options={"deadline": "realtime"})),
        ("in.avi", Clip(codec="mpeg4", options={}, time_base=Fraction(1, 25))),
        ("in.ts", Clip(sounds=("aac",))),
        ("in.mpg", Clip(codec="mpeg2video", options={}, time_base=Fraction(1, 25))),
        ("in.flv", Clip(sounds=("aac",))),
        ("in.mov", Clip(codec="mjpeg", pixel_format="yuvj422p", options={})),
        ("rgb.mkv", Clip(codec="ffv1", pixel_format="bgr0", options={})),
        ("fragments.mp4", Clip(muxer_options={"movflags": "frag_keyframe+empty_moov"})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_common_containers_are_read_whole(tmp_path: Path, name: str, clip: Clip) -> None:
    """All 25 frames come from every container that is let in, evenly spaced."""
    with VideoReader(write_clip(tmp_path / name, clip)) as reader:
        times = [float(frame.pts * reader.info.time_base) for frame in reader]
    np.testing.assert_allclose(np.diff(times), 0.04, atol=0.0011)
    assert len(times) == 25


def test_equal_times_are_told_apart(tmp_path: Path) -> None:
    """Times that a coarse container has made equal still rise, by the least step."""
    clip = Clip(pts=[0, 400, 402, 800], time_base=Fraction(1, 10_000), options={"bf": "0", "preset": "ultrafast"})
    assert [frame.pts for frame in read(write_clip(tmp_path / "in.mkv", clip))] == [0, 40, 41, 80]


def test_a_reader_is_read_once_and_from_any_thread(tmp_path: Path) -> None:
    """Frames may be pulled by another thread than the one that opened the file, but only once."""
    with VideoReader(write_clip(tmp_path / "in.mp4", Clip())) as reader:
        with ThreadPoolExecutor(1) as pool:
            assert len(pool.submit(list, reader).result()) == 25
        with pytest.raises(RuntimeError, match="once"):
            iter(reader)


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv"])
@pytest.mark.parametrize("share", [0.4, 0.7])
def test_a_file_cut_off_in_the_middle_is_refused(tmp_path: Path, name: str, share: float) -> None:
    """The frames before the cut come, then an error that says at which second it breaks off."""
    path = write_clip(tmp_path / name, Clip(frames=50, muxer_options=FASTSTART if "mp4" in name else {}))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    frames = []
    with VideoReader(path) as reader, pytest.raises(InputError, match=r"breaks off at [01]\.\d s.*keep"):
        for frame in reader:
            frames.append(frame)
    assert 0 < len(frames) < 50


def test_damage_in_the_middle_is_refused(tmp_path: Path) -> None:
    """Packets that cannot be decoded, with good ones after them, are not skipped in silence."""
    path = write_clip(tmp_path / "in.mp4", Clip(frames=60, muxer_options=FASTSTART))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4 + (len(data) - data.index(b"mdat")) // 3
    data[start : start + 3000] = b"\xff" * 3000
    path.write_bytes(data)
    with pytest.raises(InputError, match="breaks off at"):
        read(path)


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv"])
def test_a_missing_last_packet_is_no_error(tmp_path: Path, name: str) -> None:
    """A file that lacks its last packet is read to where it goes, give or take what hung on that packet."""
    path = write_clip(tmp_path / name, Clip(frames=50, muxer_options=FASTSTART if "mp4" in name else {}))
    with av.open(str(path)) as container:
        last = max((p for p in container.demux(video=0) if p.size), key=lambda packet: packet.pos or 0)
        position = last.pos or 0
    path.write_bytes(path.read_bytes()[: position + 5])
    assert 46 <= len(read(path)) <= 50


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        VideoReader(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    """What is not there, or is no file, is said in one line."""
    assert "no such file" in refused(tmp_path / "nowhere.mp4")
    assert "not a file" in refused(tmp_path)


def test_other_files_are_not_videos(tmp_path: Path) -> None:
    """Text, noise, an empty file and half an mp4 are refused as no videos."""
    (tmp_path / "notes.mp4").write_text("hello " * 100)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    (tmp_path / "empty.mp4").touch()
    whole = write_clip(tmp_path / "whole.mp4", Clip())
    (tmp_path / "half.mp4").write_bytes(whole.read_bytes()[:3000])
    for name in ("notes.mp4", "noise.mp4", "empty.mp4", "half.mp4"):
        assert "not a video" in refused(tmp_path / name)


def test_a_file_without_a_picture_is_refused(tmp_path: Path) -> None:
    """Sound alone is no video."""
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", 48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), "s16", "stereo")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert "no video stream" in refused(path)


def test_a_script_that_names_other_files_is_refused(tmp_path: Path) -> None:
    """An ffconcat or HLS script, whatever its name, opens no other file."""
    write_clip(tmp_path / "private.ts", Clip())
    (tmp_path / "concat.mp4").write_text("ffconcat version 1.0\nfile private.ts\n")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nprivate.ts\n#EXT-X-ENDLIST\n")
    with av.open(str(tmp_path / "concat.mp4")) as container:
        assert container.format.name == "concat"  # it does work where nobody forbids it
    for name in ("concat.mp4", "list.mp4"):
        assert "not a video" in refused(tmp_path / name)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_with_advice(tmp_path: Path, transfer: int, name: str) -> None:
    """HDR is not shown wrongly but refused, with a command that makes it SDR."""
    clip = Clip(frames=2, pixel_format="yuv420p10le", colour=(9, transfer, 9, 1))
    message = refused(write_clip(tmp_path / "in.mp4", clip))
    assert name in message and "tonemap" in message and FFMPEG_TRANSFERS[name] in message


@pytest.mark.parametrize(
    ("clip", "notices"),
    [
        (Clip(pixel_format="yuv422p10le"), ["10-bit video", "4:2:2 colour"]),
        (Clip(codec="ffv1", pixel_format="yuva444p", options={}), ["4:4:4 colour", "transparency"]),
        (Clip(codec="ffv1", pixel_format="bgr0", options={}), ["RGB video is written as YUV"]),
        (Clip(95, 62, codec="ffv1", options={}), ["95x62 is written as 96x62"]),
        (Clip(options={"x264-params": "interlaced=1:log-level=error"}), ["interlaced video"]),
        (Clip(pixel_format="yuv420p10le", colour=(9, 2, 9, 1)), ["10-bit video", "taken for SDR"]),
        (Clip(pixel_format="gray", sounds=("aac",), rotation=90), []),
    ],
    ids=["10 bit 4:2:2", "alpha", "RGB", "odd", "interlaced", "untold wide colour", "nothing"],
)
def test_what_cannot_be_kept_is_noticed(tmp_path: Path, clip: Clip, notices: list[str]) -> None:
    """A reader knows when opening, a line each, what an output will not hold of the picture."""
    with VideoReader(write_clip(tmp_path / "in.mkv", replace(clip, frames=2))) as reader:
        assert len(reader.notices) == len(notices)
        for found, wanted in zip(reader.notices, notices, strict=True):
            assert wanted in found and "\n" not in found


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("in.ts", Clip(sounds=("aac",))),
        ("in.ogv", Clip(codec="libvpx", options={}, time_base=Fraction(1, 25))),
        ("in.gif", Clip(codec="gif", pixel_format="rgb8", options={}, time_base=Fraction(1, 100))),
    ],
    ids=["ts", "ogg", "gif"],
)
def test_an_end_that_is_cut_off_is_noticed_where_nothing_counts_the_frames(
    tmp_path: Path, name: str, clip: Clip
) -> None:
    """Transport streams, Ogg and GIF do not say how long they are; that they end in the middle is told."""
    path = write_clip(tmp_path / name, clip)
    with VideoReader(path) as reader:
        assert not any("cut off" in notice for notice in reader.notices)
    data = path.read_bytes()
    for length in (len(data) * 7 // 10, len(data) - 1):
        path.write_bytes(data[:length])
        with VideoReader(path) as reader:
            assert any("cut off" in notice for notice in reader.notices)


@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {"preset": "veryfast"}), ("mpeg4", {"bf": "2", "b": "4000000"}), ("mpeg4", {"b": "4000000"})],
    ids=["H.264 reordered", "MPEG-4 reordered", "MPEG-4"],
)
def test_frames_of_an_avi_are_evenly_spaced(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    """AVI has no presentation times; frames that are stored in another order are shown one after the other anyway."""
    clip = Clip(codec=codec, options=options, time_base=Fraction(1, 25))
    frames = read(write_clip(tmp_path / "in.avi", clip))
    assert set(np.diff([frame.pts for frame in frames])) == {1}
    for index, frame in enumerate(frames):
        assert np.abs(frame.proxy.astype(int) - picture(clip, index)).mean() < 5


def test_left_out_tracks_are_noticed() -> None:
    """A track that is not copied is named by its kind, number and codec."""
    lines = left_out_notices([OtherStream(2, "data", "bin_data"), OtherStream(3, "video", "mjpeg")])
    assert lines == ("data track 2 (bin_data) is left out", "video track 3 (mjpeg) is left out")


def test_huge_pictures_are_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More pixels than allowed is an error by the header alone."""
    monkeypatch.setattr("mvstylizer.video.info.MAX_PIXELS", 96 * 64 - 1)
    assert "too large" in refused(write_clip(tmp_path / "in.mp4", Clip(frames=2)))
