"""The command line as its users meet it; the happy paths, and every mistake that they can make."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from mvstylizer import __version__
from mvstylizer.cli import main
from mvstylizer.demo.edge_process import running_edge
from mvstylizer.pictures import encode_jpeg, read_picture, write_picture
from mvstylizer.video import VideoReader
from tests.clips import Clip, packets, write_clip
from tests.scenes import no_thread_left, pan, texture, write_scene

COMMANDS = ["stylize", "preview", "styles", "serve", "demo", "distill", "train", "export", "completion"]
USAGE, INPUT, EDGE = 2, 3, 4


@dataclass(frozen=True)
class Desk:
    """A directory with a clip, a photo and a picture, and an empty one for outputs."""

    clip: Path
    photo: Path
    picture: Path
    outputs: Path

    @property
    def video_out(self) -> Path:
        return self.outputs / "out.mp4"

    @property
    def picture_out(self) -> Path:
        return self.outputs / "out.png"

    def stylize(self, *more: object, source: Path | None = None, output: Path | None = None) -> list[str]:
        """Arguments that stylize the clip, or another source, and ``more``."""
        return [
            "stylize",
            str(source or self.clip),
            "--style",
            str(self.photo),
            "-o",
            str(output or self.video_out),
            *map(str, more),
        ]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what ``Desk`` holds; made once, because encoding takes its time."""
    made = tmp_path_factory.mktemp("sources")
    write_clip(made / "in.mp4", Clip(frames=20, sounds=("aac",), muxer_options={"movflags": "faststart"}))
    write_picture(made / "photo.png", np.clip(texture(40, 50) * 0.4 + (100, 60, 20), 0, 255).astype(np.uint8))
    write_picture(made / "picture.png", texture(45, 71, seed=4))
    return made


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_release: Path, sources: Path) -> Desk:
    """All of it runs with the tiny release unless a test says otherwise."""
    monkeypatch.setenv("MVSTYLIZER_RELEASE", str(tiny_release))
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    clip, photo, picture = (
        Path(shutil.copy(sources / name, tmp_path)) for name in ("in.mp4", "photo.png", "picture.png")
    )
    return Desk(clip, photo, picture, outputs)


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in this process."""
    capsys.readouterr()
    with no_thread_left():
        code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def refused(desk: Desk, arguments: list[str], capsys: pytest.CaptureFixture[str], code: int) -> str:
    """The one line with which a command was refused; checks that nothing was left behind."""
    before = {path: path.read_bytes() for path in desk.outputs.iterdir()}
    found, out, err = run(arguments, capsys)
    assert re.fullmatch(r"mvstylizer: error: [^\n]+\n", err)
    assert (found, out) == (code, "")
    assert {path: path.read_bytes() for path in desk.outputs.iterdir()} == before
    return err


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    command = [sys.executable, "-m", "mvstylizer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60)


def proxies(path: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    with VideoReader(path) as reader:
        return [frame.proxy.astype(np.int64) for frame in reader]


# What works


def test_a_video_is_stylized(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A video comes out with the photo's mean colour and its own sound; stdout names the file, stderr is silent."""
    assert run(desk.stylize("--key-interval", 5), capsys) == (0, f"{desk.video_out}\n", "")
    assert packets(desk.video_out, "audio") == packets(desk.clip, "audio")
    wanted = read_picture(desk.photo).mean((0, 1))
    frames = proxies(desk.video_out)
    assert len(frames) == 20
    assert max(np.abs(frame.mean((0, 1)) - wanted).max() for frame in frames) < 10
    assert list(desk.outputs.iterdir()) == [desk.video_out]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_is_stylized(desk: Desk, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    """A picture keeps its size and gets the photo's mean colour."""
    output = desk.outputs / f"out{suffix}"
    assert run(desk.stylize(source=desk.picture, output=output), capsys) == (0, f"{output}\n", "")
    stylized = read_picture(output)
    assert stylized.shape == (45, 71, 3)
    assert np.abs(stylized.mean((0, 1)) - read_picture(desk.photo).mean((0, 1))).max() < 5


@pytest.mark.parametrize(
    "options",
    [
        ("--propagation", "warp"),
        ("--flow", "lucas-kanade"),
        ("--flow", "farneback"),
        ("--key-frames", "codec", "--crf", "30", "--preset", "ultrafast"),
    ],
)
def test_every_way_works(desk: Desk, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    """All choices of propagation, flow and key frames lead to a whole video."""
    assert run(desk.stylize(*options), capsys)[0] == 0
    assert len(proxies(desk.video_out)) == 20


def test_force_overwrites(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--force`` outputs that exist are replaced."""
    for source, output in ((desk.clip, desk.video_out), (desk.picture, desk.picture_out)):
        output.write_text("old")
        assert run(desk.stylize("--force", source=source, output=output), capsys)[0] == 0
        assert output.stat().st_size > 100


def test_the_real_command_works(desk: Desk) -> None:
    """``python -m mvstylizer`` stylizes a picture, prints its name, and nothing on stderr."""
    done = process(*desk.stylize(source=desk.picture, output=desk.picture_out))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{desk.picture_out}\n", "")


def test_the_real_command_refuses_in_one_line(desk: Desk) -> None:
    """A mistake in a process of its own: one line on stderr, exit code 3, no traceback, nothing written."""
    (desk.outputs.parent / "text.mp4").write_text("not a video")
    done = process(*desk.stylize(source=desk.outputs.parent / "text.mp4"))
    assert (done.returncode, done.stdout) == (INPUT, "")
    assert re.fullmatch(r"mvstylizer: error: [^\n]+\n", done.stderr)
    assert list(desk.outputs.iterdir()) == []


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints the package's version and exits with 0."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code
    assert capsys.readouterr().out == f"mvstylizer {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` of every command exits with 0 and shows an example of that command."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert not ended.value.code
    assert re.search(rf"example:\n  mvstylizer {command}", capsys.readouterr().out)


def test_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` names every command."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {command}\b", text, re.MULTILINE) for command in COMMANDS)


# Settings by variable


def test_a_variable_sets_an_option(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every setting may come from ``MVSTYLIZER_…``, required ones too."""
    monkeypatch.setenv("MVSTYLIZER_STYLE", str(desk.photo))
    monkeypatch.setenv("MVSTYLIZER_CRF", "40")
    assert run(["stylize", str(desk.clip), "-o", str(desk.video_out)], capsys)[0] == 0
    fine = desk.outputs / "fine.mp4"
    assert run(["stylize", str(desk.clip), "-o", str(fine), "--crf", "4"], capsys)[0] == 0
    assert desk.video_out.stat().st_size < fine.stat().st_size


def test_the_flag_wins_over_the_variable(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tiny_release: Path
) -> None:
    """A flag overrides the variable of its name, even one whose value is impossible."""
    monkeypatch.setenv("MVSTYLIZER_FLOW", "sideways")
    monkeypatch.setenv("MVSTYLIZER_CRF", "many")
    monkeypatch.setenv("MVSTYLIZER_RELEASE", "/nowhere")
    flags = ("--flow", "dis", "--crf", "20", "--release", tiny_release)
    assert run(desk.stylize(*flags), capsys)[0] == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KEY_INTERVAL", "often"),
        ("CRF", "3.5"),
        ("FLOW", "sideways"),
        ("PROPAGATION", "magic"),
        ("KEY_FRAMES", "all"),
        ("PRESET", "fastest"),
        ("CODEC", "av1"),
        ("EFFORT", "much"),
        ("PROGRESS", "dots"),
        ("EDGE_PATIENCE", "long"),
    ],
)
def test_a_bad_variable_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A variable with an impossible value is refused by its name and value."""
    monkeypatch.setenv(f"MVSTYLIZER_{variable}", value)
    line = refused(desk, desk.stylize(), capsys, USAGE)
    assert f"MVSTYLIZER_{variable}" in line and value in line


def test_a_bad_variable_concerns_only_its_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable of one command does not keep another, nor ``--help``, from working."""
    monkeypatch.setenv("MVSTYLIZER_FLOW", "sideways")
    for arguments in (["export", "--help"], ["stylize", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code
    assert main(["export"]) == USAGE
    assert "MVSTYLIZER_FLOW" not in capsys.readouterr().err


def test_an_empty_variable_counts_as_unset(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is set to nothing leaves the default."""
    for name in ("CRF", "FLOW", "EDGE", "STYLE"):
        monkeypatch.setenv(f"MVSTYLIZER_{name}", "")
    assert run(desk.stylize(), capsys)[0] == 0


# Mistakes with options


@pytest.mark.parametrize(
    "options",
    [
        ("--no-such-option",),
        ("--key-interval", "0"),
        ("--key-interval", "61"),
        ("--key-interval", "often"),
        ("--crf", "52"),
        ("--crf", "-1"),
        ("--codec", "libx264"),
        ("--effort", "much"),
        ("--progress", "dots"),
        ("--flow", "sideways"),
        ("--propagation", "magic"),
        ("--preset", "fastest"),
        ("--edge-patience", "-1"),
        ("--edge-patience", "nan"),
        ("--edge", "127.0.0.1:8080"),
        ("--edge", "ftp://somewhere"),
        ("--forc",),
        ("another.mp4",),
    ],
)
def test_impossible_options_are_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    """Unknown options and impossible values are usage errors."""
    refused(desk, desk.stylize(*options), capsys, USAGE)


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["stylize"], ["stylize", "in.mp4"], ["stylize", "in.mp4", "-o", "out.mp4"]]
)
def test_incomplete_commands_are_refused(desk: Desk, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A command that lacks something says so and points to its help."""
    assert "--help" in refused(desk, arguments, capsys, USAGE)


# Mistakes with inputs


def zero_frames(path: Path) -> None:
    """A video file with all headers and no frame."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        output.start_encoding()


@pytest.mark.parametrize("name", ["missing.mp4", "folder", "text.mp4", "empty.mp4", "cut.mp4", "none.mkv"])
def test_unreadable_videos_are_refused(desk: Desk, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """What is not there, a directory, not a video, cut off or without frames is named, and nothing is written."""
    path = desk.outputs.parent / name
    if name == "folder":
        path.mkdir()
    elif name == "text.mp4":
        path.write_text("To whom it may concern\n" * 100)
    elif name == "empty.mp4":
        path.touch()
    elif name == "cut.mp4":
        path.write_bytes(desk.clip.read_bytes()[: desk.clip.stat().st_size // 2])
    elif name == "none.mkv":
        zero_frames(path)
    assert str(path) in refused(desk, desk.stylize("--key-interval", 3, source=path), capsys, INPUT)


@pytest.mark.parametrize("name", ["missing.png", "folder.png", "text.png", "cut.png"])
@pytest.mark.parametrize("role", ["style", "input"])
def test_unreadable_pictures_are_refused(desk: Desk, capsys: pytest.CaptureFixture[str], name: str, role: str) -> None:
    """A style photo or a picture that is missing, a directory, not a picture or cut off is named."""
    path = desk.outputs.parent / name
    if name == "folder.png":
        path.mkdir()
    elif name == "text.png":
        path.write_text("not a picture")
    elif name == "cut.png":
        path.write_bytes(desk.photo.read_bytes()[:200])
    options = {"style": desk.stylize("--style", path), "input": desk.stylize(source=path, output=desk.picture_out)}
    assert str(path) in refused(desk, options[role], capsys, INPUT)


@pytest.mark.parametrize("damage", ["missing", "no manifest", "not json", "later format", "graph", "not onnx"])
def test_damaged_releases_are_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str], tiny_release: Path, damage: str
) -> None:
    """A release that is missing, damaged or of another kind is refused before anything runs."""
    release = desk.outputs.parent / "release"
    if damage != "missing":
        shutil.copytree(tiny_release, release)
    manifest = release / "manifest.json"
    if damage == "no manifest":
        manifest.unlink()
    elif damage == "not json":
        manifest.write_text("{")
    elif damage == "later format":
        manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    elif damage == "graph":
        graph = release / "stylize.onnx"
        graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    elif damage == "not onnx":
        from mvstylizer.release import sha256

        digest = sha256((release / "style.onnx").read_bytes())
        (release / "style.onnx").write_bytes(b"garbage")
        manifest.write_text(manifest.read_text().replace(digest, sha256(b"garbage")))
    refused(desk, desk.stylize("--release", release), capsys, INPUT)


# Mistakes with outputs


def test_outputs_that_cannot_be_are_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing directory or an unknown format is refused before any work."""
    for name in ("missing/out.mp4", "out.avi", "out"):
        refused(desk, desk.stylize(output=desk.outputs.parent / name), capsys, USAGE)
    for name in ("missing/out.png", "out.bmp", "out.xyz", "out"):
        refused(desk, desk.stylize(source=desk.picture, output=desk.outputs.parent / name), capsys, USAGE)


def test_pictures_and_videos_do_not_mix(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture does not become a video, nor a video a picture."""
    assert "video" in refused(desk, desk.stylize(output=desk.picture_out), capsys, USAGE)
    assert "picture" in refused(desk, desk.stylize(source=desk.picture), capsys, USAGE)


def test_existing_outputs_are_kept(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--force`` nothing is overwritten, and the line names the way out."""
    desk.video_out.write_text("precious")
    desk.picture_out.write_text("precious")
    assert "--force" in refused(desk, desk.stylize(), capsys, USAGE)
    assert "--force" in refused(desk, desk.stylize(source=desk.picture, output=desk.picture_out), capsys, USAGE)


def test_a_source_is_never_overwritten(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even with ``--force`` is the input or the style photo overwritten, by whatever name."""
    link = desk.outputs / "link.mp4"
    link.symlink_to(desk.clip)
    cases = [(desk.clip, desk.clip), (desk.clip, link), (desk.picture, desk.picture), (desk.picture, desk.photo)]
    contents = {path: path.read_bytes() for path in (desk.clip, desk.picture, desk.photo)}
    for source, output in cases:
        refused(desk, desk.stylize("--force", source=source, output=output), capsys, USAGE)
    assert {path: path.read_bytes() for path in contents} == contents


# Through an edge


@pytest.mark.slow
def test_an_edge_gives_the_same_result(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Through a real edge process the video is, but for the JPEG on the way, the one made in this process."""
    source = write_scene(desk.outputs.parent / "scene.mp4", pan(20, 64, 96))
    here, there = desk.outputs / "here.mp4", desk.outputs / "there.mp4"
    picture_here, picture_there = desk.outputs / "here.png", desk.outputs / "there.png"
    assert run(desk.stylize("--key-interval", 4, source=source, output=here), capsys)[0] == 0
    assert run(desk.stylize(source=desk.picture, output=picture_here), capsys)[0] == 0
    with running_edge() as url:
        arguments = desk.stylize("--edge", url, "--key-interval", 4, source=source, output=there)
        assert run(arguments, capsys) == (0, f"{there}\n", "")
        assert run(desk.stylize("--edge", url, source=desk.picture, output=picture_there), capsys)[0] == 0
    for a, b in zip(proxies(here), proxies(there), strict=True):
        assert np.abs(a - b).mean() < 3
    assert np.abs(read_picture(picture_here).astype(int) - read_picture(picture_there)).mean() < 2


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine on which nobody listens and which nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("kind", ["video", "picture"])
def test_an_edge_that_is_down_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str], closed_port: int, kind: str
) -> None:
    """Where nobody listens the error names the address and how to start an edge."""
    url = f"http://127.0.0.1:{closed_port}"
    source, output = (desk.clip, desk.video_out) if kind == "video" else (desk.picture, desk.picture_out)
    arguments = desk.stylize("--edge", url, "--edge-patience", 0, source=source, output=output)
    line = refused(desk, arguments, capsys, EDGE)
    assert url in line and "mvstylizer serve" in line


@dataclass
class OddEdge:
    """An HTTP server that answers as told: PUT, GET and POST get (status, content type, body)."""

    put: tuple[int, str, bytes] = (201, "application/json", b"{}")
    get: tuple[int, str, bytes] = (200, "application/json", b'{"sha256": "5a17"}')
    post: tuple[int, str, bytes] = (200, "text/plain", b"")
    hangs: threading.Event | None = None
    """A POST waits for it, if any, before it is answered."""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(edge: OddEdge) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(*edge.put)

        def do_GET(self) -> None:
            self._answer(*edge.get)

        def do_POST(self) -> None:
            edge.asked.append(self.path)
            if edge.hangs is not None:
                edge.hangs.wait(60)
            self._answer(*edge.post)

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that has seen enough hangs up; the traceback would land in the stderr under test."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        if edge.hangs is not None:
            edge.hangs.set()
        server.shutdown()
        thread.join()
        server.server_close()


SMALL_JPEG = encode_jpeg(texture(8, 8))


@pytest.mark.parametrize(
    "edge",
    [
        OddEdge(put=(200, "text/html", b"<html>router login</html>"), post=(200, "text/html", b"<html>login</html>")),
        OddEdge(put=(404, "text/html", b"<html>not found</html>")),
        OddEdge(put=(301, "text/html", b"")),
        OddEdge(get=(404, "text/html", b"<html>not found</html>")),
        OddEdge(put=(500, "application/json", b'{"error": "it broke", "code": "internal", "request_id": "1"}')),
        OddEdge(post=(200, "image/jpeg", b"\xff\xd8\xff garbage")),
        OddEdge(post=(200, "image/jpeg", SMALL_JPEG)),
        OddEdge(post=(200, "image/jpeg", b"")),
        OddEdge(post=(404, "application/json", b'{"error": "what style?", "code": "unknown-style"}')),
        OddEdge(post=(503, "application/json", b'{"error": "busy", "code": "busy"}')),
    ],
    ids=["html", "404", "redirect", "no release", "500", "no jpeg", "wrong size", "empty", "forgetful", "busy"],
)
def test_an_edge_that_makes_no_sense_is_named(desk: Desk, capsys: pytest.CaptureFixture[str], edge: OddEdge) -> None:
    """Whatever an odd server answers, in the end it is one line that names the edge, and no output."""
    with serving(edge) as url:
        arguments = desk.stylize("--edge", url, "--edge-patience", 0, "--key-interval", 3)
        assert url in refused(desk, arguments, capsys, EDGE)


def test_a_server_of_another_kind_is_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Something that does not even speak HTTP is an edge that makes no sense."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                connection.recv(65536)

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        arguments = desk.stylize("--edge", url, "--edge-patience", 0)
        capsys.readouterr()
        code = main(arguments)
        thread.join()
    assert code == EDGE
    assert re.fullmatch(r"mvstylizer: error: [^\n]+\n", capsys.readouterr().err)
    assert list(desk.outputs.iterdir()) == []


# Interruption


@pytest.mark.slow
@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "working"])
def test_an_interruption_leaves_nothing(desk: Desk, waits: bool) -> None:
    """Ctrl-C in the middle of a video, waiting for an edge or working: exit code 130, no output that can be seen."""
    source = write_scene(desk.outputs.parent / "long.mp4", pan(50, 96, 160) * 30)
    edge = OddEdge(hangs=threading.Event())
    with serving(edge) as url:
        options = ("--edge", url) if waits else ("--preset", "slow", "--key-interval", 1)
        command = [sys.executable, "-m", "mvstylizer", *desk.stylize(*options, source=source)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
            deadline = time.monotonic() + 30
            while not (edge.asked if waits else _begun(desk.outputs)):
                assert time.monotonic() < deadline and running.poll() is None
                time.sleep(0.01)
            time.sleep(0.3)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert re.fullmatch(r"mvstylizer: interrupted[^\n]*\n", err)
    # What a later run goes on from is hidden.
    assert not [path for path in desk.outputs.iterdir() if not path.name.startswith(".")]


def _begun(outputs: Path) -> bool:
    return any(outputs.iterdir())
