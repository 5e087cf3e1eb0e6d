"""The ``flower-client`` command: the trainer of one edge."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mvstylizer import __version__
from mvstylizer.errors import EXIT_OK, InputError, MVStylizerError, UsageError
from mvstylizer.options import Parser

if TYPE_CHECKING:
    from fl_clients.launcher import Trainer
    from fl_clients.supernode import Credentials

NAME = "flower-client"
_EXAMPLE = f"""example:
  {NAME} --server cloud.example:443 --ca ca.crt --node-key node.key \\
    --backup https://cloud.example:8443 --token-file token --edge-data-dir edge"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 after SIGTERM, 2 usage, 3 unreadable input, 4 cloud, 5 no space."""
    try:
        trainer = trainer_of(_parser().parse_args(arguments))
        from fl_clients.launcher import run

        run(trainer, _tell)
    except MVStylizerError as error:
        print(f"{NAME}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    return EXIT_OK


def trainer_of(options: argparse.Namespace) -> "Trainer":
    """What the options ask for.

    Raises:
        UsageError: an address, a number or a combination is not possible.
        InputError: a key or a token cannot be read.
    """
    from fl_clients.backup import Backup
    from fl_clients.launcher import Trainer, trust
    from fl_clients.settings import TrainerSettings
    from inference.client.access import Access, check_url
    from inference.security import read_token

    data_dir = options.data_dir or options.edge_data_dir / "trainer"
    credentials = _credentials(options)
    trust(credentials)
    for flag in ("poll_seconds", "tolerance", "quiet_seconds", "min_frames", "max_uses", "threads"):
        if not getattr(options, flag) >= 0:
            raise UsageError(f"--{flag.replace('_', '-')} {getattr(options, flag)} is not possible; give 0 or more")
    settings = TrainerSettings(
        frame_store=options.frame_store or options.edge_data_dir / "frames.sqlite",
        edge_data_dir=options.edge_data_dir,
        data_dir=data_dir,
        edge=check_url(options.edge),
        edge_token_file=options.edge_token_file,
        train_without_edge=options.train_without_edge,
        quiet_seconds=options.quiet_seconds,
        min_frames=options.min_frames,
        max_uses=options.max_uses,
        threads=options.threads,
    )
    settings.to_node_config()
    backup = None
    if options.backup:
        token = read_token(options.token_file) if options.token_file else None
        backup = Backup(check_url(options.backup), data_dir / "checkpoints", token, options.ca)
        Access(token).headers(backup.url)
    return Trainer(options.server, credentials, settings, backup, options.tolerance, options.poll_seconds)


def _credentials(options: argparse.Namespace) -> "Credentials":
    from fl_clients.supernode import Credentials
    from inference.security import is_loopback

    host, _, port = options.server.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise UsageError(f"--server {options.server} is no address; give HOST:PORT, such as cloud.example:443")
    if not options.insecure:
        if options.node_key is not None:
            _check_key(options.node_key)
        return Credentials(ca=options.ca, key=options.node_key)
    if not is_loopback(host.strip("[]")):
        raise UsageError(
            f"--insecure would let anybody on the way to {host} read and change the weights; it is for this machine "
            "alone, so leave it out and name the cloud's CA with --ca"
        )
    if options.ca is not None or options.node_key is not None:
        raise UsageError("--insecure leaves no use for --ca and --node-key; give either the one or the others")
    return Credentials(insecure=True)


def _check_key(path: Path) -> None:
    """A wrong key would only show in the SuperNode's log, again and again."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"--node-key {path}: no private key can be read there ({error}); make one with: "
                         "flower-server keys") from error  # fmt: skip
    if not isinstance(key, EllipticCurvePrivateKey):
        raise InputError(f"--node-key {path}: Flower asks for an elliptic-curve key; make one with: flower-server keys")


def _tell(line: str) -> None:
    print(f"{NAME}: {line}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=NAME, description="Train an edge's stylizer with other edges.", epilog=_EXAMPLE)
    parser.add_argument("--version", action="version", version=f"mvstylizer {__version__}")
    # The cloud may be set up in the same TOML file.
    parser.command, parser.commands = NAME, dict.fromkeys((NAME, "flower-server"), parser)
    parser.setting("--server", "address of the cloud", required=True, metavar="HOST:PORT")
    parser.setting("--backup", "where the cloud hands out its checkpoints; without it rounds are not published here",
                   metavar="URL")  # fmt: skip
    parser.setting("--token-file", "file with the token that the backup asks for", type=Path, metavar="FILE")
    parser.setting("--ca", "PEM file of the certificates to trust instead of the system's", type=Path, metavar="FILE")
    parser.setting("--node-key", "private key that this edge is registered with", type=Path, metavar="FILE")
    parser.setting("--insecure", "without TLS; only for a cloud on this machine", action="store_true")
    parser.setting("--edge-data-dir", "the --data-dir of this machine's edge", type=Path, required=True, metavar="DIR")
    parser.setting("--edge", "the edge, asked whether it is idle", default="http://127.0.0.1:8080", metavar="URL")
    parser.setting("--edge-token-file", "file with the token that the edge asks for", type=Path, metavar="FILE")
    parser.setting("--train-without-edge", "an edge that is down counts as idle", action="store_true")
    parser.setting("--frame-store", "default: frames.sqlite in the edge's data directory", type=Path, metavar="FILE")
    parser.setting(
        "--data-dir", "the trainer's own directory; default: trainer in the edge's", type=Path, metavar="DIR"
    )
    parser.setting("--min-frames", "unseen frames that a round needs", type=int, default=16)
    parser.setting("--max-uses", "rounds that may train on the same frame", type=int, default=4)
    parser.setting("--quiet-seconds", "that nothing may come in before an edge is idle", type=float, default=1.0)
    parser.setting("--tolerance", "by how much a round may be worse on this edge's own held-out frames and still be "
                   "published, as a share of the running release's loss", type=float, default=0.02)  # fmt: skip
    parser.setting("--poll-seconds", "between looks for a new round", type=float, default=5.0)
    parser.setting("--threads", "cores for training and for measuring rounds, 0 for all", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
