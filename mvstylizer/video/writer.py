"""Writes a video with the source's exact timing, sound, subtitles and tags, whole or not at all."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from os import PathLike, devnull
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mvstylizer import durable
from mvstylizer.errors import OutputError, UsageError
from mvstylizer.video.encoder import add_picture, encoder_frame
from mvstylizer.video.frame import Planes
from mvstylizer.video.info import OtherStream, VideoInfo
from mvstylizer.video.reader import VideoReader
from mvstylizer.video.tracks import OtherTracks
from mvstylizer.video.verify import Expected, verify

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
_MAX_CRF = 51


class VideoWriter:
    """Encodes planes as H.264 (yuv420p) beside everything else that the source holds.

    Use as a context manager. The file gets its name only after a clean exit, verified; after an exception
    nothing is left of it. From the source come time base, rotation, pixel shape, colour tags, metadata,
    chapters, and every sound, subtitle and attachment track bit for bit; ``left_out`` lists streams that are
    not copied.

    Times are exact in .mp4, .m4v and .mov. Matroska (.mkv) rounds every time to its grid of 1 ms.
    H.264 4:2:0 has even sizes only: an odd width or height grows by one pixel, the edge repeated.

    ``crf`` 0..51 (0 lossless, 18 hardly visible), ``preset`` of x264, ``threads`` of the encoder (0: as x264
    likes).

    Raises, before any work: UsageError (format, crf, preset, a track that the format cannot hold),
    OutputError (the output exists and ``overwrite`` is not set, is the source, or cannot be written there).
    Later: OutputError, NoSpaceError.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        source: VideoReader | VideoInfo,
        *,
        crf: int = 18,
        preset: str = "veryfast",
        overwrite: bool = False,
        threads: int = 0,
    ) -> None:
        self._path, self._overwrite = Path(path), overwrite
        self._info = source.info if isinstance(source, VideoReader) else source
        self._options = {"crf": str(crf), "preset": preset}
        self._threads = threads
        self._check(crf, preset)
        self.left_out = self._check_tracks()
        self._count, self._first, self._last, self._step = 0, 0, 0, 0
        self._first_dts: int | None = None
        self._held: VideoFrame | None = None
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

    def write(self, frame_planes: Planes, pts: int) -> None:
        """Append a frame: (H, W), (⌈H/2⌉, ⌈W/2⌉), (⌈H/2⌉, ⌈W/2⌉) uint8 in the source's matrix and range.

        ``pts`` is in the source's time base and must rise. Raises ValueError for other shapes or times,
        OutputError and NoSpaceError when writing fails.
        """
        if self._session is None:
            raise RuntimeError("a VideoWriter is written to inside its with block")
        if self._count and pts <= self._last:
            raise ValueError(f"pts must rise: {pts} after {self._last}")
        frame = encoder_frame(frame_planes, self._info, pts)
        if self._count:
            self._step = pts - self._last
            self._encode_held(self._step)
        else:
            self._first = pts
        self._held, self._last = frame, pts
        self._count += 1

    def _check(self, crf: int, preset: str) -> None:
        if self._path.suffix.lower() not in FORMATS:
            raise UsageError(f"{self._path}: cannot tell the format; end the name in {', '.join(FORMATS)}")
        if preset not in PRESETS:
            raise UsageError(f"preset {preset!r} is not one of x264's; choose of {', '.join(PRESETS)}")
        if not 0 <= crf <= _MAX_CRF:
            raise UsageError(f"crf {crf} is out of range; choose 0 (lossless) to {_MAX_CRF} (worst)")
        if self._path.exists() and self._path.samefile(self._info.path):
            raise OutputError(f"{self._path}: is the source itself; choose another name")
        durable.refuse_target(self._path, self._overwrite)

    def _check_tracks(self) -> tuple[OtherStream, ...]:
        with closing(OtherTracks(self._info)) as tracks:
            self._new_output(devnull, tracks)
            return tracks.left_out

    @contextmanager
    def _run(self) -> Iterator[None]:
        with (
            closing(OtherTracks(self._info)) as self._tracks,
            durable.replacing(self._path, self._overwrite) as self._part,
        ):
            self._output, self._stream = self._new_output(str(self._part), self._tracks)
            try:
                with self._write_errors():
                    self._output.start_encoding()
                yield
                self._finish()
            except BaseException:
                self._abandon()
                raise
            verify(self._part, self._path, self._expected())

    def _new_output(self, name: str, tracks: OtherTracks) -> tuple[OutputContainer, VideoStream]:
        """A container with all its tracks; nothing is written before its encoding starts."""
        kind = FORMATS[self._path.suffix.lower()]
        # Left to itself the muxer would move everything by the sound's priming, which starts before 0.
        options = {"avoid_negative_ts": "disabled"}
        if kind != "matroska":
            options = {"movflags": "+faststart", "movie_timescale": str(tracks.movie_timescale())}
        output = av.open(name, "w", format=kind, container_options=options)
        streams: list[VideoStream] = []

        def picture() -> VideoStream:
            streams.append(add_picture(output, self._info, self._options, self._threads))
            return streams[0]

        tracks.attach(output, picture)
        return output, streams[0]

    def _encode_held(self, duration: int) -> None:
        """Frames go in one late, because only the next one tells how long a frame lasts."""
        if self._held is None:
            return
        self._held.duration = duration
        with self._write_errors():
            self._mux(self._stream.encode(self._held))
        self._held = None

    def _finish(self) -> None:
        if self._held is None:
            raise OutputError(f"{self._path}: not one frame came to be written; see what stopped the reading")
        last_duration = self._last_duration()
        self._encode_held(last_duration)
        with self._write_errors():
            packets = self._stream.encode(None)
            if packets and self._output.format.name != "matroska":
                self._complete_track(packets, self._last + last_duration)
            self._mux(packets)
            self._tracks.advance(self._output, None)
            self._output.close()

    def _complete_track(self, packets: "list[Packet[VideoStream]]", end: int) -> None:
        """Let the last packet fill the track.

        mp4 adds its length up from decoding times, and these fall short of the presentation where the frame
        rate varies and frames are reordered.
        """
        first_dts = self._first_dts if self._first_dts is not None else packets[0].dts or 0
        decoded_in = (packets[-1].dts or 0) - first_dts
        packets[-1].duration = max(1, end - self._first - decoded_in)

    def _last_duration(self) -> int:
        end = self._tracks.picture_end()
        rest = 0 if end is None else round(end / self._info.time_base) - self._last
        return rest if rest > 0 else self._step or max(1, round(1 / self._info.frame_rate / self._info.time_base))

    def _mux(self, packets: "list[Packet[VideoStream]]") -> None:
        for packet in packets:
            if self._first_dts is None:
                self._first_dts = packet.dts
            # The other tracks keep pace with what the encoder lets out, so that the muxer buffers little.
            self._tracks.advance(self._output, (packet.dts or 0) * self._info.time_base)
            self._output.mux(packet)

    def _abandon(self) -> None:
        """Close without publishing; the file goes first, so that no index is written into it."""
        self._part.unlink(missing_ok=True)
        with suppress(av.FFmpegError, OSError):
            self._output.close()

    def _expected(self) -> Expected:
        time_base = self._info.time_base
        return Expected(self._count, self._first * time_base, self._last * time_base, self._tracks.counts())

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise durable.output_error(self._path, error, self._needed()) from error
        except av.FFmpegError as error:
            raise OutputError(f"{self._path}: cannot be written ({error}); try another format") from error

    def _needed(self) -> int | None:
        """Bytes of the whole file, judged by what is written so far."""
        if not self._info.frames or not self._count or not self._part.exists():
            return None
        return round(self._part.stat().st_size * max(1.0, self._info.frames / self._count))
