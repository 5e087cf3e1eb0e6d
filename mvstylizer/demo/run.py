"""Runs the demo: a clip and a photo, an edge as a process of its own, the stylized clip, a contact sheet."""

from pathlib import Path

from mvstylizer.demo.clip import make_clip, make_style
from mvstylizer.demo.contact_sheet import contact_sheet
from mvstylizer.demo.edge_process import run_command, running_edge
from mvstylizer.errors import InputError, OutputError


def run_demo(video: Path | None, style: Path | None, output_dir: Path) -> None:
    """Stylize ``video`` with the photo ``style`` through an edge started for it, into ``output_dir``.

    Whichever of the two is None is made first, in ``output_dir`` too. Results of an earlier run are replaced.

    Raises:
        UsageError: a package is missing that the demo's own clip and photo come from.
        InputError: ``video`` or ``style`` does not exist or cannot be read.
        EdgeError: the edge did not start, or was lost.
        MVStylizerError: ``mvstylizer stylize`` failed; the error has its exit code.
    """
    for given in (video, style):
        if given is not None and not given.is_file():
            raise InputError(f"{given}: no such file; check the name")
    _make_directory(output_dir)
    if video is None:
        _say("drawing a clip (about 20 seconds)")
        video = make_clip(output_dir / "clip.mp4")
    if style is None:
        style = make_style(output_dir / "style.png")
    stylized = output_dir / f"{video.stem}-stylized.mp4"
    _say("starting an edge")
    with running_edge() as url:
        _say(f"stylizing through the edge at {url}")
        run_command(["stylize", str(video), "--style", str(style), "-o", str(stylized), "--edge", url, "--force"])
    sheet = contact_sheet(video, stylized, style, output_dir / f"{video.stem}-contact-sheet.png")
    _report({"video": video, "style photo": style, "stylized video": stylized, "contact sheet": sheet})


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the directory {path}: {error.strerror or error}") from error


def _say(what: str) -> None:
    # Flushed, so that it stands before what the child processes print.
    print(f"demo: {what}", flush=True)


def _report(files: dict[str, Path]) -> None:
    _say("done")
    for name, path in files.items():
        print(f"  {name + ':':<16}{path.resolve()}")
