"""Checks that PyAV's FFmpeg has the codecs that outputs are made of, by using them."""

from collections.abc import Mapping
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from mvstylizer.errors import UsageError

CODECS = {"libx264": "h264", "libx265": "hevc", "aac": "aac", "libopus": "libopus"}
"""Encoders and what decodes theirs."""
_SIDE = 64
_RATE = 48_000
_FRAMES = 3
_OPTIONS = {"libx264": {"preset": "ultrafast"}, "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"}}


def check_codecs(codecs: Mapping[str, str] = CODECS) -> str:
    """Encode a moment of picture or sound with each and decode it again; raises UsageError naming one that fails."""
    for encoder, decoder in codecs.items():
        try:
            came = _picture(encoder, decoder) if av.Codec(encoder, "w").type == "video" else _sound(encoder, decoder)
        except (av.FFmpegError, ValueError) as error:
            raise _unusable(encoder, str(error)) from error
        if not came:
            raise _unusable(encoder, f"the decoder {decoder} made nothing of what it wrote")
    return f"{', '.join(codecs)} (PyAV {av.__version__})"


def _picture(encoder: str, decoder: str) -> bool:
    """Whether pictures come back, in the size that they had."""
    context = cast(VideoCodecContext, av.CodecContext.create(encoder, "w"))
    context.width = context.height = _SIDE
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 25), Fraction(25)
    context.options = _OPTIONS.get(encoder, {})
    frames = [VideoFrame(_SIDE, _SIDE, "yuv420p") for _ in range(_FRAMES)]
    for index, frame in enumerate(frames):
        frame.pts = index
    packets = [packet for frame in [*frames, None] for packet in context.encode(frame)]
    reader = cast(VideoCodecContext, av.CodecContext.create(decoder, "r"))
    came = [(frame.width, frame.height) for packet in [*packets, None] for frame in reader.decode(packet)]
    return came == _FRAMES * [(_SIDE, _SIDE)]


def _sound(encoder: str, decoder: str) -> bool:
    """Whether any samples come back."""
    context = cast(AudioCodecContext, av.CodecContext.create(encoder, "w"))
    context.sample_rate, context.layout, context.time_base = _RATE, "stereo", Fraction(1, _RATE)
    context.format = context.codec.audio_formats[0] if context.codec.audio_formats else "fltp"
    context.open()
    silence = AudioFrame.from_ndarray(np.zeros((2, context.frame_size), np.float32), format="fltp", layout="stereo")
    silence.sample_rate, silence.pts, silence.time_base = _RATE, 0, Fraction(1, _RATE)
    (frame,) = av.AudioResampler(context.format.name, "stereo", _RATE).resample(silence)
    packets = [*context.encode(frame), *context.encode(None)]
    reader = cast(AudioCodecContext, av.CodecContext.create(decoder, "r"))
    reader.sample_rate, reader.layout, reader.extradata = _RATE, "stereo", context.extradata
    return sum(frame.samples for packet in [*packets, None] for frame in reader.decode(packet)) > 0


def _unusable(encoder: str, why: str) -> UsageError:
    return UsageError(f"{encoder}: cannot be used ({why}); install PyAV's own build: pip install --force-reinstall av")
