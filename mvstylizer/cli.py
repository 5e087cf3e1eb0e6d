"""The ``mvstylizer`` command: reads options, puts the packages together, turns errors into one line and an exit code.

The only module that may import the other packages, and it does so inside functions: ``--help`` stays quick and the
base install needs neither torch nor Flower.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer import __version__
from mvstylizer.completion import SHELLS, completion_script
from mvstylizer.contributions_command import add_contributions
from mvstylizer.doctor_command import add_doctor
from mvstylizer.errors import EXIT_INTERRUPTED, EXIT_OK, MVStylizerError, UsageError
from mvstylizer.look_options import contributor_of, edge_urls
from mvstylizer.options import Commands, Parser, add_command
from mvstylizer.preview_command import add_preview
from mvstylizer.releases_command import add_releases
from mvstylizer.serve_command import add_serve
from mvstylizer.styles_command import add_styles
from mvstylizer.stylize_command import add_stylize
from mvstylizer.training_commands import add_distill, add_train, training_runs

if TYPE_CHECKING:
    from mvstylizer.device import KeyFrameStylizer

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
        print("mvstylizer: interrupted; the same command goes on where it stopped", file=sys.stderr)
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
    add_stylize(commands, _stylizer)
    add_preview(commands, _stylizer)
    add_serve(commands, _serve)
    _add_releases(commands)
    _add_contributions(commands)
    for add in (add_styles, _add_doctor, _add_demo, add_distill, add_train, _add_export, _add_completion):
        add(commands)
    return parser


def _stylizer(options: argparse.Namespace) -> "KeyFrameStylizer":
    """The edge that was asked for, with the engine in this process as its stand-in if wanted, or the engine alone."""
    from mvstylizer.engine import Engine, LocalStylizer

    def note(text: str) -> None:
        print(f"mvstylizer: note: {text}", file=sys.stderr)

    urls = edge_urls(options)
    if not urls:
        return LocalStylizer(Engine(options.release))
    from inference.client import EdgeStylizer

    edge = EdgeStylizer(
        urls,
        patience=options.edge_patience,
        token=options.edge_token,
        ca=options.edge_ca,
        contributor=contributor_of(options),
        note=note,
    )
    if not options.offline_fallback:
        return edge
    from mvstylizer.fallback import FallbackStylizer

    return FallbackStylizer(edge, lambda: LocalStylizer(Engine(options.release)), note)


def _serve(options: argparse.Namespace) -> None:
    from inference.access_log import written
    from inference.contributions import Collect
    from inference.data_dir import DataDir
    from inference.limits import MEBIBYTE, Limits
    from inference.security import Security, read_token, tls_context
    from inference.serve import serve
    from inference.start_release import start_engine
    from mvstylizer.engine import Engine

    if options.key and not options.certificate:
        raise UsageError("--key alone encrypts nothing; name its --certificate too, or leave both out for plain HTTP")
    data = DataDir(options.data_dir) if options.data_dir else None
    security = Security(
        read_token(options.token_file) if options.token_file else None,
        data.admin_token() if data else None,
        tls_context(options.certificate, options.key) if options.certificate else None,
        options.behind_proxy,
    )
    limits = Limits(
        queue=options.queue,
        per_client=options.per_client,
        drain_seconds=options.drain_seconds,
        max_collected_bytes=options.collect_mb * MEBIBYTE,
        max_collected_days=options.collect_days,
    )
    with written(options.log):
        threads = options.threads
        # Without a name here: the edge alone is to hold it, and lets it go when another takes its place.
        serve(
            start_engine(data, options.release, threads=threads) if data else Engine(options.release, threads=threads),
            options.host,
            options.port,
            limits,
            security=security,
            data=data,
            admin_port=options.admin_port,
            collect=Collect(options.collect),
        )


def _add_releases(commands: Commands) -> None:
    def run(options: argparse.Namespace) -> None:
        from inference.release_commands import run_releases

        run_releases(options)

    add_releases(commands, run)


def _add_contributions(commands: Commands) -> None:
    def ask(url: str, contributor: str, options: argparse.Namespace) -> dict[str, int]:
        import asyncio

        from inference.client import EdgeClient

        client = EdgeClient(url, patience=5.0, token=options.edge_token, ca=options.edge_ca, contributor=contributor)

        async def answer() -> dict[str, int]:
            async with client:
                if options.action == "delete":
                    return {"deleted": await client.delete_contributions()}
                return await client.contributions()

        return asyncio.run(answer())

    add_contributions(commands, ask)


def _add_doctor(commands: Commands) -> None:
    def ask_edge(url: str, options: argparse.Namespace) -> tuple[str, str]:
        import asyncio

        from inference.client import EdgeClient

        async def ask() -> tuple[str, str]:
            client = EdgeClient(url, timeout=5.0, patience=0.0, token=options.edge_token, ca=options.edge_ca)
            async with client:
                await client.ready()
                release = await client.release()
                return release.version, release.sha256

        return asyncio.run(ask())

    add_doctor(commands, ask_edge)


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


def _add_completion(commands: Commands) -> None:
    parser = add_command(
        commands,
        "completion",
        "Print what lets a shell complete commands and options.",
        "mvstylizer completion bash >> ~/.bash_completion",
        lambda options: print(completion_script(_parser(), options.shell)),
    )
    parser.add_argument("shell", choices=SHELLS)
