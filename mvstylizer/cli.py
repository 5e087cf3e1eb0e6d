"""The ``mvstylizer`` command: reads options, puts the packages together, turns errors into one line and an exit code.

The only module that may import the other packages, and it does so inside functions: ``--help`` stays quick and the
base install needs neither torch nor Flower.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer import __version__
from mvstylizer.errors import EXIT_INTERRUPTED, EXIT_OK, MVStylizerError, OutputError, UsageError
from mvstylizer.options import Commands, Parser, Repeated, add_command, add_release
from mvstylizer.styles_command import add_styles
from mvstylizer.training_commands import add_distill, add_train, training_runs

if TYPE_CHECKING:
    from mvstylizer.device import KeyFrameStylizer
    from mvstylizer.styles import Style

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (DESIGN §6): 0, 2 usage, 3 input, 4 edge, 5 no space, 130 interrupted."""
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
    except MVStylizerError as error:
        print(f"mvstylizer: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("mvstylizer: interrupted; nothing was written under the output's name", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; closing stdout again must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="mvstylizer", description="Give a video the light and colour of a photo.")
    parser.add_argument("--version", action="version", version=f"mvstylizer {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for add in (_add_stylize, add_styles, _add_serve, _add_demo, add_distill, add_train, _add_export):
        add(commands)
    return parser


def _add_stylize(commands: Commands) -> None:
    parser = add_command(
        commands,
        "stylize",
        "Give a video or a picture the light and colour of a photo.",
        "mvstylizer stylize holiday.mp4 --style sunset.jpg -o holiday-sunset.mp4",
        _stylize,
    )
    parser.add_argument("input", type=Path, help="video, or picture (jpg, png, webp, bmp, tiff)")
    parser.setting("--style", "PHOTO[:WEIGHT] or PRESET[:WEIGHT] to take the look from; repeat it to blend several",
                   action=Repeated, required=True, metavar="STYLE")  # fmt: skip
    parser.setting("--strength", "how much of the look, from 0 (none) to 1 (all)", type=float, default=1.0,
                   metavar="S")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, required=True, help="mp4, m4v, mov or mkv; jpg, png or webp")
    parser.add_argument("--force", action="store_true", help="overwrite the output if it exists")
    parser.setting("--edge", "stylize key frames on this edge instead of here", metavar="URL")
    parser.setting("--edge-patience", "seconds to go on asking an edge that is busy or away", type=float, default=30.0,
                   metavar="SECONDS")  # fmt: skip
    add_release(parser)
    parser.setting("--key-frames", "how key frames are chosen", choices=("interval", "codec"), default="interval")
    parser.setting("--key-interval", "frames from one key frame to the next", type=int, default=15, metavar="N")
    parser.setting(
        "--propagation", "how the frames between get their look", choices=("affine", "warp"), default="affine"
    )
    parser.setting("--flow", "optical flow", choices=("dis", "lucas-kanade", "farneback"), default="dis")
    parser.setting("--crf", "H.264 quality, 0 (lossless) to 51", type=int, default=18)
    parser.setting("--preset", "H.264 speed", choices=("ultrafast", "veryfast", "fast", "medium", "slow"),
                   default="veryfast")  # fmt: skip


def _stylize(options: argparse.Namespace) -> None:
    from mvstylizer.propagation import check_strength
    from mvstylizer.styles import parse_look, read_style

    is_picture = _is_picture(options.input)
    if is_picture != _is_picture(options.output):
        kinds = ("picture", "video") if is_picture else ("video", "picture")
        raise UsageError(
            f"{options.input} is a {kinds[0]} but {options.output} would be a {kinds[1]}; name a {kinds[0]}"
        )
    if not 0 <= options.crf <= 51:
        raise UsageError(f"--crf {options.crf} is not possible; choose 0 to 51")
    if not options.edge_patience >= 0:
        raise UsageError(f"--edge-patience {options.edge_patience:g} is not possible; choose 0 or more seconds")
    check_strength(options.strength)
    looks = [parse_look(text) for text in options.style]
    sources = [options.input, *(each.look for each in looks if isinstance(each.look, Path))]
    _refuse_overwriting_a_source(options.output, sources)
    style = read_style(looks)
    if is_picture:
        _stylize_picture(options, style)
    else:
        _stylize_video(options, style)


def _refuse_overwriting_a_source(output: Path, sources: list[Path]) -> None:
    for source in sources:
        if output.exists() and source.exists() and output.samefile(source):
            raise OutputError(f"{output}: is the source itself; choose another name")


def _stylize_picture(options: argparse.Namespace, style: "Style") -> None:
    from mvstylizer.device import stylize_picture
    from mvstylizer.pictures import read_picture, refuse_picture_target, write_picture

    refuse_picture_target(options.output, options.force)
    picture = read_picture(options.input)
    with closing(_stylizer(options)) as stylizer:
        stylized = stylize_picture(picture, style, stylizer, strength=options.strength)
    write_picture(options.output, stylized, overwrite=options.force)
    print(options.output)


def _stylize_video(options: argparse.Namespace, style: "Style") -> None:
    from mvstylizer.device import DeviceOptions, stylize_video
    from mvstylizer.progress import progress_bar

    device = DeviceOptions(
        key_frames=options.key_frames,
        interval=options.key_interval,
        propagation=options.propagation,
        flow=options.flow,
        strength=options.strength,
        crf=options.crf,
        preset=options.preset,
        overwrite=options.force,
    )
    with closing(_stylizer(options)) as stylizer, progress_bar(options.input.name) as report:
        stylize_video(options.input, style, options.output, stylizer, device, report)
    print(options.output)


def _stylizer(options: argparse.Namespace) -> "KeyFrameStylizer":
    """The edge that was asked for, or the engine in this process."""
    if options.edge:
        from inference.edge_stylizer import EdgeStylizer

        return EdgeStylizer(options.edge, patience=options.edge_patience)
    from mvstylizer.engine import Engine, LocalStylizer

    return LocalStylizer(Engine(options.release))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _add_serve(commands: Commands) -> None:
    parser = add_command(
        commands,
        "serve",
        "Run an edge: stylizes key frames over HTTP.",
        "mvstylizer serve --port 8080",
        _serve,
    )
    parser.setting("--host", "address to listen on", default="127.0.0.1")
    parser.setting("--port", "port to listen on, 0 for any free one", type=int, default=8080)
    parser.setting("--threads", "cores one inference may use, 0 for all", type=int, default=0)
    add_release(parser)


def _serve(options: argparse.Namespace) -> None:
    from inference.serve import serve
    from mvstylizer.engine import Engine

    serve(Engine(options.release, threads=options.threads), options.host, options.port)


def _add_demo(commands: Commands) -> None:
    parser = add_command(
        commands,
        "demo",
        "Stylize a clip through an edge on this machine.",
        "mvstylizer demo --video my.mp4",
        _demo,
    )
    parser.add_argument("--video", type=Path, help="your own clip; by default one is made")
    parser.add_argument("--style", type=Path, metavar="PHOTO", help="your own style photo; by default warm light")
    parser.add_argument("--output-dir", type=Path, default=Path("demo-output"), help="default %(default)s")


def _demo(options: argparse.Namespace) -> None:
    from mvstylizer.demo.run import run_demo

    run_demo(options.video, options.style, options.output_dir)


def _add_export(commands: Commands) -> None:
    parser = add_command(
        commands,
        "export",
        "Write the release (ONNX graphs and manifest) of a checkpoint.",
        "mvstylizer export runs/stylizer --to releases/2026.11-1",
        _export,
    )
    parser.add_argument("checkpoint", type=Path, help="directory that training wrote")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="new directory for the release")
    parser.add_argument("--release-version", metavar="VERSION", help="default: the name of --to")
    parser.add_argument("--presets", type=Path, metavar="DIR", help="folder of photos, NAME.jpg or NAME-1.jpg, "
                        "NAME-2.jpg …, or a release with the same style graph")  # fmt: skip


def _export(options: argparse.Namespace) -> None:
    training_runs()
    from export.release import export_release

    version = options.release_version or options.to.name
    manifest = export_release(options.checkpoint, options.to, version, options.presets)
    size = sum(entry["bytes"] for entry in manifest["files"].values())
    difference = manifest["parity"]["max_abs_difference"]
    presets = f", {len(manifest['presets'])} presets" if "presets" in manifest else ""
    print(
        f"{options.to}: release {manifest['version']}, {size / 1e6:.1f} MB{presets}, within {difference:.1g} of torch"
    )
