"""The demo of federated training: one cloud, two edges with different pictures, a device each, three rounds.

Everything runs as processes of its own, as it would on machines of its own; see docs/edge-training.md.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mvstylizer.demo.backdrop import needs_demo_extra
from mvstylizer.demo.clip import make_clip, make_style
from mvstylizer.demo.edge_process import COMMAND
from mvstylizer.errors import EdgeError, MVStylizerError
from mvstylizer.pictures import read_picture, write_picture

_START_SECONDS = 120.0
_SWAP_SECONDS = 600.0
_GRACE_SECONDS = 60.0
_PHOTOS = 48
_SIDE = 192


@dataclass(frozen=True)
class _Edge:
    """A running edge: where it listens, and its directory."""

    url: str
    directory: Path

    def published(self) -> list[dict[str, Any]]:
        """What its trainer made of rounds, oldest first."""
        try:
            told = json.loads((self.directory / "trainer" / "published.json").read_text())
        except (OSError, ValueError):
            return []
        return [entry for entry in told.values() if entry["outcome"] is not None]


def run_federated_demo(output: Path, rounds: int = 3, steps: int = 20) -> None:
    """Run the whole loop in ``output``; prints losses and the last round's manifest, writes ``before-after.png``.

    ``steps`` are those of an edge in a round.

    Raises:
        UsageError: a package is missing that the pictures come from.
        EdgeError: a process did not start, or the rounds did not end.
        MVStylizerError: a device's command failed.
    """
    output.mkdir(parents=True, exist_ok=True)
    style, clip, photos = make_style(output / "style.png"), output / "clip.mp4", output / "photos"
    _say("drawing a clip and cutting photographs")
    make_clip(clip, seconds=4.0, size=(480, 270))
    other_style = _write_photos(photos)
    with contextlib.ExitStack() as stack:
        edges = [stack.enter_context(_edge(output / name)) for name in ("edge-1", "edge-2")]
        _say("a device on each edge stylizes and contributes: a clip here, photographs there")
        _device(edges[0], output / "device-1.mp4", style, [clip], "--key-interval", "2")
        _device(edges[1], output / "device-2", other_style, sorted(photos.glob("*.jpg")))
        frame = output / "frame.png"
        write_picture(frame, read_picture(sorted(photos.glob("*.jpg"))[0]), overwrite=True)
        _look(edges[0], frame, style, output / "first.png")
        server, status = _free_port(), _free_port()
        cloud = output / "cloud"
        _say(f"starting the cloud and two trainers: {rounds} rounds of {steps} steps")
        stack.enter_context(_running(_cloud_command(cloud, server, status, rounds, steps), output / "cloud.log"))
        for edge in edges:
            stack.enter_context(_running(_trainer_command(edge, server, status), edge.directory / "trainer.log"))
        _wait_for_rounds(cloud, edges, rounds)
        _look(edges[0], frame, style, output / "last.png")
        _report(cloud, edges)
    _sheet([frame, output / "first.png", output / "last.png"], output / "before-after.png")
    _say(f"done: {output / 'before-after.png'} (the frame, by the first release, by the last)")


def _write_photos(folder: Path) -> Path:
    """Parts of photographs; returns the style that this edge's user likes."""
    try:
        from skimage import data
    except ImportError as error:
        raise needs_demo_extra("scikit-image") from error
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    pictures = (data.astronaut, data.chelsea)
    sources = [np.asarray(picture(), np.uint8) for picture in pictures]  # type: ignore[no-untyped-call]
    for index in range(_PHOTOS):
        photo = sources[index % len(sources)]
        top, left = (int(rng.integers(side - _SIDE)) for side in photo.shape[:2])
        part = np.ascontiguousarray(photo[top : top + _SIDE, left : left + _SIDE])
        write_picture(folder / f"photo-{index:02}.jpg", part, overwrite=True)
    style = folder.with_name("other-style.png")
    write_picture(style, np.asarray(data.rocket(), np.uint8), overwrite=True)  # type: ignore[no-untyped-call]
    return style


@contextlib.contextmanager
def _edge(directory: Path) -> Iterator[_Edge]:
    port = _free_port()
    command = [*COMMAND, "serve", "--port", str(port), "--data-dir", str(directory), "--collect", "opt-in", "--log",
               "none"]  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    with _running(command, directory / "edge.log") as process:
        _wait_until_listening(port, process)
        yield _Edge(f"http://127.0.0.1:{port}", directory)


