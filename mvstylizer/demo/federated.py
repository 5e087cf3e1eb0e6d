"""The demo of federated training: one cloud, two edges with different pictures, a device each, three rounds.

Everything runs as processes of its own, as it would on machines of its own; see docs/edge-training.md.
"""

import argparse
import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mvstylizer.demo.backdrop import needs_demo_extra
from mvstylizer.demo.clip import make_clip, make_style
from mvstylizer.demo.edge_process import COMMAND
from mvstylizer.demo.federation import (
    Edge,
    cloud_command,
    environment,
    finished_rounds,
    free_port,
    running,
    running_edge,
    sleep_until,
    trainer_command,
)
from mvstylizer.errors import MVStylizerError
from mvstylizer.pictures import read_picture, write_picture

_SWAP_SECONDS = 600.0
_PHOTOS = 48
_SIDE = 192


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
        edges = [
            stack.enter_context(running_edge(output / name, "--collect", "opt-in")) for name in ("edge-1", "edge-2")
        ]
        _say("a device on each edge stylizes and contributes: a clip here, photographs there")
        _device(edges[0], output / "device-1.mp4", style, [clip], "--key-interval", "2")
        _device(edges[1], output / "device-2", other_style, sorted(photos.glob("*.jpg")))
        frame = output / "frame.png"
        write_picture(frame, read_picture(sorted(photos.glob("*.jpg"))[0]), overwrite=True)
        _look(edges[0], frame, style, output / "first.png")
        server, status = free_port(), free_port()
        cloud = output / "cloud"
        _say(f"starting the cloud and two trainers: {rounds} rounds of {steps} steps")
        command = cloud_command(cloud, server, status, rounds, "--min-edges", "2", "--steps", str(steps))
        stack.enter_context(running(command, output / "cloud.log"))
        for edge in edges:
            command = trainer_command(edge, f"127.0.0.1:{server}", f"http://127.0.0.1:{status}")
            stack.enter_context(running(command, edge.directory / "trainer.log"))
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


def _device(edge: Edge, output: Path, style: Path, inputs: list[Path], *more: str) -> None:
    # The contributor's id of whoever runs the demo is none of its business.
    state = {"XDG_STATE_HOME": str(edge.directory.resolve() / "device")}
    _mvstylizer(state, *map(str, inputs), "--style", str(style), "-o", str(output), "--edge", edge.url,
                "--contribute", *more)  # fmt: skip


def _look(edge: Edge, frame: Path, style: Path, output: Path) -> None:
    _mvstylizer({}, str(frame), "--style", str(style), "-o", str(output), "--edge", edge.url)


def _mvstylizer(variables: dict[str, str], *arguments: str) -> None:
    command = [*COMMAND, "stylize", *arguments, "--force", "--progress", "none"]
    done = subprocess.run(command, env=environment() | variables, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise MVStylizerError(f"mvstylizer stylize failed with exit code {done.returncode}; its own message is above")


def _wait_for_rounds(cloud: Path, edges: list[Edge], rounds: int) -> None:
    """Until the last round is done and settled on both edges, telling of each as it ends."""
    told = 0
    end = time.monotonic() + rounds * 900
    while told < rounds:
        lines = finished_rounds(cloud)
        for line in lines[told:]:
            _say(f"round {line['round']}: {_losses(line)}")
        told = len(lines)
        sleep_until(end, f"{rounds} rounds did not end; see {cloud}/logs")
    end = time.monotonic() + _SWAP_SECONDS
    while not all(any(entry.get("round") == rounds for entry in edge.published()) for edge in edges):
        sleep_until(end, "an edge did not take in the last round; see its trainer.log")


def _losses(line: dict[str, Any]) -> str:
    metrics = line.get("metrics", {})
    return f"loss {metrics.get('loss-before', float('nan')):.4f} → {metrics.get('loss-after', float('nan')):.4f}"


def _report(cloud: Path, edges: list[Edge]) -> None:
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
