"""What is done of a video that is not finished: a hidden directory beside it, which a killed run leaves to the next.

``.NAME.unfinished/`` holds ``job.json``, which says exactly what is being made, and two files a segment, named by its
first frame: ``00000120.packets``, encoded pictures one after the other, and ``00000120.json``, where each lies and
when it is shown. The second is written when the first is safe on the disk, so whatever has both is whole.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from av.packet import Packet
from av.video.stream import VideoStream
from filelock import FileLock, Timeout

from mvstylizer import durable
from mvstylizer.errors import OutputError

_JOB, _LOCK, _JOINED, _PUBLISHED = "job.json", "lock", "joined", "published"


@dataclass(frozen=True)
class StoredPacket:
    """An encoded picture: times in the source's time base, whether it needs no other, and its bytes."""

    pts: int
    dts: int
    is_key: bool
    size: int


@dataclass(frozen=True)
class Segment:
    """A finished run of frames: index of its first, how many, how many of them key frames, and its packets."""

    first: int
    frames: int
    key_frames: int
    sha256: str
    packets: tuple[StoredPacket, ...]


class SegmentStore:
    """The finished segments of one output. ``open`` it before anything else, and ``close`` it.

    Raises OutputError, NoSpaceError: the directory cannot be written, or another process is at it.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.directory = target.with_name(f".{target.name}.unfinished")
        self.segments: list[Segment] = []
        self._lock = FileLock(self.directory / _LOCK)

    @property
    def frames(self) -> int:
        """Frames in finished segments."""
        return sum(segment.frames for segment in self.segments)

    @property
    def key_frames(self) -> int:
        """Key frames in finished segments."""
        return sum(segment.key_frames for segment in self.segments)

    @property
    def size(self) -> int:
        """Bytes of all pictures in finished segments."""
        return sum(packet.size for segment in self.segments for packet in segment.packets)

    @property
    def joined(self) -> Path:
        """Where the whole video is put together before it gets its name."""
        return self.directory / _JOINED

    def open(self) -> None:
        """Make the directory this process's own; what another job has left there goes with ``resume``."""
        try:
            self.directory.mkdir(exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(f"{self._target}: is being written by another process; wait for it or stop it") from error
        except OSError as error:
            raise durable.output_error(self._target, error) from error

    def close(self) -> None:
        """Let others have the directory, and remove it if it holds nothing of use."""
        if not self.segments:
            self.discard()
        self._lock.release()

    def resume(self, identity: dict[str, Any]) -> None:
        """Take up the segments of the same job, whose ``identity`` is JSON-ready; drop those of any other."""
        job = self.directory / _JOB
        text = json.dumps(identity, indent=1, sort_keys=True)
        self.segments = self.sound_segments() if job.is_file() and job.read_text() == text else []
        self._sweep()
        durable.write_text(job, text, overwrite=True)

    def begin(self) -> "SegmentFile":
        """A new segment behind the finished ones."""
        return SegmentFile(self, self.frames)

    def stored(self) -> Iterator[tuple[Segment, Iterator[bytes]]]:
        """Each segment with the bytes of its packets, in order."""
        for segment in self.segments:
            with self._payload(segment.first).open("rb") as file:
                yield segment, (file.read(packet.size) for packet in segment.packets)

    def publish(self) -> None:
        """Give the joined file the target's name; from then on the segments are of no use."""
        durable.fsync(self.joined)
        (self.directory / _PUBLISHED).touch()
        durable.fsync(self.directory)
        self.joined.replace(self._target)
        durable.fsync(self._target.parent)
        self.discard()

    def discard(self) -> None:
        """Remove everything."""
        self.segments = []
        shutil.rmtree(self.directory, ignore_errors=True)

    def sweep_published(self) -> None:
        """Remove what a run has left that was killed between giving its output the name and cleaning up."""
        if (self.directory / _PUBLISHED).exists() and not self.joined.exists():
            shutil.rmtree(self.directory, ignore_errors=True)

    def sound_segments(self) -> list[Segment]:
        """What lies in the directory: the finished segments from the first on, up to one that is missing or damaged."""
        segments: list[Segment] = []
        first = 0
        while (segment := self._read(first)) is not None:
            segments.append(segment)
            first += segment.frames
        return segments

    def _read(self, first: int) -> Segment | None:
        """The segment that begins with this frame, None if there is no sound one."""
        try:
            values = json.loads(self._index(first).read_text())
            with self._payload(first).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != values["sha256"]:
                    return None
            packets = tuple(StoredPacket(*packet) for packet in values.pop("packets"))
            return Segment(**values, packets=packets)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _sweep(self) -> None:
        """Remove files of segments that are not finished, or of another job."""
        kept = {_LOCK} | {path(s.first).name for s in self.segments for path in (self._index, self._payload)}
        for path in self.directory.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _index(self, first: int) -> Path:
        return self.directory / f"{first:08d}.json"

    def _payload(self, first: int) -> Path:
        return self.directory / f"{first:08d}.packets"


class SegmentFile:
    """A segment that is being written."""

    def __init__(self, store: SegmentStore, first: int) -> None:
        self._store, self._first = store, first
        self._path = store._payload(first)
        self._file: BinaryIO = self._path.open("wb")
        self._hash = hashlib.sha256()
        self._packets: list[StoredPacket] = []

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return sum(packet.size for packet in self._packets)

    def append(self, packet: "Packet[VideoStream]") -> None:
        """Write an encoded picture."""
        data = bytes(packet)
        self._file.write(data)
        self._hash.update(data)
        self._packets.append(StoredPacket(packet.pts or 0, packet.dts or 0, packet.is_keyframe, len(data)))

    def finish(self, frames: int, key_frames: int) -> None:
        """Make the segment one of the store's, safe from now on."""
        self._file.close()
        durable.fsync(self._path)
        segment = Segment(self._first, frames, key_frames, self._hash.hexdigest(), tuple(self._packets))
        values = asdict(segment) | {"packets": [[p.pts, p.dts, p.is_key, p.size] for p in segment.packets]}
        durable.write_text(self._store._index(self._first), json.dumps(values), overwrite=True)
        self._store.segments.append(segment)

    def abandon(self) -> None:
        """Remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)