def _device(edge: _Edge, output: Path, style: Path, inputs: list[Path], *more: str) -> None:
    # The contributor's id of whoever runs the demo is none of its business.
    state = {"XDG_STATE_HOME": str(edge.directory.resolve() / "device")}
    _mvstylizer(state, *map(str, inputs), "--style", str(style), "-o", str(output), "--edge", edge.url,
                "--contribute", *more)  # fmt: skip


def _look(edge: _Edge, frame: Path, style: Path, output: Path) -> None:
    _mvstylizer({}, str(frame), "--style", str(style), "-o", str(output), "--edge", edge.url)


def _mvstylizer(variables: dict[str, str], *arguments: str) -> None:
    command = [*COMMAND, "stylize", *arguments, "--force", "--progress", "none"]
    done = subprocess.run(command, env=_environment() | variables, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise MVStylizerError(f"mvstylizer stylize failed with exit code {done.returncode}; its own message is above")


def _cloud_command(cloud: Path, server: int, status: int, rounds: int, steps: int) -> list[str]:
    return [
        *_module("fl_server.command"), "--data-dir", str(cloud), "--insecure", "--address", f"127.0.0.1:{server}",
        "--status", f"127.0.0.1:{status}", "--rounds", str(rounds), "--linger", "600", "--min-edges", "2",
        "--steps", str(steps),
    ]  # fmt: skip


def _trainer_command(edge: _Edge, server: int, status: int) -> list[str]:
    return [
        *_module("fl_clients.command"), "--server", f"127.0.0.1:{server}", "--insecure", "--backup",
        f"http://127.0.0.1:{status}", "--edge", edge.url, "--edge-data-dir", str(edge.directory),
    ]  # fmt: skip


def _module(name: str) -> list[str]:
    """A command of a package that this one may not import."""
    return [sys.executable, "-c", f"import sys; from {name} import main; sys.exit(main())"]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for the time of the block, its output in a file; then end it politely, at last by force."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                   env=_environment())  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise EdgeError(f"the edge on port {port} did not start; its log is beside its data")


def _wait_for_rounds(cloud: Path, edges: list[_Edge], rounds: int) -> None:
    """Until the last round is done and settled on both edges, telling of each as it ends."""
    told = 0
    end = time.monotonic() + rounds * 900
    while told < rounds:
        lines = _rounds(cloud)
        for line in lines[told:]:
            _say(f"round {line['round']}: {_losses(line)}")
        told = len(lines)
        _sleep_until(end, f"{rounds} rounds did not end; see {cloud}/logs")
    end = time.monotonic() + _SWAP_SECONDS
    while not all(any(entry.get("round") == rounds for entry in edge.published()) for edge in edges):
        _sleep_until(end, "an edge did not take in the last round; see its trainer.log")


def _sleep_until(end: float, complaint: str) -> None:
    if time.monotonic() > end:
        raise EdgeError(complaint)
    time.sleep(1)


def _rounds(cloud: Path) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in (cloud / "rounds.jsonl").read_text().splitlines()]
    except (OSError, ValueError):
        return []
    return [line for line in lines if line["round"] > 0]


def _losses(line: dict[str, Any]) -> str:
    metrics = line.get("metrics", {})
    return f"loss {metrics.get('loss-before', float('nan')):.4f} → {metrics.get('loss-after', float('nan')):.4f}"


def _report(cloud: Path, edges: list[_Edge]) -> None:
    for edge in edges:
        for entry in edge.published():
            print(f"  {edge.directory.name}: {entry['told']}")
    for path in sorted((cloud / "checkpoints").glob("step-*"))[-1:]:
        print(f"{path / 'manifest.json'}:\n{(path / 'manifest.json').read_text()}")


def _sheet(pictures: list[Path], output: Path) -> None:
    columns = [read_picture(path) for path in pictures]
    height = max(picture.shape[0] for picture in columns)
    sheet = Image.new("RGB", (sum(picture.shape[1] + 8 for picture in columns), height), "white")
    left = 0
    for picture in columns:
        sheet.paste(Image.fromarray(picture), (left, 0))
        left += picture.shape[1] + 8
    write_picture(output, np.asarray(sheet), overwrite=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _say(what: str) -> None:
    print(f"demo: {what}", flush=True)


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output-dir", type=Path, default=Path("demo-output/federated"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    try:
        run_federated_demo(options.output_dir, options.rounds, options.steps)
    except MVStylizerError as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
