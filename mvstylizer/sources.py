"""Which files a command means: pictures and videos, folders and patterns of them, and where their results go."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvstylizer.errors import InputError, OutputError, UsageError

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".flv", ".ogv", ".3gp",
    ".wmv", ".mxf", ".gif",
}  # fmt: skip
_WRITABLE_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
_WRITABLE_VIDEOS = {".mp4", ".m4v", ".mov", ".mkv"}
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Task:
    """One file to stylize, and the name of its result."""

    source: Path
    output: Path


def is_picture(path: Path) -> bool:
    """Whether a file of this name is a picture and not a video."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def is_batch(inputs: Sequence[str], output: str) -> bool:
    """Whether ``output`` is a folder for many results, and not the name of one."""
    into_folder = output.endswith(("/", "\\")) or Path(output).is_dir()
    return into_folder or len(inputs) > 1 or Path(inputs[0]).is_dir() or _is_pattern(inputs[0])


def single_task(source: Path, output: Path) -> Task:
    """One file under a name of its own; raises UsageError where one is a picture and the other a video."""
    if is_picture(source) != is_picture(output):
        kinds = ("picture", "video") if is_picture(source) else ("video", "picture")
        raise UsageError(f"{source} is a {kinds[0]} but {output} would be a {kinds[1]}; name a {kinds[0]}")
    return Task(source, output)


def batch_tasks(inputs: Sequence[str], folder: Path) -> list[Task]:
    """Every file that ``inputs`` mean, in their order, once; the results keep the names, in ``folder``.

    A folder means the videos and pictures right in it, by their extension, without hidden ones; so does a pattern
    that the shell has left as it was (``**`` goes into folders). Where a format cannot be written, a video becomes
    .mp4 and a picture .png.

    Raises:
        InputError: a folder or a pattern holds no video and no picture.
        UsageError: a pattern is not one.
        OutputError: a result would lie over a source, or two results over each other.
    """
    sources = list(dict.fromkeys(path for text in inputs for path in _files(text)))
    tasks = [Task(source, folder / result_name(source)) for source in sources]
    for task in tasks:
        refuse_overwriting(task.output, sources)
    _refuse_collisions(tasks)
    return tasks


def result_name(source: Path) -> str:
    """The source's name, with another extension where its format cannot be written."""
    writable, substitute = (_WRITABLE_PICTURES, ".png") if is_picture(source) else (_WRITABLE_VIDEOS, ".mp4")
    return source.name if source.suffix.lower() in writable else f"{source.stem}{substitute}"


def refuse_overwriting(output: Path, sources: Sequence[Path]) -> None:
    """Raise OutputError where ``output`` is, by whatever name, one of the sources."""
    for source in sources:
        if output.exists() and source.exists() and output.samefile(source):
            raise OutputError(f"{output}: is the source itself; choose another name")


def _refuse_collisions(tasks: Sequence[Task]) -> None:
    counts = Counter(task.output for task in tasks)
    for output, count in counts.items():
        if count > 1:
            first, second = [str(task.source) for task in tasks if task.output == output][:2]
            raise OutputError(f"{output}: both {first} and {second} would become this; rename one, or do them apart")


def _files(text: str) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        yield from _known(path.iterdir(), f"{text}: holds no video and no picture; name another folder")
    elif not path.exists() and _is_pattern(text):
        yield from _known(_matches(path), f"{text}: matches no video and no picture; check the pattern")
    else:
        yield path


def _matches(pattern: Path) -> Iterator[Path]:
    anchor = Path(pattern.anchor)
    try:
        yield from anchor.glob(str(pattern.relative_to(anchor)))
    except ValueError as error:
        raise UsageError(f"{pattern}: not a pattern; ** stands alone between slashes") from error


def _known(paths: Iterator[Path], otherwise: str) -> list[Path]:
    suffixes = PICTURE_SUFFIXES | VIDEO_SUFFIXES
    found = sorted(
        path for path in paths if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise InputError(otherwise)
    return found


def _is_pattern(text: str) -> bool:
    return not _WILDCARDS.isdisjoint(text) and not Path(text).exists()
