"""What a run that stopped leaves behind: whole segments only, taken up by the same job and by no other."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from mvstylizer.errors import EdgeError, InputError, NoSpaceError, OutputError
from mvstylizer.video import Encoding, VideoReader, VideoWriter
from mvstylizer.video.segments import SegmentStore
from tests.clips import Clip, packets, write_clip

JOB = {"what": "a test"}
EVERY = 10
"""Frames of a segment."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in.mp4", Clip(frames=47, sounds=("aac",)))


def write(
    source: Path, target: Path, stop: int | None = None, job: dict[str, str] = JOB,
    error: BaseException | None = None, encoding: Encoding | None = None,
) -> tuple[int, int]:  # fmt: skip
    """Copy, with a key frame every five frames, and break off before frame ``stop``; returns what was resumed."""
    with (
        VideoReader(source) as reader,
        VideoWriter(target, reader, encoding, overwrite=True, segment_frames=EVERY) as writer,
    ):
        resumed = writer.resume(dict(job))
        for index, frame in enumerate(reader.frames_from(resumed[0]), start=resumed[0]):
            if index == stop:
                raise error or KeyboardInterrupt
            writer.write((frame.y, frame.u, frame.v), frame.pts, is_key=index % 5 == 0)
    return resumed


def stopped(source: Path, target: Path, stop: int, **settings: object) -> Path:
    """The directory that a run leaves which breaks off before frame ``stop``."""
    with pytest.raises(KeyboardInterrupt):
        write(source, target, stop, **settings)  # type: ignore[arg-type]
    assert not target.exists()
    return SegmentStore(target).directory


