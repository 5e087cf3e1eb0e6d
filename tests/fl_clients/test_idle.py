"""Whether an edge is idle, asked of real edges."""

import hashlib
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from fl_clients.idle import IdleGate
from inference.security import Security
from mvstylizer.pictures import encode_png
from tests.inference.conftest import Delayed, StandIn, edge_in_a_thread

TOKEN = "0123456789abcdef"
NOBODY = "http://127.0.0.1:9"


def _send_work(url: str) -> None:
    photo, frame = encode_png(np.full((40, 30, 3), 200, np.uint8)), encode_png(np.full((48, 64, 3), 90, np.uint8))
    style = hashlib.sha256(photo).hexdigest()
    for method, path, body in (("PUT", f"/v1/styles/{style}", photo), ("POST", f"/v1/stylize?style={style}", frame)):
        request = urllib.request.Request(f"{url}{path}", body, {"Content-Type": "image/png"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            reply.read()


def test_an_edge_that_rests() -> None:
    """An edge without work is idle."""
    with edge_in_a_thread(StandIn()) as url:
        assert IdleGate(url, quiet_seconds=0.1).closed() is None


def test_an_edge_at_work() -> None:
    """An edge that stylizes a key frame is not, and is again afterwards."""
    with edge_in_a_thread(Delayed(StandIn(), 1.5)) as url:
        worker = threading.Thread(target=_send_work, args=(url,))
        worker.start()
        time.sleep(0.7)
        reason = IdleGate(url, quiet_seconds=0.0).closed()
        worker.join()
        assert reason is not None and "key frames to do" in reason
        assert IdleGate(url, quiet_seconds=0.1).closed() is None


def test_a_single_key_frame_is_waited_for() -> None:
    """With patience an edge that is at work is asked again until it rests."""
    with edge_in_a_thread(Delayed(StandIn(), 1.0)) as url:
        worker = threading.Thread(target=_send_work, args=(url,))
        worker.start()
        time.sleep(0.5)
        assert IdleGate(url, quiet_seconds=0.0, patience=60.0).closed() is None
        worker.join()


def test_an_edge_that_is_just_given_work() -> None:
    """Work that came and went while it was watched counts, too: a video sends its key frames one after the other."""
    with edge_in_a_thread(StandIn()) as url:
        worker = threading.Timer(0.3, _send_work, (url,))
        worker.start()
        reason = IdleGate(url, quiet_seconds=1.5).closed()
        worker.join()
        assert reason == "the edge has just been given work"


def test_an_edge_that_is_down() -> None:
    """It counts as busy or as idle, as the operator wants."""
    reason = IdleGate(NOBODY).closed()
    assert reason is not None and "cannot be asked" in reason
    assert IdleGate(NOBODY, without_edge=True).closed() is None


def test_an_edge_behind_a_token(tmp_path: Path) -> None:
    """Without the token it cannot be asked, and the reason names the option; with it, it can."""
    with edge_in_a_thread(StandIn(), security=Security(TOKEN)) as url:
        reason = IdleGate(url, without_edge=True).closed()
        assert reason is not None and "--edge-token-file" in reason
        (tmp_path / "token").write_text(TOKEN)
        assert IdleGate(url, tmp_path / "token", quiet_seconds=0.1).closed() is None


@pytest.mark.parametrize("body", [b"", b"mvstylizer_pending one\n", b"<html>", bytes(range(256))])
def test_another_server(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else answers at the edge's address is no idle edge."""
    monkeypatch.setattr(IdleGate, "_get", lambda self, path: body)
    assert IdleGate(NOBODY, without_edge=True).closed() is not None
