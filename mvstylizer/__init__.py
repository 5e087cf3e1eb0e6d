"""MVStylizer gives a video the light and colour of a photo."""

__version__ = "0.1.0"
