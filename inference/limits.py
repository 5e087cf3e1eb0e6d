"""Every bound that the edge puts on a request, in one place; clients read them from the model's metadata."""

from dataclasses import dataclass

from mvstylizer.styles import MAX_PARTS

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds of one edge. Bytes are counted on the wire, pixels are width × height, times are in seconds."""

    max_frame_bytes: int = 8 * MEBIBYTE
    max_frame_pixels: int = 4096 * 2160
    """Of the frame that comes in and of the picture that goes out (r² as many)."""
    max_style_bytes: int = 32 * MEBIBYTE
    max_style_pixels: int = 50_000_000
    max_styles: int = 256
    """Style codes kept; the one unused for longest makes room."""
    max_style_parts: int = MAX_PARTS
    """Styles that one key frame may ask for a blend of."""
    min_r: float = 0.25
    max_r: float = 8.0
    queue: int = 4
    """Requests that may wait for the one that is being computed: more would wait longer, and be no more."""
    per_client: int = 6
    """Requests that one client may have in flight."""
    max_reply_bytes: int = 32 * MEBIBYTE
    """Of replies that are kept for who asks again with the same Idempotency-Key."""
    reply_seconds: float = 120.0
    """For which a reply is kept."""
    max_buffered_bytes: int = 256 * MEBIBYTE
    """Of all bodies that are held at a time."""
    body_seconds: float = 30.0
    """For a whole body, however fast it comes."""
    body_grace_seconds: float = 5.0
    """For a body that comes slower than ``min_bytes_per_second``."""
    min_bytes_per_second: float = 16 * 1024.0
    keepalive_seconds: float = 15.0
    drain_seconds: float = 30.0
    """What is in flight at SIGTERM may take this long to finish."""
    max_release_difference: float = 64.0
    """Mean absolute difference, of 255, between what a release and the one after it make of the same pictures."""
    max_collected_bytes: int = 1024 * MEBIBYTE
    """Of the disk, for key frames that devices offered; the oldest make room."""
    max_collected_days: int = 30
    """For which such a key frame is kept."""
