"""The command ``mvstylizer stylize``: one video or picture, or many of them."""

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer.effort import DEFAULT_EFFORT, EFFORTS, apply_effort
from mvstylizer.errors import OutputError, UsageError
from mvstylizer.look_options import add_look, read_look
from mvstylizer.options import Commands, Parser, add_command
from mvstylizer.sources import Task, batch_tasks, is_batch, is_picture, refuse_overwriting, single_task

if TYPE_CHECKING:
    from mvstylizer.device import DeviceOptions, KeyFrameStylizer
    from mvstylizer.styles import Style

OpenStylizer = Callable[[argparse.Namespace], "KeyFrameStylizer"]
_NOTES = """\
several inputs:
  clips/ means the videos and pictures in that folder, "clips/**/*.mp4" in quotes those below it. With more than one
  input -o is a folder, made if need be; results keep their names in it (.mp4 or .png where a format cannot be
  written). Results that are there already are skipped, unless --force. A failure stops only its own file; the exit
  code is that of the first failure."""


def add_stylize(commands: Commands, open_stylizer: OpenStylizer) -> None:
    """``mvstylizer stylize``; ``open_stylizer`` makes what the options ask for, an edge or the engine."""
    parser = add_command(
        commands,
        "stylize",
        "Give videos and pictures the light and colour of a photo.",
        "mvstylizer stylize holiday.mp4 --style sunset.jpg -o holiday-sunset.mp4\n"
        "  mvstylizer stylize clips/ more/*.mov --style golden-hour -o out/",
        lambda options: _stylize(options, open_stylizer),
    )
    parser.epilog = f"{_NOTES}\n\n{parser.epilog}"
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="video, picture (jpg, png, webp, bmp, tiff) or "
                        "folder")  # fmt: skip
    parser.add_argument("-o", "--output", required=True, help="mp4, m4v, mov or mkv; jpg, png or webp; or a folder")
    parser.add_argument("--force", action="store_true", help="overwrite outputs that exist")
    parser.add_argument("--dry-run", action="store_true", help="try a few seconds, then tell key frames, time, disk "
                        "and network that the whole would take; writes nothing")  # fmt: skip
    add_look(parser)
    _add_device(parser)
    parser.setting("--progress", "what stderr shows: auto is bar on a terminal, else plain", default="auto",
                   choices=("auto", "bar", "plain", "json", "none"))  # fmt: skip


def _add_device(parser: Parser) -> None:
    parser.setting("--effort", "sets what of --quality, --crf and --preset is not given", choices=tuple(EFFORTS),
                   default=DEFAULT_EFFORT)  # fmt: skip
    parser.setting("--key-frames", "how key frames are chosen: as the scene needs, every so many frames, or as the "
                   "video's encoder did", choices=("adaptive", "interval", "codec"), default="adaptive")  # fmt: skip
    parser.setting("--quality", f"how near frames between key frames must come to them; better takes more key frames, "
                   f"{_by_effort('quality')}", choices=("draft", "balanced", "best"))  # fmt: skip
    parser.setting("--max-key-interval", "most frames from one key frame to the next", type=int, default=45,
                   metavar="N")  # fmt: skip
    parser.setting("--key-interval", "a key frame every N frames, instead of adaptive ones", type=int,
                   metavar="N")  # fmt: skip
    parser.setting(
        "--propagation", "how the frames between get their look", choices=("affine", "warp"), default="affine"
    )
    parser.setting("--flow", "optical flow", choices=("dis", "lucas-kanade", "farneback"), default="dis")
    parser.setting("--codec", "hevc takes several times the work, for smaller files that not everything plays",
                   choices=("h264", "hevc"), default="h264")  # fmt: skip
    parser.setting("--crf", f"quality, 0 (lossless) to 51, {_by_effort('crf')}", type=int, metavar="Q")
    parser.setting("--preset", f"speed of the encoder, {_by_effort('preset')}",
                   choices=("ultrafast", "veryfast", "fast", "medium", "slow"))  # fmt: skip
    parser.add_argument("--compare", action="store_true", help="show before and after side by side")


