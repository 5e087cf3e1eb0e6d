"""Time-exact reading and writing of video; nothing else in this project opens one."""

from mvstylizer.video.encoder import CODECS, PRESETS, Encoding
from mvstylizer.video.frame import (
    ColourSpace,
    Frame,
    planes_to_rgb,
    proxy_shape,
    rgb_to_yuv,
    upright,
    yuv_to_rgb,
)
from mvstylizer.video.info import ColourTags, OtherStream, VideoInfo
from mvstylizer.video.joining import FORMATS
from mvstylizer.video.reader import VideoReader
from mvstylizer.video.writer import VideoWriter

__all__ = [
    "CODECS",
    "FORMATS",
    "PRESETS",
    "ColourSpace",
    "ColourTags",
    "Encoding",
    "Frame",
    "OtherStream",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "planes_to_rgb",
    "proxy_shape",
    "rgb_to_yuv",
    "upright",
    "yuv_to_rgb",
]
