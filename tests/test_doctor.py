"""What ``mvstylizer doctor`` finds, on this machine and on machines that lack something."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from mvstylizer.demo.edge_process import running_edge
from mvstylizer.doctor import Check, Doubt, examine, tell
from mvstylizer.doctor_install import check_opencv, check_packages
from mvstylizer.doctor_machine import check_clock, check_cores_and_memory, check_data_dir, check_port
from mvstylizer.doctor_release import check_release, compare_release
from mvstylizer.errors import BatchError, EdgeError, InputError, NoSpaceError, OutputError, ReleaseError, UsageError
from mvstylizer.release import MANIFEST, STYLIZE_GRAPH, load, sha256
from mvstylizer.video.codecs import check_codecs
from tests.test_cli import EDGE, INPUT, USAGE, run

ROOT = Path(__file__).parent.parent
ALL = ["python", "packages", "opencv", "codecs", "release", "machine", "clock", "port"]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, preset_release: Path) -> None:
    """No settings from outside; any free port, and the tiny release."""
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MVSTYLIZER_PORT", "0")
    monkeypatch.setenv("MVSTYLIZER_RELEASE", str(preset_release))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def states(out: str) -> dict[str, str]:
    """What was printed, state by check."""
    return {line.split()[1]: line.split()[0] for line in out.splitlines()}


# The command


def test_a_sound_machine_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each check, exit code 0, and nothing left in the data directory."""
    code, out, err = run(["doctor", "--data-dir", str(tmp_path)], capsys)
    assert (code, err) == (0, "")
    assert list(states(out)) == [*ALL, "data-dir"] and set(states(out).values()) <= {"ok", "warn"}
    for told in (
        r"release +tiny-1, sha256 [0-9a-f]{12}…, a proxy of 512×288 in \d+ ms",
        r"opencv-python\S* \d",
        "libx264, libx265, aac, libopus",
        r"127\.0\.0\.1:\d+ is free",
        r"data-dir .*: can be written",
    ):
        assert re.search(told, out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_bundled_release_is_sound(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings it is the bundled release that is run."""
    monkeypatch.delenv("MVSTYLIZER_RELEASE")
    code, out, _ = run(["doctor"], capsys)
    assert code == 0 and states(out)["release"] == "ok" and "tiny" not in out


def test_everything_is_tried_though_something_fails(
    tmp_path: Path, taken: int, preset_release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged release and a port that is taken are both told; the exit code is that of the first."""
    damaged = Path(shutil.copytree(preset_release, tmp_path / "release"))
    with (damaged / STYLIZE_GRAPH).open("ab") as graph:
        graph.write(b"x")
    code, out, err = run(["doctor", "--release", str(damaged), "--port", str(taken)], capsys)
    assert code == INPUT and err == "mvstylizer: error: 2 of 8 checks failed: release, port\n"
    assert [name for name, state in states(out).items() if state == "FAIL"] == ["release", "port"]
    assert re.search(r"FAIL  release .*stylize\.onnx is damaged \(its sha256", out)
    assert re.search(rf"FAIL  port .*:{taken} cannot be listened on \(Address already in use\); choose", out)


def test_findings_can_be_had_as_json(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is told otherwise in lines, and the exit code of each."""
    code, out, _ = run(["doctor", "--json"], capsys)
    assert code == 0 and json.loads(out)["ok"] is True
    code, out, _ = run(["doctor", "--json", "--port", str(taken)], capsys)
    told = json.loads(out)
    assert code == USAGE and told["ok"] is False and [each["name"] for each in told["checks"]] == ALL
    port = told["checks"][-1]
    assert (port["state"], port["exit_code"]) == ("FAIL", USAGE) and str(taken) in port["text"]


@pytest.mark.slow
def test_an_edge_is_asked(capsys: pytest.CaptureFixture[str], tiny_release: Path) -> None:
    """Whether it is ready, and whether it has the release that is here; one that is away fails with its own code."""
    with running_edge() as url:
        code, out, _ = run(["doctor", "--edge", url], capsys)
        assert code == 0 and f"{url} is ready and runs release tiny-1, as this machine does" in out
        code, out, _ = run(["doctor", "--edge", url, "--release", str(ROOT / "mvstylizer/releases/default")], capsys)
        assert code == 0 and states(out)["edge"] == "warn" and "looks will differ" in out
    code, out, err = run(["doctor", "--edge", url], capsys)
    assert (code, states(out)["edge"]) == (EDGE, "FAIL") and "cannot be reached" in out and "edge" in err


def test_two_builds_of_opencv_are_found(tmp_path: Path) -> None:
    """In a real process that finds a second one installed."""
    distribution(tmp_path, "opencv-python-headless")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "mvstylizer", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)
    assert done.returncode == USAGE and "1 of 8 checks failed: opencv" in done.stderr
    assert re.search("FAIL  opencv .*opencv-python-headless are both installed .* pip uninstall", done.stdout)


def distribution(folder: Path, name: str) -> None:
    """What pip leaves of an installed package, for who asks which there are."""
    made = folder / f"{name.replace('-', '_')}-5.0.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 5.0.0\n")


# How checks are run


def test_an_error_of_any_kind_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    """Errors, libraries that do not load and refusals of the system all fail, doubts do not."""

    def fails(error: Exception) -> Check:
        def run() -> str:
            raise error

        return Check(type(error).__name__, run)

    errors = [EdgeError("gone"), InputError("bad"), ImportError("libGL.so.1"), PermissionError(13, "denied")]
    checks = [Check("sound", lambda: "fine"), Check("odd", lambda: Doubt("so\nso")), *map(fails, errors)]
    with pytest.raises(BatchError, match="4 of 6 checks failed") as failed:
        tell(examine(checks))
    assert failed.value.exit_code == EDGE
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == ["ok", "warn", *4 * ["FAIL"]]
    assert "odd       so so" in out and "libGL.so.1" in out and "denied" in out


# Installation


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        ("numpy>=2", True),
        ("numpy>=2,<1000", True),
        ("numpy<2", False),
        ("numpy >= 1000.1", False),
        ("numpy", True),
        ("no-such-package>=1", False),
        ("no-such-package>=1; extra == 'train'", True),
        ("opencv-python>=1000", True),
    ],
)
def test_packages_are_compared_with_what_is_asked_for(requirement: str, fits: bool) -> None:
    """Missing, too old and too new packages are named; extras do not count, OpenCV has a check of its own."""
    if fits:
        check_packages([requirement])
    else:
        with pytest.raises(UsageError, match=r"(numpy \d|no-such-package is missing).*pip install"):
            check_packages([requirement])


@pytest.mark.parametrize(
    ("builds", "told"),
    [
        (["opencv-python"], "^opencv-python 5"),
        (["opencv-python-headless"], "^opencv-python-headless 5"),
        ([], "not installed by pip"),
    ],
)
def test_one_build_of_opencv_is_right(tmp_path: Path, builds: list[str], told: str) -> None:
    """Whichever it is; one that pip knows nothing of is only doubted."""
    for name in builds:
        distribution(tmp_path, name)
    found = check_opencv([str(tmp_path)])
    assert re.search(told, found) and isinstance(found, Doubt) == (builds == [])


@pytest.mark.parametrize("codecs", [{"libnothing": "h264"}, {"libx264": "libnothing"}, {"libx264": "mpeg2video"}])
def test_a_codec_that_does_not_work_is_named(codecs: dict[str, str]) -> None:
    """Whether it is missing or what it writes cannot be read."""
    with pytest.raises(UsageError, match=rf"{next(iter(codecs))}: cannot be used .* pip install"):
        check_codecs(codecs)


# The release


def test_a_release_that_makes_no_picture_is_found(tmp_path: Path, preset_release: Path) -> None:
    """Numbers that are not finite do not pass for a picture, however whole the files are."""
    directory = Path(shutil.copytree(preset_release, tmp_path / "release"))
    graph = onnx.load(directory / STYLIZE_GRAPH)
    clip = next(node for node in graph.graph.node if node.op_type == "Clip")
    del clip.input[1:]  # no bounds, which would hide it
    tiny = next(each for each in graph.graph.initializer if each.name == "tiny")
    tiny.CopyFrom(onnx.helper.make_tensor("tiny", onnx.TensorProto.FLOAT, [], [-10.0]))  # a deviation of √-10
    data = graph.SerializeToString()
    (directory / STYLIZE_GRAPH).write_bytes(data)
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"][STYLIZE_GRAPH] = {"sha256": sha256(data), "bytes": len(data)}
    (directory / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ReleaseError, match="release tiny-1 makes numbers that are not finite"):
        check_release(directory)


def test_releases_are_compared_by_content(preset_release: Path) -> None:
    """The same digest is the same release, whatever it is called."""
    same = compare_release("http://edge", "renamed", load(preset_release).sha256, preset_release)
    assert not isinstance(same, Doubt) and "renamed" in same
    assert isinstance(compare_release("http://edge", "tiny-1", "0" * 64, preset_release), Doubt)
    with pytest.raises(ReleaseError, match="nowhere"):
        compare_release("http://edge", "tiny-1", "0" * 64, Path("/nowhere"))


# The machine


@pytest.mark.parametrize(
    ("cpu", "memory", "available", "told", "doubted"),
    [
        ("max 100000", "max", 8_000_000, "7812 MiB of memory", False),
        ("50000 100000", "max", 8_000_000, "0.5 of them by quota.*--threads 1", True),
        ("6400000 100000", "4294967296", 8_000_000, "4096 MiB of memory", False),
        ("max 100000", "268435456", 8_000_000, "256 MiB of memory; an edge wants 1024", True),
        ("max 100000", "max", 500_000, "488 MiB of memory; an edge wants 1024", True),
        (None, None, None, r"^\d+ cores?$", False),
    ],
)
def test_cores_and_memory_are_those_to_be_had(
    tmp_path: Path, cpu: str | None, memory: str | None, available: int | None, told: str, doubted: bool
) -> None:
    """Limits of a container count, too little of either is doubted, and a system without these files is let be."""
    for name, text in (("cpu.max", cpu), ("memory.max", memory)):
        if text is not None:
            (tmp_path / name).write_text(f"{text}\n")
    if available is not None:
        (tmp_path / "meminfo").write_text(f"MemTotal:  9999999 kB\nMemAvailable: {available} kB\n")
    found = check_cores_and_memory(tmp_path, tmp_path / "meminfo")
    assert re.search(told, found) and isinstance(found, Doubt) == doubted


def test_a_clock_in_the_past_is_doubted() -> None:
    """Before this file was written it cannot be."""
    assert not isinstance(check_clock(), Doubt)
    found = check_clock(86_400.0 * 365)
    assert isinstance(found, Doubt) and found.startswith("1971-01-01") and "set the clock" in found


def test_a_directory_without_room_is_refused(tmp_path: Path) -> None:
    """Too little room fails as a full disk does, little room is doubted; nothing is left behind."""
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(NoSpaceError, match=f"{tmp_path}: only .* make room"):
        check_data_dir(tmp_path, least_free=2 * free)
    assert isinstance(check_data_dir(tmp_path, little_free=2 * free), Doubt)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_missing_would_be_made(tmp_path: Path) -> None:
    """As an edge does; but the check makes none."""
    assert "a/b: can be made" in check_data_dir(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Be it the kernel's own, to which not even root writes, or a file."""
    (tmp_path / "file").touch()
    for place in ("/proc", "/proc/nothing/here", str(tmp_path / "file"), str(tmp_path / "file" / "below")):
        with pytest.raises(OutputError, match="; "):
            check_data_dir(Path(place))


def test_ports_that_cannot_be_had_are_refused(taken: int) -> None:
    """Taken, of another machine, or no port at all; a free one passes, on IPv6 too where there is any."""
    for host, port in (("127.0.0.1", taken), ("192.0.2.1", 0), ("127.0.0.1", 65_536), ("no.such.host.invalid", 0)):
        with pytest.raises(UsageError, match=rf"{host}:{port} cannot be listened on \(.+\); choose another"):
            check_port(host, port)
    assert re.fullmatch(r"127\.0\.0\.1:\d+ is free", check_port("127.0.0.1", 0))
