"""The options of ``mvstylizer serve``."""

import argparse
from collections.abc import Callable
from pathlib import Path

from mvstylizer.options import Commands, add_command, add_release, positive, seconds

LOGS = ("text", "json", "none")
COLLECT = ("never", "opt-in")


def add_serve(commands: Commands, serve: Callable[[argparse.Namespace], None]) -> None:
    """The subcommand, carried out by ``serve``."""
    parser = add_command(
        commands, "serve", "Run an edge: stylizes key frames over HTTP.", "mvstylizer serve --data-dir edge", serve
    )
    parser.setting("--host", "address to listen on; others than this machine's own need --token-file",
                   default="127.0.0.1")  # fmt: skip
    parser.setting("--port", "port to listen on, 0 for any free one", type=int, default=8080)
    parser.setting("--data-dir", "directory of the edge's releases and contributed frames; without one nothing is kept "
                   "and the release cannot be changed", type=Path, metavar="DIR")  # fmt: skip
    parser.setting("--admin-port", "loopback port for publishing releases, 0 for any free one; only with --data-dir",
                   type=int, default=0)  # fmt: skip
    parser.setting("--token-file", "file with the token that clients must show", type=Path, metavar="FILE")
    parser.setting("--certificate", "PEM file for TLS, with the whole chain", type=Path, metavar="FILE")
    parser.setting("--key", "the certificate's key, if it is in a file of its own", type=Path, metavar="FILE")
    parser.setting("--behind-proxy", "believe the last address in X-Forwarded-For", action="store_true")
    parser.setting("--collect", "whether key frames that devices offer are kept for training; needs --data-dir",
                   choices=COLLECT, default="never")  # fmt: skip
    parser.setting("--collect-mb", "MiB of the disk for them; the oldest make room", type=positive, default=1024)
    parser.setting("--collect-days", "for which each is kept", type=positive, default=30)
    parser.setting("--queue", "key frames that may wait for the one that is computed", type=positive, default=4)
    parser.setting("--per-client", "key frames of one client that may wait or run", type=positive, default=6)
    parser.setting("--drain-seconds", "that what is in flight may take after SIGTERM", type=seconds, default=30.0)
    parser.setting("--log", "what is written of each request", choices=LOGS, default="text")
    parser.setting("--threads", "cores one inference may use, 0 for all", type=int, default=0)
    add_release(parser)