def picture_packets(path: Path) -> list[tuple[Fraction, Fraction, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1)
        return [
            (p.pts * base, p.dts * base, bytes(p))
            for p in container.demux(stream)
            if p.pts is not None and p.dts is not None
        ]


@pytest.mark.parametrize("stop", [9, 10, 11, 25, 46])
def test_the_same_job_goes_on_and_ends_the_same(source: Path, tmp_path: Path, stop: int) -> None:
    """Whole segments are kept and not written again; picture, times and sound are those of an uninterrupted run."""
    write(source, tmp_path / "whole.mp4")
    target = tmp_path / "out.mp4"
    kept = (stop - 1) // EVERY * EVERY
    left = stopped(source, target, stop)
    assert left.exists() == (kept > 0)
    assert write(source, target) == (kept, kept // 5)
    assert picture_packets(target) == picture_packets(tmp_path / "whole.mp4")
    assert packets(target, "audio") == packets(source, "audio")
    assert not left.exists()


def test_segments_follow_each_other_in_time(source: Path, tmp_path: Path) -> None:
    """Pictures are decoded in rising order, none after it is shown, whatever the frame rate does at a seam."""
    pts = [0]
    for index in range(1, 60):
        pts.append(pts[-1] + (7000 if index in (9, 10, 11, 20, 39, 41) else 100 + 37 * (index % 5)))
    variable = write_clip(tmp_path / "variable.mp4", Clip(pts=pts))
    write(variable, tmp_path / "out.mp4")
    found = picture_packets(tmp_path / "out.mp4")
    dts = [packet[1] for packet in found]
    assert dts == sorted(set(dts)) and all(shown >= decoded for shown, decoded, _ in found)
    assert sorted(packet[0] for packet in found) == [p * Fraction(1, 12_800) for p in pts]


@pytest.mark.parametrize("encoding", [Encoding(crf=30), Encoding(preset="ultrafast")])
def test_another_encoding_is_another_job(source: Path, tmp_path: Path, encoding: Encoding) -> None:
    """Segments of other settings do not fit together, so the run begins anew."""
    stopped(source, tmp_path / "out.mp4", 25)
    assert write(source, tmp_path / "out.mp4", encoding=encoding) == (0, 0)


def test_another_job_begins_anew(source: Path, tmp_path: Path) -> None:
    """What another job has left under the name is removed, at once and not at the end."""
    left = stopped(source, tmp_path / "out.mp4", 25)
    stopped(source, tmp_path / "out.mp4", 5, job={"what": "another"})
    assert not left.exists()
    assert write(source, tmp_path / "out.mp4") == (0, 0)


@pytest.mark.parametrize(
    ("file", "kept"),
    [("00000010.packets", 10), ("00000010.json", 10), ("00000000.packets", 0), ("00000020.packets", 20)],
)
@pytest.mark.parametrize("harm", ["gone", "cut", "changed", "empty"])
def test_damaged_segments_and_all_behind_them_are_made_again(
    source: Path, tmp_path: Path, file: str, kept: int, harm: str
) -> None:
    """A file that is missing, cut short or changed costs its segment and the later ones, and nothing else."""
    left = stopped(source, tmp_path / "out.mp4", 45)
    path = left / file
    data = bytearray(path.read_bytes())
    if harm == "gone":
        path.unlink()
    elif harm == "changed":
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    else:
        path.write_bytes(data[: len(data) // 2] if harm == "cut" else b"")
    resumed, _ = write(source, tmp_path / "out.mp4")
    # A changed digit of an index may leave sense; then the payload must still be what it was.
    assert resumed == kept or (harm == "changed" and file.endswith("json") and resumed == 40)
    write(source, tmp_path / "whole.mp4")
    if resumed == kept:
        assert picture_packets(tmp_path / "out.mp4") == picture_packets(tmp_path / "whole.mp4")


def test_two_at_once_are_refused(source: Path, tmp_path: Path) -> None:
    """While a process writes an output, another one that is to write it too says so and touches nothing."""
    target = tmp_path / "out.mp4"
    with VideoReader(source) as reader, VideoWriter(target, reader) as writer:
        writer.resume(dict(JOB))
        with pytest.raises(OutputError, match="being written by another process"):
            write(source, target)
        for frame in reader:
            writer.write((frame.y, frame.u, frame.v), frame.pts)
    assert len(packets(target, "video")) == 47


def test_a_kill_after_publishing_leaves_no_trace_for_long(source: Path, tmp_path: Path) -> None:
    """Segments that outlived their published output are removed by whoever wants to write there next."""
    target = tmp_path / "out.mp4"
    left = stopped(source, target, 25)
    (left / "published").touch()
    target.write_bytes(b"published")
    with VideoReader(source) as reader, pytest.raises(OutputError, match="exists already"):
        VideoWriter(target, reader)
    assert not left.exists()


@pytest.mark.parametrize("error", [EdgeError("the edge is away"), NoSpaceError("disk full")])
def test_errors_that_pass_say_that_work_is_kept(source: Path, tmp_path: Path, error: Exception) -> None:
    """An edge that is away, a full disk: the message tells that the same command goes on."""
    with pytest.raises(type(error), match="20 frames are kept: the same command goes on"):
        write(source, tmp_path / "out.mp4", 25, error=error)
    assert write(source, tmp_path / "out.mp4") == (20, 4)


def test_a_broken_source_leaves_nothing(source: Path, tmp_path: Path) -> None:
    """Where no later run could come further, no segments stay."""
    with pytest.raises(InputError, match="breaks off"):
        write(source, tmp_path / "out.mp4", 25, error=InputError("in.mp4: breaks off"))
    assert not SegmentStore(tmp_path / "out.mp4").directory.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True).returncode
    ):
        pytest.skip("file systems can be mounted by root only")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_keeps_what_is_done(source: Path, tmp_path: Path, small_disk: Path) -> None:
    """On a disk that is really full the run says so and stops; with room again it ends as if nothing had been."""
    target = small_disk / "out.mp4"
    stopped(source, target, 25)
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free // 4096 * 4096))
    with pytest.raises(NoSpaceError, match="20 frames are kept"):
        write(source, target)
    (small_disk / "ballast").unlink()
    assert write(source, target) == (20, 4)
    write(source, tmp_path / "whole.mp4")
    assert picture_packets(target) == picture_packets(tmp_path / "whole.mp4")


def test_too_little_room_is_told_before_any_work(tmp_path: Path, small_disk: Path) -> None:
    """A video that cannot fit is refused before its first frame, with what is free and what is needed."""
    large = write_clip(tmp_path / "large.mp4", Clip(width=960, height=540, frames=3))
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 4096))
    refusal = pytest.raises(NoSpaceError, match="MB are free and about")
    with VideoReader(large) as reader, refusal, VideoWriter(small_disk / "out.mp4", reader) as writer:
        writer.resume(dict(JOB))
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast"]


def test_the_job_is_written_down_readably(source: Path, tmp_path: Path) -> None:
    """The directory says in plain JSON which job its segments belong to."""
    left = stopped(source, tmp_path / "out.mp4", 25)
    job = json.loads((left / "job.json").read_text())
    assert job["what"] == "a test" and job["encoding"]["crf"] == 18
