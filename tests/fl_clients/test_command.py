"""What ``flower-client`` is asked for, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fl_clients.command import _parser, main, trainer_of
from fl_clients.launcher import Trainer, run
from mvstylizer.errors import UsageError

ROOT = Path(__file__).parents[2]
LOCAL = ["--server", "127.0.0.1:8000", "--insecure"]


def _key(path: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> Path:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return path


def _trainer(*arguments: str) -> Trainer:
    return trainer_of(_parser().parse_args(list(arguments)))


def test_defaults_are_in_the_edge_s_directory(tmp_path: Path) -> None:
    """An operator names the edge's directory, and all else follows."""
    trainer = _trainer(*LOCAL, "--edge-data-dir", str(tmp_path))
    assert trainer.settings.frame_store == tmp_path / "frames.sqlite"
    assert trainer.settings.data_dir == tmp_path / "trainer"
    assert trainer.settings.edge == "http://127.0.0.1:8080"
    assert trainer.backup is None
    assert trainer.credentials.arguments() == ["--insecure"]


def test_credentials_reach_flower(tmp_path: Path) -> None:
    """The CA and the node's key are handed on, as whole paths."""
    import trustme

    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    key = _key(tmp_path / "node", ec.generate_private_key(ec.SECP384R1()))
    trainer = _trainer("--server", "cloud.example:443", "--edge-data-dir", str(tmp_path), "--ca", str(ca),
                       "--node-key", str(key))  # fmt: skip
    assert trainer.credentials.arguments() == [
        "--root-certificates", str(ca), "--auth-supernode-private-key", str(key),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--server", "cloud.example:8000", "--insecure"], "--insecure"),
        (["--server", "127.0.0.1:8000", "--insecure", "--node-key", "key"], "--node-key"),
        (["--server", "cloud.example"], "HOST:PORT"),
        (["--server", "https://cloud.example:443"], "HOST:PORT"),
        (["--server", "cloud.example:0"], "HOST:PORT"),
        ([*LOCAL, "--edge", "edge:8080"], "address"),
        ([*LOCAL, "--tolerance", "-1"], "--tolerance"),
        ([*LOCAL, "--min-frames", "nan"], "--min-frames"),
        (["--server", "cloud.example:443", "--ca", "/nowhere"], "--ca"),
        ([], "--server"),
    ],
)
def test_what_is_not_possible(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused in one line that names the option, before anything is started."""
    assert main([*arguments, "--edge-data-dir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("flower-client: error: ") and said in told and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_no_token_in_the_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The backup's token is not sent to another machine without TLS; that shows before anything is started."""
    (tmp_path / "token").write_text("0123456789abcdef")
    arguments = [*LOCAL, "--edge-data-dir", str(tmp_path / "edge"), "--backup", "http://192.0.2.1:8010"]
    assert main([*arguments, "--token-file", str(tmp_path / "token")]) == 2
    assert "https" in capsys.readouterr().err


def test_a_key_that_flower_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong key is an input error here, not a line in a SuperNode's log again and again."""
    wrong = _key(tmp_path / "wrong", ed25519.Ed25519PrivateKey.generate())
    (tmp_path / "none").write_text("no key")
    for path in (wrong, tmp_path / "none", tmp_path / "missing"):
        arguments = ["--server", "cloud.example:443", "--edge-data-dir", str(tmp_path), "--node-key", str(path)]
        assert main(arguments) == 3
        assert "flower-server keys" in capsys.readouterr().err


def test_settings_by_variable_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every command of this project; one file may hold the cloud's settings, too."""
    file = tmp_path / "settings.toml"
    file.write_text('[flower-client]\nserver = "127.0.0.1:9000"\ninsecure = true\nmax-uses = 7\n[flower-server]\n')
    monkeypatch.setenv("MVSTYLIZER_EDGE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MVSTYLIZER_MAX_USES", "2")
    trainer = _trainer("--config", str(file))
    assert (trainer.server, trainer.settings.max_uses) == ("127.0.0.1:9000", 2)


@pytest.mark.parametrize("other", ["trainer", "elsewhere"])
def test_one_trainer_per_edge(tmp_path: Path, other: str) -> None:
    """The same edge must not take part twice, with whatever directory of its own."""
    from filelock import FileLock

    edge = tmp_path / "edge"
    edge.mkdir()
    (tmp_path / "trainer").mkdir()
    trainer = _trainer(*LOCAL, "--edge-data-dir", str(edge), "--data-dir", str(tmp_path / other))
    taken = tmp_path / "trainer" / "lock" if other == "trainer" else edge / "trainer.lock"
    with FileLock(taken), pytest.raises(UsageError, match="another flower-client"):
        run(trainer, lambda line: None)


def test_help_is_quick() -> None:
    """Neither torch nor Flower is imported to show the options."""
    script = "import sys\nfrom fl_clients.command import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    " \
             "print({'torch', 'flwr', 'aiohttp', 'onnxruntime'} & sys.modules.keys())"  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert "--edge-data-dir" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"
