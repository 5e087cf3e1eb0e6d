"""``flower-server``: what it refuses before it starts anything, and where its settings come from."""

import re
import socket
from pathlib import Path

import pytest

from fl_server.command import _parser, _settings, main
from fl_server.settings import CloudSettings, load_settings
from mvstylizer.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--insecure", "--address", "0.0.0.0:8000"], "--address 0.0.0.0:8000 could be reached from outside"),
        (["--insecure", "--status", "[::]:8010"], "--status"),
        (["--insecure", "--public", "0.0.0.0:443"], "--insecure would let everybody"),
        ([], "keys ca"),
        (["--insecure", "--strategy", "best"], "fedavgm"),
        (["--insecure", "--strategy-option", "eta=1"], "no option eta"),
        (["--insecure", "--strategy-option", "eta"], "NAME=NUMBER"),
        (["--insecure", "--strategy", "krum", "--dp-noise", "1"], "fedavg or fedprox"),
        (["--insecure", "--dp-noise", "1", "--dp-clip", "-1"], "clip"),
        (["--insecure", "--dp-delta", "1"], "dp-delta"),
        (["--insecure", "--rounds", "0"], "--rounds"),
        (["--insecure", "--address", "8000"], "HOST:PORT"),
        (["--insecure", "--photos", "/none"], "--photos /none"),
        (["--insecure", "--start", "/none"], "--start /none"),
        (["keys"], "KIND"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """Exit code 2 and one line that says what to do; nothing is made or started."""
    data = [] if arguments[:1] == ["keys"] else ["--data-dir", str(tmp_path / "cloud")]
    assert main([*arguments, *data]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (tmp_path / "cloud").exists()


def test_a_port_that_is_taken_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another cloud's SuperLink may be there, and would take our runs for its own."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert main(["--insecure", "--data-dir", str(tmp_path), "--address", address]) == 2
    assert f"--address {address} cannot be listened on" in capsys.readouterr().err


def test_settings_come_from_flags_variables_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere in MVStylizer; and they reach the ServerApp as they were given."""
    config = tmp_path / "cloud.toml"
    config.write_text("[flower-server]\nrounds = 7\nsteps = 9\nstrategy-option = ['server_momentum=0.5']\n")
    monkeypatch.setenv("MVSTYLIZER_STEPS", "11")
    options = _parser().parse_args(["--config", str(config), "--strategy", "fedavgm"])
    settings = _settings(options)
    assert (settings.rounds, settings.steps, settings.strategy) == (7, 11, "fedavgm")
    assert settings.options == {"server_momentum": 0.5}
    settings.save(tmp_path / "settings.json")
    assert load_settings(tmp_path / "settings.json") == settings
    with pytest.raises(InputError, match="flower-server"):
        load_settings(tmp_path / "none.json")


def test_defaults_are_those_of_the_settings() -> None:
    """What the help tells is what runs."""
    assert _settings(_parser().parse_args([])) == CloudSettings()


def test_the_help_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    """An example, and every setting's variable."""
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert "flower-server --data-dir cloud/ --insecure" in told and "127.0.0.1:8000" in told
    assert len(re.findall("MVSTYLIZER_[A-Z_]+", told)) > 20
