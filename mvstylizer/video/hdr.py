"""HDR is recognized and refused, with a command that makes SDR of it: shown as SDR it would look pale and wrong."""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

from mvstylizer.errors import InputError

# Codes of ITU-T H.273, table 3 (transfer characteristics), with ffmpeg's names.
_TRANSFERS = {16: ("PQ", "smpte2084"), 18: ("HLG", "arib-std-b67")}
_PQ = 16
_UNTOLD = (0, 2)
# Only PQ is mastered with these; some files have nothing else that tells.
_MASTERING = (SideDataType.MASTERING_DISPLAY_METADATA, SideDataType.CONTENT_LIGHT_LEVEL)
# The tags come first: zscale finds no way from colours that are told in part. Primaries change in linear light and
# before the tone curve, or saturated colours fade.
_TONE_MAP = (
    "setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc,zscale=t=linear:npl=100,format=gbrpf32le,"
    "zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)


def refuse_hdr(path: Path, first: VideoFrame, container_transfer: int) -> None:
    """Raises InputError if the first frame of ``path``, or its container, says that it is PQ or HLG."""
    told = [transfer for transfer in (first.color_trc, container_transfer) if transfer not in _UNTOLD]
    hdr = next((transfer for transfer in told if transfer in _TRANSFERS), None)
    # av's type stub takes side data for a dict; it iterates over entries.
    if not told and any(side.type in _MASTERING for side in cast(Iterable[SideData], first.side_data)):
        hdr = _PQ
    if hdr is not None:
        name, transfer = _TRANSFERS[hdr]
        raise InputError(
            f"{path}: HDR ({name}) is not supported; tone-map it first: "
            f'ffmpeg -i IN -vf "{_TONE_MAP.format(transfer)}" -c:a copy OUT.mp4'
        )