def _by_effort(name: str) -> str:
    return "by effort " + ", ".join(str(getattr(effort, name)) for effort in EFFORTS.values())


def _stylize(options: argparse.Namespace, open_stylizer: OpenStylizer) -> None:
    apply_effort(options)
    if not 0 <= options.crf <= 51:
        raise UsageError(f"--crf {options.crf} is not possible; choose 0 to 51")
    is_many = is_batch(options.inputs, options.output)
    tasks = _tasks(options, is_many)
    style, photos = read_look(options)
    for task in tasks:
        refuse_overwriting(task.output, [task.source, *photos])
    if options.dry_run:
        return _dry_run(options, tasks, style, open_stylizer)
    if is_many:
        return _stylize_all(options, tasks, style, open_stylizer)
    # Before a release is loaded or an edge asked.
    _refuse_target(tasks[0], options)
    with closing(open_stylizer(options)) as stylizer:
        _stylize_one(options, tasks[0], style, stylizer)
    print(tasks[0].output)
    return None


def _tasks(options: argparse.Namespace, is_many: bool) -> list[Task]:
    if is_many:
        return batch_tasks(options.inputs, Path(options.output))
    return [single_task(Path(options.inputs[0]), Path(options.output))]


def _refuse_target(task: Task, options: argparse.Namespace) -> None:
    if is_picture(task.source):
        from mvstylizer.pictures import refuse_picture_target

        refuse_picture_target(task.output, options.force)


def _stylize_all(options: argparse.Namespace, tasks: list[Task], style: "Style", open_stylizer: OpenStylizer) -> None:
    from mvstylizer.batch import run_batch

    _make_folder(Path(options.output))
    with closing(open_stylizer(options)) as stylizer:
        run_batch(
            tasks,
            lambda task: _stylize_one(options, task, style, stylizer),
            options.force,
            as_json=options.progress == "json",
        )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made a folder ({error.strerror}); choose another name") from error


def _stylize_one(options: argparse.Namespace, task: Task, style: "Style", stylizer: "KeyFrameStylizer") -> int:
    """Returns how many frames were written, 0 for a picture."""
    if is_picture(task.source):
        _stylize_picture(options, task, style, stylizer)
        return 0
    from mvstylizer.device import stylize_video
    from mvstylizer.progress import showing

    def note(text: str) -> None:
        print(f"mvstylizer: note: {task.source}: {text}", file=sys.stderr)

    with showing(options.progress, task.source) as report:
        return stylize_video(task.source, style, task.output, stylizer, _device_options(options), report, note).frames


def _stylize_picture(options: argparse.Namespace, task: Task, style: "Style", stylizer: "KeyFrameStylizer") -> None:
    from mvstylizer.device import stylize_picture
    from mvstylizer.pictures import read_picture, write_picture

    picture = read_picture(task.source)
    stylized = stylize_picture(picture, style, stylizer, strength=options.strength)
    if options.compare:
        from mvstylizer.compare import pictures_side_by_side

        stylized = pictures_side_by_side(picture, stylized)
    write_picture(task.output, stylized, overwrite=options.force)


def _device_options(options: argparse.Namespace) -> "DeviceOptions":
    from mvstylizer.device import DeviceOptions

    return DeviceOptions(
        key_frames=options.key_frames,
        interval=options.key_interval,
        max_interval=options.max_key_interval,
        quality=options.quality,
        propagation=options.propagation,
        flow=options.flow,
        strength=options.strength,
        crf=options.crf,
        preset=options.preset,
        codec=options.codec,
        compare=options.compare,
        overwrite=options.force,
    )


def _dry_run(options: argparse.Namespace, tasks: list[Task], style: "Style", open_stylizer: OpenStylizer) -> None:
    from mvstylizer.dry_run_report import print_estimates

    with closing(open_stylizer(options)) as stylizer:
        print_estimates(
            tasks,
            style,
            stylizer,
            _device_options(options),
            is_many=is_batch(options.inputs, options.output),
            to_edge=bool(options.edge),
        )
