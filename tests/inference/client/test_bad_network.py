"""Failure test F18: a device behind a network that is slow, thin, cut, silent or garbled finishes all the same.

Every fault is real: bytes of a real edge's answers, through a proxy that spoils them. What must hold is that the video
is complete and the same as without the fault, and that the edge was not asked in a busy loop.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.tcp_proxy import TcpProxy
from inference.client import EdgeStylizer
from mvstylizer.device import DeviceOptions, Progress, stylize_video
from mvstylizer.errors import EdgeError
from mvstylizer.styles import Style
from tests.clips import Clip, write_clip
from tests.inference.client.conftest import bad_network, edge_process
from tests.inference.client.test_failover import digest
from tests.scenes import texture

pytestmark = pytest.mark.failure("F18")

FRAMES = 60
KEY_FRAMES = 20
STYLE = Style.of_photo(texture(30, 40))


class Line:
    """A device's way to one edge process, which the fault is in; and the video that comes out without any."""

    def __init__(self, folder: Path, url: str, proxy: TcpProxy) -> None:
        self._folder, self._url, self.proxy = folder, url, proxy
        self._clip = write_clip(folder / "in.mp4", Clip(frames=FRAMES))
        self.expected = self.video(lambda _: None, url)

    def video(self, at_frame: Callable[[int], None], url: str | None = None, patience: float = 20.0) -> str:
        """Digest of the video's frames; ``at_frame`` is called when so many are finished."""
        output = self._folder / f"out-{time.monotonic_ns()}.mp4"
        options = DeviceOptions(interval=FRAMES // KEY_FRAMES)

        def report(progress: Progress) -> None:
            at_frame(progress.frames)

        with EdgeStylizer(url or self.proxy.url, timeout=5, patience=patience, note=pytest.fail) as edge:
            done = stylize_video(self._clip, STYLE, output, edge, options, report)
        assert (done.frames, done.key_frames) == (FRAMES, KEY_FRAMES)
        return digest(output)


@pytest.fixture
def line(tmp_path: Path, tiny_release: Path) -> Iterator[Line]:
    with edge_process(release=tiny_release) as edge, bad_network(edge.url) as proxy:
        yield Line(tmp_path, edge.url, proxy)


class Fault:
    """Something wrong with a line, which begins in the middle of a video and is over by itself after some seconds."""

    def __init__(self, proxy: TcpProxy, seconds: float, **values: object) -> None:
        self._proxy, self._values = proxy, values
        self._before = {name: getattr(proxy, name) for name in values}
        self._timer = threading.Timer(seconds, self._end)
        self.tried = 0
        """Connections that were tried while it lasted."""

    def begin(self) -> None:
        """To be called once."""
        self.tried = -self._proxy.connections
        self._set(self._values)
        self._timer.start()

    def is_over(self) -> bool:
        """Whether it has come and gone."""
        return self._timer.finished.is_set()

    def _end(self) -> None:
        self._set(self._before)
        self.tried += self._proxy.connections

    def _set(self, values: dict[str, object]) -> None:
        for name, value in values.items():
            setattr(self._proxy, name, value)


def once(at: int, work: Callable[[], None]) -> Callable[[int], None]:
    """Does it when that frame is finished."""
    return lambda frame: work() if frame == at else None


@pytest.mark.slow
def test_latency_and_a_thin_line(line: Line) -> None:
    """200 ms each way and 1 Mbit/s only take time: nothing is asked twice, and little time is lost waiting."""
    line.proxy.latency, line.proxy.rate = 0.2, 125_000
    begun = time.monotonic()
    assert line.video(lambda _: None) == line.expected
    round_trips = (time.monotonic() - begun) / 0.4
    assert round_trips < KEY_FRAMES
    assert line.proxy.connections <= 4


@pytest.mark.slow
def test_a_line_that_is_cut_again_and_again(line: Line) -> None:
    """Connections that are reset whenever a key frame or two have come through: all of them come in the end."""
    line.proxy.latency, line.proxy.rate, line.proxy.cut_every = 0.02, 125_000, 0.5
    assert line.video(lambda _: None) == line.expected
    assert 2 <= line.proxy.connections <= 10 * KEY_FRAMES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "values"),
    [
        pytest.param(1.0, {"cut_after": 500}, id="answers break off"),
        pytest.param(1.0, {"half_close": 500}, id="answers end as if they were complete"),
        pytest.param(3.0, {"refuse": True}, id="nobody there"),
        pytest.param(7.0, {"silent": True}, id="silence"),
        pytest.param(1.0, {"garbage": True}, id="garbage"),
        pytest.param(30.0, {"refuse": True}, id="nobody there for half a minute"),
    ],
)
def test_a_fault_that_passes(line: Line, seconds: float, values: dict[str, object]) -> None:
    """The video waits for the end of the fault, during which the edge is asked less and less often, and goes on."""
    fault = Fault(line.proxy, seconds, **values)
    assert line.video(once(FRAMES // 3, fault.begin), patience=60) == line.expected
    assert fault.is_over()
    assert 1 <= fault.tried <= 15 + seconds


@pytest.mark.slow
def test_the_edge_is_started_again(line: Line, tmp_path: Path, tiny_release: Path) -> None:
    """An edge that restarts behind the line, and has forgotten the style, gets it again; nobody notices."""
    with edge_process(release=tiny_release) as other, bad_network(other.url) as proxy:
        port = other.url.rsplit(":", 1)[1]
        over = threading.Event()

        def again() -> None:
            with edge_process("-m", "mvstylizer", "serve", "--port", port, release=tiny_release):
                over.wait(60)

        thread = threading.Thread(target=again)

        def restart() -> None:
            other.kill()
            thread.start()

        try:
            assert line.video(once(FRAMES // 3, restart), proxy.url) == line.expected
        finally:
            over.set()
            thread.join()


def test_faults_make_a_difference(line: Line) -> None:
    """The proxy does what it is told: without patience, a fault is the end of the video."""

    def cut() -> None:
        line.proxy.refuse = True
        time.sleep(0.1)

    with pytest.raises(EdgeError):
        line.video(once(3, cut), patience=0)
    assert line.proxy.received > 0
