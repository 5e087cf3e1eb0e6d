"""Writes a video with the source's exact timing, sound, subtitles and tags, whole or not at all, and goes on after
an interruption where it was."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from os import PathLike, devnull
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from mvstylizer import durable
from mvstylizer.errors import EdgeError, InputError, MVStylizerError, NoSpaceError, OutputError, UsageError
from mvstylizer.video.encoder import Encoding, PictureEncoder
from mvstylizer.video.frame import Planes
from mvstylizer.video.info import OtherStream, VideoInfo
from mvstylizer.video.joining import FORMATS, join, new_output
from mvstylizer.video.reader import VideoReader
from mvstylizer.video.segments import SegmentFile, SegmentStore
from mvstylizer.video.tracks import OtherTracks
from mvstylizer.video.verify import verify

SEGMENT_FRAMES = 120
"""A segment ends at the first key frame behind so many frames: what a killed run loses at most, and a little more."""
_LEAST_BITS = 0.01
"""A pixel and frame; less does not suffice for any video, so a disk with less room is full before the first frame."""
_MEGABYTE = 1_000_000


class VideoWriter:
    """Encodes planes beside everything else that the source holds.

    Use as a context manager. The file gets its name only after a clean exit, verified. After an exception, or a kill,
    finished segments of it stay in a hidden directory beside it; ``resume`` takes them up. From the source come time
    base, rotation, pixel shape, colour tags, metadata, chapters, and every sound, subtitle and attachment track bit
    for bit; ``left_out`` lists streams that are not copied.

    Times are exact in .mp4, .m4v and .mov. Matroska (.mkv) rounds every time to its grid of 1 ms.
    4:2:0 has even sizes only: an odd width or height grows by one pixel, the edge repeated.

    Raises, before any work: UsageError (format, a track that the format cannot hold), OutputError (the output exists
    and ``overwrite`` is not set, is the source, is being written by another process, or cannot be written there).
    Later: OutputError, NoSpaceError.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        source: VideoReader | VideoInfo,
        encoding: Encoding | None = None,
        *,
        overwrite: bool = False,
        segment_frames: int = SEGMENT_FRAMES,
    ) -> None:
        self._path, self._overwrite = Path(path), overwrite
        self._info = source.info if isinstance(source, VideoReader) else source
        self._encoding = encoding or Encoding()
        self._segment_frames = segment_frames
        self._store = SegmentStore(self._path)
        self._check()
        self.left_out = self._check_tracks()
        self._is_resumed = False
        self._last: int | None = None
        self._open: _OpenSegment | None = None
        self._session: AbstractContextManager[None] | None = None

    def __enter__(self) -> Self:
        self._session = self._run()
        self._session.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        session, self._session = self._session, None
        return session.__exit__(kind, error, trace) if session is not None else None

    def resume(self, identity: dict[str, Any]) -> tuple[int, int]:
        """Go on where a run with the same ``identity`` (JSON-ready) stopped; to be called before ``write``.

        Returns how many frames need not be written any more, and how many of them were key frames. What a run with
        another identity has left is removed.
        """
        self._check_session()
        encoding = {"crf": self._encoding.crf, "preset": self._encoding.preset, "codec": self._encoding.codec}
        self._store.resume(identity | {"encoding": encoding, "pyav": av.__version__})
        self._is_resumed = True
        self._check_space()
        return self._store.frames, self._store.key_frames

    def write(self, planes: Planes, pts: int, is_key: bool = False) -> None:
        """Append a frame: (H, W), (⌈H/2⌉, ⌈W/2⌉), (⌈H/2⌉, ⌈W/2⌉) uint8 in the source's matrix and range.

        ``pts`` is in the source's time base and must rise. At key frames a later run can begin.
        Raises ValueError for other shapes or times, OutputError and NoSpaceError when writing fails.
        """
        self._check_session()
        if not self._is_resumed:
            self.resume({})
        if self._last is not None and pts <= self._last:
            raise ValueError(f"pts must rise: {pts} after {self._last}")
        with self._write_errors():
            if self._open is not None and is_key and self._open.frames >= self._segment_frames:
                self._finish_segment()
                self._check_space()
            if self._open is None:
                self._open = _OpenSegment(self._store.begin(), PictureEncoder(self._info, self._encoding))
            self._open.write(planes, pts, is_key)
        self._last = pts

    def _check_session(self) -> None:
        if self._session is None:
            raise RuntimeError("a VideoWriter is written to inside its with block")

    def _check(self) -> None:
        if self._path.suffix.lower() not in FORMATS:
            raise UsageError(f"{self._path}: cannot tell the format; end the name in {', '.join(FORMATS)}")
        if self._path.exists() and self._path.samefile(self._info.path):
            raise OutputError(f"{self._path}: is the source itself; choose another name")
        self._store.sweep_published()
        durable.refuse_target(self._path, self._overwrite)

    def _check_tracks(self) -> tuple[OtherStream, ...]:
        with closing(OtherTracks(self._info)) as tracks:
            output, _ = new_output(devnull, self._kind, self._info, self._encoding, tracks)
            output.close()
            return tracks.left_out

    @property
    def _kind(self) -> str:
        return FORMATS[self._path.suffix.lower()]

    @contextmanager
    def _run(self) -> Iterator[None]:
        self._store.open()
        try:
            yield
            self._publish()
        except BaseException as error:
            self._abandon(error)
            raise
        finally:
            self._store.close()

    def _publish(self) -> None:
        with self._write_errors():
            if self._open is not None:
                self._finish_segment()
            if not self._store.segments:
                raise OutputError(f"{self._path}: not one frame came to be written; see what stopped the reading")
            with closing(OtherTracks(self._info)) as tracks:
                expected = join(self._store, self._kind, self._info, self._encoding, tracks)
        try:
            verify(self._store.joined, self._path, expected)
        except OutputError:
            # Made of the same segments it would be wrong again.
            self._store.discard()
            raise
        durable.refuse_target(self._path, self._overwrite)
        with self._write_errors():
            self._store.publish()

    def _finish_segment(self) -> None:
        if self._open is not None:
            self._open.finish()
            self._open = None

    def _abandon(self, error: BaseException) -> None:
        """Drop what is not finished; and everything, where no later run could go on."""
        if self._open is not None:
            self._open.abandon()
            self._open = None
        if isinstance(error, InputError):
            self._store.discard()
        if isinstance(error, NoSpaceError | EdgeError) and self._store.segments:
            done = f"{self._store.frames} frames are kept: the same command goes on from there"
            raise type(error)(f"{error}; {done}") from error

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except MVStylizerError:
            raise
        except OSError as error:
            raise durable.output_error(self._path, error, self._missing_bytes()) from error
        except av.FFmpegError as error:
            raise OutputError(f"{self._path}: cannot be written ({error}); try another format") from error

    def _check_space(self) -> None:
        """Stop before the disk is full, rather than when it is."""
        missing = self._missing_bytes()
        free = shutil.disk_usage(self._store.directory).free
        if missing is not None and free < missing:
            raise NoSpaceError(
                f"{self._path.parent}: {free / _MEGABYTE:.1f} MB are free and about {missing / _MEGABYTE:.1f} MB "
                "needed; make room or choose another disk"
            )

    def _missing_bytes(self) -> int | None:
        """Still to be written, segments and the joined file together, judged by what is written so far."""
        frames, store = self._info.frames, self._store
        if not frames:
            return None
        done, written = store.frames, store.size
        if self._open is not None:
            done, written = done + self._open.frames, written + self._open.size
        least = self._info.width * self._info.height * frames * _LEAST_BITS / 8
        whole = max(least, written * frames / done) if done else least
        return round(2 * whole - written)


class _OpenSegment:
    """The segment that frames go into."""

    def __init__(self, file: SegmentFile, encoder: PictureEncoder) -> None:
        self._file, self._encoder = file, encoder
        self.frames, self._key_frames = 0, 0

    @property
    def size(self) -> int:
        return self._file.size

    def write(self, planes: Planes, pts: int, is_key: bool) -> None:
        for packet in self._encoder.encode(planes, pts):
            self._file.append(packet)
        self.frames += 1
        self._key_frames += is_key

    def finish(self) -> None:
        for packet in self._encoder.finish():
            self._file.append(packet)
        self._file.finish(self.frames, self._key_frames)

    def abandon(self) -> None:
        self._file.abandon()
