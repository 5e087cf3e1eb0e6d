"""MVStylizer gives a video the light and colour of a photo. ``mvstylizer.api`` says what can be called from here."""

from typing import Any

__version__ = "0.1.0"
__all__ = [
    "DeviceOptions",
    "Engine",
    "KeyFrameStylizer",
    "LocalStylizer",
    "MVStylizerError",
    "Part",
    "Preview",
    "Progress",
    "Style",
    "preview_video",
    "stylize_picture",
    "stylize_video",
]


def __getattr__(name: str) -> Any:
    """What ``__all__`` names, loaded when it is first asked for, so that ``mvstylizer --help`` stays quick.

    For type checkers and editors it stands in ``__init__.pyi``.
    """
    if name not in __all__:
        raise AttributeError(f"module 'mvstylizer' has no attribute {name!r}")
    from mvstylizer import api

    return getattr(api, name)
