"""The examples in ``deploy/`` fit to the commands that they start, as far as can be seen without running them."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from inference.limits import Limits
from mvstylizer.cli import _parser
from mvstylizer.settings_file import read_table
from tests.test_operator_docs import serve_parser

DEPLOY = Path(__file__).parent.parent / "deploy"
UNIT, DOCKERFILE, COMPOSE = DEPLOY / "mvstylizer-edge.service", DEPLOY / "Dockerfile", DEPLOY / "compose.yaml"
_SECONDS_AFTER_DRAINING = 10


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MVSTYLIZER_")]:
        monkeypatch.delenv(name)


def service() -> configparser.SectionProxy:
    """The unit's section about the process."""
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read_string(UNIT.read_text())
    return unit["Service"]


def instruction(name: str) -> list[str]:
    """The arguments of the last instruction of that name in the Dockerfile, written as JSON."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    found = [line.partition("[")[2] for line in text.splitlines() if re.match(rf"{name}\b.*\[", line)]
    return list(json.loads(f"[{found[-1]}"))


def image_settings() -> dict[str, str]:
    """The variables of ours that the image sets."""
    return dict(re.findall(r"(MVSTYLIZER_\w+)=(\S+)", DOCKERFILE.read_text()))


def test_the_unit_starts_a_command_that_exists(tmp_path: Path) -> None:
    """Its flags are the parser's, with the example of a file of settings."""
    text = service()["ExecStart"].replace("%S", "/var/lib").replace("%d", "/run/credentials")
    text = text.replace("/etc/mvstylizer/edge.toml", str(DEPLOY / "edge.toml"))
    options = _parser().parse_args(shlex.split(text)[1:])
    assert (options.host, options.data_dir) == ("0.0.0.0", Path("/var/lib/mvstylizer"))
    assert options.token_file == Path("/run/credentials/token")
    assert service()["LoadCredential"].startswith("token:")


def test_the_unit_leaves_time_to_drain() -> None:
    """systemd asks as the edge expects it, and waits for longer than draining takes; so does the container."""
    least = Limits().drain_seconds + _SECONDS_AFTER_DRAINING
    assert service()["KillSignal"] == "SIGTERM" and float(service()["TimeoutStopSec"]) >= least
    grace = re.search(r"stop_grace_period: (\d+)s", COMPOSE.read_text())
    assert grace and float(grace[1]) >= least and "STOPSIGNAL SIGTERM" in DOCKERFILE.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Without a word, and rates its exposure as low."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/mvstylizer/bin/mvstylizer", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_the_file_of_settings_can_be_read(tmp_path: Path) -> None:
    """As it is, and with every line that is an example only."""
    settings = serve_parser().settings
    keys = [each.key for each in settings]
    assert set(read_table(DEPLOY / "edge.toml", "serve", keys, ["serve"])) == {"host", "port"}
    examples = re.findall(r"^# ([a-z-]+ = .+)$", (DEPLOY / "edge.toml").read_text(), re.MULTILINE)
    assert len(examples) >= 4
    for line in examples:
        (tmp_path / "one.toml").write_text(f"[serve]\n{line}\n")
        assert tomllib.loads(line)
        _parser().parse_args(["serve", "--config", str(tmp_path / "one.toml")])


def test_the_image_starts_a_command_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables are settings of the command, and possible ones."""
    variables = {each.variable for each in serve_parser().settings}
    assert set(image_settings()) <= variables
    for name, value in image_settings().items():
        monkeypatch.setenv(name, value)
    (program,) = instruction("ENTRYPOINT")
    options = _parser().parse_args(instruction("CMD"))
    assert Path(program).name == "mvstylizer" and (options.host, options.port) == ("0.0.0.0", 8080)
    assert (options.data_dir, options.token_file) == (Path("/data"), Path("/run/secrets/mvstylizer-token"))


def test_the_image_asks_for_its_health_where_it_is_told() -> None:
    """On the port that it listens on, on a route that exists and asks for no token."""
    from inference.route import Access
    from inference.routes import ROUTES

    code = next(line for line in DOCKERFILE.read_text().splitlines() if "urllib" in line)
    url = re.search(r"http://127\.0\.0\.1:(\d+)(/[\w/]+)", code)
    assert url and url[1] == image_settings()["MVSTYLIZER_PORT"]
    assert [route.access for route in ROUTES if (route.method, route.path) == ("GET", url[2])] == [Access.OPEN]
    program = json.loads(code.strip().removeprefix("CMD "))[-1]
    compile(program, "healthcheck", "exec")


def test_neither_has_more_rights_than_it_needs() -> None:
    """No root, nothing to write but the data, no capabilities, no way to more."""
    assert service()["DynamicUser"] == service()["NoNewPrivileges"] == "yes"
    assert service()["ProtectSystem"] == "strict" and service()["CapabilityBoundingSet"] == ""
    assert re.findall(r"^USER (.+)$", DOCKERFILE.read_text(), re.MULTILINE) == ["mvstylizer"]
    for line in ("read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]'):
        assert line in COMPOSE.read_text()


def test_the_container_has_what_the_image_expects() -> None:
    """The secret and the volume are where the variables say."""
    text = COMPOSE.read_text()
    assert f'volumes: ["data:{image_settings()["MVSTYLIZER_DATA_DIR"]}"]' in text
    secret = Path(image_settings()["MVSTYLIZER_TOKEN_FILE"])
    assert str(secret.parent) == "/run/secrets" and f"secrets: [{secret.name}]" in text
    assert (DEPLOY / "compose.yaml").parent / "Dockerfile" == DOCKERFILE and "dockerfile: deploy/Dockerfile" in text
