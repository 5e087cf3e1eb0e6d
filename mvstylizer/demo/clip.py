"""Writes the demo's two inputs: the clip, with sound, and the style photo.

The project's own video writer copies everything but the pictures from a source video. This is a source video,
so it is written here with PyAV directly.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from mvstylizer import durable
from mvstylizer.demo.backdrop import needs_demo_extra
from mvstylizer.demo.scene import Scene
from mvstylizer.demo.sound import SAMPLE_RATE, Sound, soundtrack
from mvstylizer.pictures import write_picture

RATE = 25
"""Frames a second."""


def make_clip(path: Path, *, seconds: float = 6.0, size: tuple[int, int] = (1280, 720)) -> Path:
    """Write the demo's clip to ``path`` (MP4: H.264, 25 frames a second, BT.709; AAC) and return ``path``.

    Args:
        path: replaced if it exists.
        seconds: the clip's length; whatever it is, the clip tells the whole story.
        size: width and height in pixels, both even.

    Raises:
        UsageError: scikit-learn, which carries the photograph, is not installed.
        OutputError, NoSpaceError: ``path`` cannot be written.
    """
    scene = Scene(size, seconds)
    with durable.replacing(path, overwrite=True) as part:
        try:
            with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                _write(container, scene)
        except OSError as error:
            raise durable.output_error(path, error) from error
    return path


def make_style(path: Path) -> Path:
    """Write the demo's style photo, the warm light on a cup of coffee, to ``path`` (.png or .jpg) and return it.

    Raises:
        UsageError: scikit-image, which carries the photo, is not installed.
        OutputError, NoSpaceError: ``path`` cannot be written.
    """
    try:
        from skimage.data import coffee
    except ImportError as error:
        raise needs_demo_extra("scikit-image") from error
    photo = np.asarray(coffee(), np.uint8)  # type: ignore[no-untyped-call]
    write_picture(path, photo, overwrite=True)
    return path


def _write(container: av.container.OutputContainer, scene: Scene) -> None:
    """Write all of ``scene`` and its sound, a second of each in turn, into ``container``."""
    video = _video_stream(container, scene.size)
    audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo", bit_rate=128_000)
    sound = soundtrack(scene.seconds)
    frames = max(round(scene.seconds * RATE), 1)
    for index in range(frames):
        if index % RATE == 0:
            start = index * SAMPLE_RATE // RATE
            _encode_sound(container, audio, sound[:, start : start + SAMPLE_RATE], start)
        picture = av.VideoFrame.from_ndarray(scene.frame(index / RATE), format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        picture.pts, picture.time_base = index, Fraction(1, RATE)
        container.mux(video.encode(picture))
    container.mux(video.encode(None))
    container.mux(audio.encode(None))


def _video_stream(container: av.container.OutputContainer, size: tuple[int, int]) -> av.VideoStream:
    """Return a new H.264 stream in ``container`` that says which colours it means."""
    stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "fast", "g": "50"})
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
    return stream


def _encode_sound(
    container: av.container.OutputContainer,
    stream: av.AudioStream,
    sound: Sound,
    start: int,
) -> None:
    """Write ``sound`` ((2, N) float32), which begins at sample ``start``, into ``container``."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = start, Fraction(1, SAMPLE_RATE)
    container.mux(stream.encode(frame))
