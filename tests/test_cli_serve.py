"""``mvstylizer serve``: what it refuses before anything listens."""

import pytest

from mvstylizer.cli import main
from tests.test_cli import USAGE


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--queue", "0"], "--queue"),
        (["--per-client", "-1"], "--per-client"),
        (["--collect-mb", "0"], "--collect-mb"),
        (["--collect-days", "1.5"], "--collect-days"),
        (["--drain-seconds", "-1"], "--drain-seconds"),
        (["--drain-seconds", "nan"], "--drain-seconds"),
        (["--key", "key.pem"], "--certificate"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers that leave no room, and a key that would silently encrypt nothing."""
    assert main(["serve", "--port", "0", *words]) == USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_a_variable_is_checked_like_a_flag(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable that is wrong."""
    monkeypatch.setenv("MVSTYLIZER_QUEUE", "none")
    assert main(["serve", "--port", "0"]) == USAGE
    assert "MVSTYLIZER_QUEUE" in capsys.readouterr().err
