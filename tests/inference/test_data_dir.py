"""An edge's directory: private, of one edge at a time, and readable by the commands beside it."""

import stat
from pathlib import Path

import aiohttp
import pytest

from inference.data_dir import DataDir
from inference.security import Security
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.errors import EdgeError, OutputError, UsageError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    """The directory and the admin token are the owner's; the token stays the same."""
    data = DataDir(tmp_path / "new" / "edge")
    token = data.admin_token()
    assert (_mode(data.path), _mode(data.path / "admin-token")) == (0o700, 0o600)
    assert len(token) > 30
    assert DataDir(data.path).admin_token() == token


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    """A file in its place says so."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="--data-dir"):
            DataDir(path)


async def test_one_edge_at_a_time(stylizer: Stylizer, tmp_path: Path) -> None:
    """A second edge on the same directory does not start; after the first has ended it does."""
    data = DataDir(tmp_path)
    async with listening(stylizer, data=data):
        with pytest.raises(UsageError, match="another edge"):
            async with listening(stylizer, data=DataDir(tmp_path)):
                pass
    async with listening(stylizer, data=DataDir(tmp_path)):
        pass


async def test_admins_have_a_listener_and_a_token_of_their_own(stylizer: Stylizer, tmp_path: Path) -> None:
    """Admin routes are on loopback, ask for the admin token and no other, and are nowhere else."""
    data = DataDir(tmp_path)
    with pytest.raises(EdgeError, match="no edge runs"):
        data.admin_url()
    security = Security("a-client's-own-token", data.admin_token())
    index = "/v2/repository/index"
    async with listening(stylizer, security=security, data=data) as (url, _), aiohttp.ClientSession() as http:
        assert data.admin_url().startswith("http://127.0.0.1:")
        for base, token, status in (
            (data.admin_url(), data.admin_token(), 200),
            (data.admin_url(), "a-client's-own-token", 401),
            (url, data.admin_token(), 404),
        ):
            async with http.post(base + index, headers={"Authorization": f"Bearer {token}"}) as reply:
                assert reply.status == status, base
        async with http.get(f"{data.admin_url()}/v2/health/live") as reply:
            assert reply.status == 200
    with pytest.raises(EdgeError, match="no edge runs"):
        data.admin_url()
