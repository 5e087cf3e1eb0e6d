"""The Server-Timing header (W3C): where a reply's time went."""


def server_timing(**seconds: float) -> str:
    """The header's value, durations in milliseconds as the standard has it."""
    return ", ".join(f"{name};dur={1000 * value:.1f}" for name, value in seconds.items())
