"""The ``flower-server`` command: its settings, and ``flower-server keys``."""

import argparse
import logging
import os
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fl_server.cloud_dir import CloudDir
from fl_server.keys import ca_files, make_ca, make_node, make_server, server_files
from fl_server.listeners import Address
from fl_server.settings import CloudSettings
from inference.security import is_loopback, new_token, read_token, tls_context
from mvstylizer import __version__
from mvstylizer.durable import write_text
from mvstylizer.errors import EXIT_INTERRUPTED, EXIT_OK, MVStylizerError, UsageError
from mvstylizer.options import Parser, Repeated, positive

_COMMAND = "flower-server"
_EXAMPLE = "example:\n  flower-server --data-dir cloud/ --insecure\n  flower-server keys --help"
_TABLES = dict.fromkeys((_COMMAND, "flower-client"), argparse.ArgumentParser(add_help=False))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (DESIGN §6)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        if given[:1] == ["keys"]:
            _keys(given[1:])
        else:
            _serve(_parser().parse_args(given))
    except MVStylizerError as error:
        print(f"{_COMMAND}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{_COMMAND}: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_OK


def _parser() -> Parser:
    parser = Parser(prog=_COMMAND, description="Run the cloud of federated training; 'keys' makes what TLS needs.",
                    epilog=_EXAMPLE)  # fmt: skip
    parser.command, parser.commands = _COMMAND, _TABLES
    parser.add_argument("--version", action="version", version=f"{_COMMAND} {__version__}")
    parser.setting("--data-dir", "the cloud's directory: rounds, keys, logs", type=Path, default=Path("cloud"),
                   metavar="DIR")  # fmt: skip
    _add_addresses(parser)
    _add_rounds(parser)
    return parser


def _add_addresses(parser: Parser) -> None:
    loopback = "on loopback, since whoever reaches it may run programs here and on every edge"
    parser.setting("--address", f"of Flower's SuperLink, {loopback}", type=_address, default=Address("127.0.0.1", 8000),
                   metavar="HOST:PORT")  # fmt: skip
    parser.setting("--status", "of the status page, metrics and backup, on loopback", type=_address,
                   default=Address("127.0.0.1", 8010), metavar="HOST:PORT")  # fmt: skip
    parser.setting("--public", "where edges come in: passes on what they need of the SuperLink, and the backup",
                   type=_address, metavar="HOST:PORT")  # fmt: skip
    parser.setting("--certificate", "PEM file for --public, with the whole chain; by default that of 'keys server'",
                   type=Path, metavar="FILE")  # fmt: skip
    parser.setting("--key", "the certificate's key, if it is in a file of its own", type=Path, metavar="FILE")
    parser.setting("--token-file", "file with the token that the backup asks for; by default made in --data-dir",
                   type=Path, metavar="FILE")  # fmt: skip
    parser.setting("--insecure", "no TLS and no keys; on loopback only", action="store_true")


def _add_rounds(parser: Parser) -> None:
    default = CloudSettings()
    parser.setting("--rounds", "how many over all, or 'forever'", type=_rounds, default="forever", metavar="N")
    parser.setting("--linger", "seconds to go on after the last round, for edges to fetch it", type=float, default=0.0)
    parser.setting("--campaign", "rounds of one Flower run", type=positive, default=default.campaign)
    parser.setting("--strategy", "how updates are put together, such as fedavg, fedavgm, fedadam, fedprox, fedmedian, "
                   "krum; a wrong name lists all", default=default.strategy)  # fmt: skip
    parser.setting("--strategy-option", "NAME=NUMBER of the strategy, such as server_momentum=0.9; repeat it for more",
                   action=Repeated, metavar="NAME=NUMBER")  # fmt: skip
    parser.setting("--min-edges", "that have to be there for a round", type=positive, default=default.min_edges)
    parser.setting("--round-timeout", "seconds after which a round does without an edge", type=float,
                   default=default.timeout)  # fmt: skip
    parser.setting("--steps", "of training on an edge in a round", type=positive, default=default.steps)
    parser.setting("--batch", "frames of a step", type=positive, default=default.batch)
    parser.setting("--crop", "side of training crops in pixels", type=positive, default=default.crop)
    parser.setting("--learning-rate", "of the edges", type=float, default=default.learning_rate)
    parser.setting("--norm-factor", "an update so many times as long as the median is left out", type=float,
                   default=default.norm_factor)  # fmt: skip
    parser.setting("--keep", "newest checkpoints to keep beside the best", type=positive, default=default.keep)
    parser.setting("--photos", "folder of photos to measure each round on; else the edges' own held-out frames do",
                   type=Path, metavar="DIR")  # fmt: skip
    parser.setting("--start", "checkpoint or release to begin from instead of the bundled release", type=Path,
                   metavar="DIR")  # fmt: skip
    parser.setting("--dp-noise", "noise multiplier of differential privacy, 0 for none", type=float, default=0.0)
    parser.setting("--dp-clip", "longest update under differential privacy", type=float, default=default.dp_clip)
    parser.setting("--dp-delta", "δ of the ε that is told", type=float, default=default.dp_delta)


def _serve(options: argparse.Namespace) -> None:
    directory = CloudDir(options.data_dir)
    settings = _settings(options)
    _check_addresses(options)
    _check_settings(settings)
    from fl_server.launcher import Cloud, launch, own_address

    directory.make()
    host, port = options.address
    cloud = Cloud(
        directory,
        settings,
        own_address(directory, host, port, insecure=options.insecure),
        options.status,
        options.public,
        _public_tls(directory, options),
        _token(directory, options),
        linger=options.linger,
    )
    launch(cloud)


def _settings(options: argparse.Namespace) -> CloudSettings:
    def absolute(path: Path | None) -> str | None:
        return None if path is None else str(path.absolute())

    return CloudSettings(
        rounds=None if options.rounds == "forever" else options.rounds,
        campaign=options.campaign,
        strategy=options.strategy,
        options=dict(_strategy_option(text) for text in options.strategy_option or []),
        min_edges=options.min_edges,
        timeout=options.round_timeout,
        steps=options.steps,
        batch=options.batch,
        crop=options.crop,
        learning_rate=options.learning_rate,
        norm_factor=options.norm_factor,
        keep=options.keep,
        dp_noise=options.dp_noise,
        dp_clip=options.dp_clip,
        dp_delta=options.dp_delta,
        photos=absolute(options.photos),
        start=absolute(options.start),
    )


def _check_addresses(options: argparse.Namespace) -> None:
    for flag, address in (("--address", options.address), ("--status", options.status)):
        if not is_loopback(address.host):
            raise UsageError(f"{flag} {address} could be reached from outside; give an address of this machine, "
                             "such as 127.0.0.1, and let edges in with --public")  # fmt: skip
    if options.insecure and options.public is not None and not is_loopback(options.public.host):
        raise UsageError("--insecure would let everybody take part; leave it out and make keys (flower-server keys)")
    needed = [*ca_files(CloudDir(options.data_dir))[:1], *server_files(CloudDir(options.data_dir))]
    if not options.insecure and (missing := [path for path in needed if not path.is_file()]):
        raise UsageError(f"{missing[0]} is missing; make it with 'flower-server keys ca' and 'flower-server keys "
                         "server HOST', or try this machine alone with --insecure")  # fmt: skip


def _check_settings(settings: CloudSettings) -> None:
    try:
        from fl_server.privacy import with_privacy
        from fl_server.strategies import make_strategy
    except ImportError as error:
        raise UsageError(f"this needs Flower ({error.name} is missing); pip install 'mvstylizer[federated]'") from error
    logging.getLogger("flwr").setLevel(logging.ERROR)
    strategy = make_strategy(settings.strategy, settings.options, settings.min_edges)
    if settings.dp_noise:
        with_privacy(strategy, settings.dp_noise, settings.dp_clip)
    if not 0 < settings.dp_delta < 1:
        raise UsageError(f"--dp-delta {settings.dp_delta:g} must lie between 0 and 1")
    for path, flag in ((settings.photos, "--photos"), (settings.start, "--start")):
        if path is not None and not Path(path).is_dir():
            raise UsageError(f"{flag} {path}: no such directory; check the name")


def _public_tls(directory: CloudDir, options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.public is None or options.insecure:
        return None
    if options.certificate is not None:
        return tls_context(options.certificate, options.key)
    return tls_context(*server_files(directory))


def _token(directory: CloudDir, options: argparse.Namespace) -> str | None:
    if options.token_file is not None:
        return read_token(options.token_file)
    if options.insecure:
        return None
    path = directory.path / "backup-token"
    if not path.exists():
        old = os.umask(0o077)
        try:
            write_text(path, f"{new_token()}\n")
        finally:
            os.umask(old)
    return read_token(path)


def _keys(arguments: Sequence[str]) -> None:
    parser = Parser(prog=f"{_COMMAND} keys", description="Make what TLS and the authentication of edges need.",
                    epilog="example:\n  flower-server keys ca\n  flower-server keys server cloud.example.org\n"
                    "  flower-server keys node edge-1")  # fmt: skip
    commands = parser.add_subparsers(title="keys", required=True, metavar="KIND", parser_class=Parser)
    ca = commands.add_parser("ca", help="a certificate authority of your own")
    server = commands.add_parser("server", help="the cloud's certificate")
    server.add_argument("hosts", nargs="+", metavar="HOST", help="names and addresses by which edges reach the cloud")
    node = commands.add_parser("node", help="the key pair of an edge")
    node.add_argument("name", help="of the edge, as it stands in logs and metrics")
    run: dict[argparse.ArgumentParser, Callable[[CloudDir, argparse.Namespace], None]] = {
        ca: lambda cloud, options: _tell(f"{make_ca(cloud)}: give this to every edge; {ca_files(cloud)[1]} is only "
                                         "needed to make certificates, keep it offline"),
        server: lambda cloud, options: _tell(f"{make_server(cloud, options.hosts)}: stays here, with its key"),
        node: lambda cloud, options: _tell(_node(cloud, options.name)),
    }  # fmt: skip
    for command, act in run.items():
        command.add_argument("--data-dir", type=Path, default=Path("cloud"), metavar="DIR", help="default %(default)s")
        command.set_defaults(act=act)
    options = parser.parse_args(arguments)
    options.act(CloudDir(options.data_dir), options)


def _node(cloud: CloudDir, name: str) -> str:
    private, public = make_node(cloud, name)
    return f"{private}: move this to the edge; {public} stays here and lets it in, take it away to shut the edge out"


def _tell(text: str) -> None:
    print(text)


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT, such as 127.0.0.1:8000")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _rounds(text: str) -> int | str:
    return text if text == "forever" else positive(text)


def _strategy_option(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip().replace("-", "_"), float(value)
    except ValueError as error:
        raise UsageError(f"--strategy-option {text}: write NAME=NUMBER") from error
