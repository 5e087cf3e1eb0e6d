"""Checks of the installation: Python, the packages that the base install names, and that there is one OpenCV."""

import platform
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata

from mvstylizer.doctor import Doubt
from mvstylizer.errors import UsageError

_OLDEST_PYTHON = (3, 11)
_OPENCV = "opencv-"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*([^;]*)(;.*)?")
_BOUND = re.compile(r"(>=|<)\s*([0-9.]+)")


def check_python() -> str:
    """Which Python this is; raises UsageError for one that is too old."""
    if sys.version_info < _OLDEST_PYTHON:
        raise UsageError(f"Python {platform.python_version()} is too old; install 3.11 or newer")
    return f"{platform.python_version()} ({platform.python_implementation()}, {platform.machine()}) at {sys.executable}"


def check_packages(requirements: Iterable[str] | None = None) -> str:
    """Versions of the packages that are required, by default those of the base install; OpenCV is ``check_opencv``'s.

    Raises UsageError: one is missing, or older or newer than what is asked for.
    """
    if requirements is None:
        try:
            requirements = metadata.requires("mvstylizer") or []
        except metadata.PackageNotFoundError:
            return Doubt("mvstylizer is not installed, only at hand; pip install it, so that versions can be checked")
    wrong: list[str] = []
    found: list[str] = []
    for name, bounds in _base(requirements):
        version = _version(name)
        (found if version and _keeps(version, bounds) else wrong).append(f"{name} {version or 'is missing'}")
    if wrong:
        raise UsageError(f"{', '.join(wrong)}: not what this version needs; pip install --upgrade mvstylizer")
    return ", ".join(found)


def check_opencv(path: list[str] | None = None) -> str:
    """Which build of OpenCV this is; ``path`` is where distributions are looked for, by default ``sys.path``.

    Raises UsageError: it cannot be imported, or several builds have written over each other's files.
    """
    installed = metadata.distributions() if path is None else metadata.distributions(path=path)
    builds = sorted({str(each.name) for each in installed if str(each.name).lower().startswith(_OPENCV)})
    if len(builds) > 1:
        raise UsageError(f"{' and '.join(builds)} are both installed and overwrite each other's files; "
                         f"pip uninstall {' '.join(builds)}, then install one of them")  # fmt: skip
    try:
        import cv2
    except ImportError as error:
        raise UsageError(f"OpenCV cannot be imported ({error}); without a screen: pip uninstall opencv-python, "
                         "then pip install opencv-python-headless") from error  # fmt: skip
    if not builds:
        return Doubt(f"{cv2.__version__}, not installed by pip; if flow fails, pip install opencv-python-headless")
    return f"{builds[0]} {cv2.__version__}"


def _base(requirements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names and bounds of what has no marker such as an extra's."""
    for requirement in requirements:
        match = _REQUIREMENT.fullmatch(requirement)
        if match and not match[3] and not match[1].startswith(_OPENCV):
            yield match[1], match[2]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _keeps(version: str, bounds: str) -> bool:
    number = _numbers(version)
    return all((number >= _numbers(bound)) == (sign == ">=") for sign, bound in _BOUND.findall(bounds))


def _numbers(version: str) -> tuple[int, ...]:
    """What 3.14.0 and 3.14 have in common; what is no release's number, such as rc1, does not count."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in re.sub(r"(\.0+)+$", "", match[0]).split(".")) if match else ()
