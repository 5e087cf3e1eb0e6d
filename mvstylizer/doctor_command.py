"""The command ``mvstylizer doctor``: tells whether this installation and machine can do what they are to do."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mvstylizer.doctor import Check, examine, tell
from mvstylizer.look_options import edge_urls
from mvstylizer.options import Commands, Repeated, add_command, add_release

AskEdge = Callable[[str, argparse.Namespace], tuple[str, str]]
"""URL of an edge and the options → version and sha256 of its release; raises EdgeError unless it is ready."""


def add_doctor(commands: Commands, ask_edge: AskEdge) -> None:
    """``mvstylizer doctor``; ``ask_edge`` reaches an edge."""
    parser = add_command(
        commands,
        "doctor",
        "Check the installation, this machine, and an edge if one is named.",
        "mvstylizer doctor --data-dir /var/lib/mvstylizer --edge https://edge.example",
        lambda options: tell(examine(_checks(options, ask_edge)), as_json=options.json),
    )
    parser.setting("--data-dir", "where an edge is to keep its data; checked for room and durable writing", type=Path,
                   metavar="DIR")  # fmt: skip
    parser.setting("--edge", "an edge that is to be ready, with the release that runs here; repeat it, or write "
                   "several with commas", action=Repeated, metavar="URL")  # fmt: skip
    parser.setting("--edge-token", "as for stylize", metavar="TOKEN")
    parser.setting("--edge-ca", "as for stylize", type=Path, metavar="FILE")
    parser.setting("--host", "address on which the port is to be free", default="127.0.0.1")
    parser.setting("--port", "port that is to be free, 0 for any", type=int, default=8080, metavar="N")
    add_release(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def _checks(options: argparse.Namespace, ask_edge: AskEdge) -> list[Check]:
    from mvstylizer import doctor_install, doctor_machine, doctor_release
    from mvstylizer.video.codecs import check_codecs

    checks = [
        Check("python", doctor_install.check_python),
        Check("packages", doctor_install.check_packages),
        Check("opencv", doctor_install.check_opencv),
        Check("codecs", check_codecs),
        Check("release", partial(doctor_release.check_release, options.release)),
        Check("machine", doctor_machine.check_cores_and_memory),
        Check("clock", doctor_machine.check_clock),
        Check("port", partial(doctor_machine.check_port, options.host, options.port)),
    ]
    if options.data_dir:
        checks.append(Check("data-dir", partial(doctor_machine.check_data_dir, options.data_dir)))
    return checks + [Check("edge", partial(_edge, url, options, ask_edge)) for url in edge_urls(options)]


def _edge(url: str, options: argparse.Namespace, ask_edge: AskEdge) -> str:
    from mvstylizer.doctor_release import compare_release

    return compare_release(url, *ask_edge(url, options), options.release)
