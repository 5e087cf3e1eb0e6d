"""What ``mvstylizer stylize --dry-run`` prints of each file and of all together."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from mvstylizer import durable
from mvstylizer.device import DeviceOptions, KeyFrameStylizer
from mvstylizer.dry_run import TRIAL_SECONDS, Estimate, estimate
from mvstylizer.errors import BatchError, MVStylizerError, NoSpaceError, UsageError
from mvstylizer.pictures import read_picture, refuse_picture_target
from mvstylizer.progress import in_words
from mvstylizer.sources import Task, is_picture
from mvstylizer.styles import Style
from mvstylizer.video import FORMATS

_MEGABYTE = 1_000_000
_ALL_SECONDS = 30.0
"""For the trials of many files together, unless even the least of each takes longer."""
_LEAST_SECONDS = 1.0


def print_estimates(
    tasks: Sequence[Task],
    style: Style,
    stylizer: KeyFrameStylizer,
    options: DeviceOptions,
    *,
    is_many: bool,
    to_edge: bool,
) -> None:
    """Try every task, and print what it takes; nothing is written but a temporary file that is removed again.

    Raises:
        MVStylizerError: the only task could not be carried out.
        BatchError: some of several could not.
        NoSpaceError: the results do not fit on the disk.
    """
    trial_seconds = min(TRIAL_SECONDS, max(_LEAST_SECONDS, _ALL_SECONDS / len(tasks)))
    estimates: list[Estimate] = []
    failures: list[MVStylizerError] = []
    for task in tasks:
        try:
            if is_many and task.output.exists() and not options.overwrite:
                print(f"{task.source}: skipped, {task.output} exists already")
                continue
            estimates += _tried(task, style, stylizer, options, trial_seconds, is_many, to_edge)
        except MVStylizerError as error:
            if not is_many:
                raise
            failures.append(error)
            print(f"{task.source}: fails: {' '.join(str(error).split())}")
    if is_many:
        _print_total(estimates, to_edge)
    if failures:
        raise BatchError(f"{len(failures)} of {len(tasks)} files would fail", failures[0].exit_code)
    _check_space(tasks[0].output, estimates)


def _tried(
    task: Task,
    style: Style,
    stylizer: KeyFrameStylizer,
    options: DeviceOptions,
    trial_seconds: float,
    is_many: bool,
    to_edge: bool,
) -> list[Estimate]:
    if not (is_many and not task.output.parent.exists()):
        _refuse_target(task, options.overwrite)
    if is_picture(task.source):
        height, width = read_picture(task.source).shape[:2]
        print(f"{task.source}: a picture of {width}x{height}, about a second")
        return []
    found = estimate(task.source, style, stylizer, options, task.output.suffix, trial_seconds)
    print("\n".join([f"{task.source} → {task.output}", *_lines(found, to_edge, _free(task.output))]), flush=True)
    return [found]


def _refuse_target(task: Task, overwrite: bool) -> None:
    if is_picture(task.source):
        refuse_picture_target(task.output, overwrite)
    elif task.output.suffix.lower() not in FORMATS:
        raise UsageError(f"{task.output}: cannot tell the format; end the name in {', '.join(FORMATS)}")
    else:
        durable.refuse_target(task.output, overwrite)


def _lines(found: Estimate, to_edge: bool, free: int) -> list[str]:
    is_tried, is_counted = found.tried_frames == found.frames, found.counted_frames == found.frames
    about = "" if is_tried else "about "
    keys = f"{'' if is_counted else 'about '}{found.key_frames}"
    judged = "" if is_counted else f" (counted in the first {found.counted_frames})"
    tried = "all of it tried" if is_tried else f"judged by the first {found.tried_frames} frames"
    lines = [
        f"  frames      {found.frames}, {keys} of them key frames{judged}",
        f"  time        about {in_words(found.seconds)}, {found.frames / found.seconds:.1f} frames a second ({tried})",
        f"  disk        {about}{_mb(found.output_bytes)}, at most twice that while working; {_mb(free)} are free",
    ]
    if to_edge:
        lines.append(f"  network     {about}{_mb(found.bytes_up)} to the edge, {_mb(found.bytes_down)} back")
    return lines


def _print_total(estimates: Sequence[Estimate], to_edge: bool) -> None:
    parts = [
        f"{len(estimates)} video{'s' * (len(estimates) != 1)}",
        f"{sum(each.frames for each in estimates)} frames",
        f"about {sum(each.key_frames for each in estimates)} key frames",
        in_words(sum(each.seconds for each in estimates)),
        f"{_mb(sum(each.output_bytes for each in estimates))} of disk",
    ]
    if to_edge:
        parts.append(f"{_mb(sum(each.bytes_up for each in estimates))} to the edge")
    print(f"together: {', '.join(parts)}")


def _check_space(output: Path, estimates: Sequence[Estimate]) -> None:
    sizes = [each.output_bytes for each in estimates]
    # Only one video at a time is there twice.
    needed, free = sum(sizes) + max(sizes, default=0), _free(output)
    if needed > free:
        raise NoSpaceError(
            f"{output.parent}: about {_mb(needed)} are needed while working and {_mb(free)} are free; "
            "make room or choose another disk"
        )


def _free(output: Path) -> int:
    folder = next(path for path in output.absolute().parents if path.is_dir())
    return shutil.disk_usage(folder).free


def _mb(size: int) -> str:
    return f"{size / _MEGABYTE:.1f} MB" if size < 1000 * _MEGABYTE else f"{size / _MEGABYTE / 1000:.1f} GB"
