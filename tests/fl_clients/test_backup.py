"""Checkpoints fetched from the cloud's real backup endpoint."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fl_clients.backup import Backup, keep_newest
from mvstylizer.errors import EdgeError, InputError, OutputError, UsageError
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.training.checkpoint_files import FILES, WEIGHTS, read_manifest
from tests.fl_clients.cloud_backup import TOKEN, Cloud, serving


@pytest.fixture
async def cloud(stylizer: Stylizer, tmp_path: Path) -> AsyncIterator[Cloud]:
    """With round 3."""
    async with serving(tmp_path / "cloud") as running:
        running.save(stylizer, 3)
        yield running


@pytest.fixture
def backup(cloud: Cloud, tmp_path: Path) -> Backup:
    return Backup(cloud.url, tmp_path / "edge", TOKEN)


async def test_a_round_is_fetched(backup: Backup, cloud: Cloud) -> None:
    """What arrives is the cloud's checkpoint to the last byte, and it is fetched once."""
    newest = await backup.newest()
    assert newest is not None and newest.round == 3
    path = await backup.fetch(newest)
    for name in FILES:
        assert (path / name).read_bytes() == (cloud.directory / "step-000003" / name).read_bytes()
    assert read_manifest(path)["step"] == 3
    asked = len(cloud.asked)
    assert await backup.fetch(newest) == path
    assert len(cloud.asked) == asked


async def test_nothing_new(backup: Backup, cloud: Cloud, stylizer: Stylizer) -> None:
    """The newest round is told once; after the next one, that."""
    newest = await backup.newest()
    assert newest is not None and newest.etag
    assert await backup.newest(newest.etag) is None
    cloud.save(stylizer, 4)
    later = await backup.newest(newest.etag)
    assert later is not None and later.round == 4


async def test_before_the_first_round(tmp_path: Path) -> None:
    """A cloud without a checkpoint has nothing to fetch, which is no error."""
    async with serving(tmp_path / "cloud") as cloud:
        assert await Backup(cloud.url, tmp_path / "edge", TOKEN).newest() is None


async def test_a_damaged_download_is_refused(backup: Backup, cloud: Cloud) -> None:
    """A flipped bit is noticed and nothing is kept under the round's name; the next try starts anew and succeeds."""
    newest = await backup.newest()
    assert newest is not None
    cloud.damage = lambda name, data: data[:-1] + bytes([data[-1] ^ 1]) if name == WEIGHTS else data
    with pytest.raises(InputError, match="damaged"):
        await backup.fetch(newest)
    assert not list(backup.directory.glob("round-*"))
    cloud.damage = None
    assert read_manifest(await backup.fetch(newest))["step"] == 3


async def test_a_download_goes_on(backup: Backup, cloud: Cloud) -> None:
    """What was there before the line was cut is not fetched again."""
    newest = await backup.newest()
    assert newest is not None
    whole = (cloud.directory / "step-000003" / WEIGHTS).read_bytes()
    partial = backup.directory / f".round-000003-{newest.weights[:16]}.part"
    partial.mkdir(parents=True)
    (partial / WEIGHTS).write_bytes(whole[:1000])
    path = await backup.fetch(newest)
    assert (path / WEIGHTS).read_bytes() == whole
    assert f"/v1/checkpoints/3/{WEIGHTS} bytes=1000-" in cloud.asked


@pytest.mark.parametrize("there", [b"something else", b""], ids=["wrong", "empty"])
async def test_a_download_of_something_else(backup: Backup, cloud: Cloud, there: bytes) -> None:
    """Wrong bytes from before are noticed, whatever their number; then the file is fetched from its beginning."""
    newest = await backup.newest()
    assert newest is not None
    size = (cloud.directory / "step-000003" / WEIGHTS).stat().st_size
    partial = backup.directory / f".round-000003-{newest.weights[:16]}.part"
    partial.mkdir(parents=True)
    (partial / WEIGHTS).write_bytes((there * size)[:size])
    if there:
        with pytest.raises(InputError, match="damaged"):
            await backup.fetch(newest)
    assert read_manifest(await backup.fetch(newest))["step"] == 3


async def test_a_training_that_began_anew(backup: Backup, cloud: Cloud, stylizer: Stylizer) -> None:
    """Another round of the same number takes the place of the old one."""
    newest = await backup.newest()
    assert newest is not None
    await backup.fetch(newest)
    with_other_manifest = cloud.directory / "step-000003" / "manifest.json"
    with_other_manifest.write_text(with_other_manifest.read_text() + "\n")
    other = await backup.newest()
    assert other is not None
    path = await backup.fetch(other)
    assert (path / "manifest.json").read_text() == with_other_manifest.read_text()


async def test_a_damaged_round_here(backup: Backup) -> None:
    """A checkpoint that was damaged on this disk is fetched again."""
    newest = await backup.newest()
    assert newest is not None
    path = await backup.fetch(newest)
    (path / WEIGHTS).write_bytes(b"")
    assert read_manifest(await backup.fetch(newest))["step"] == 3


async def test_wrong_token(cloud: Cloud, tmp_path: Path) -> None:
    """The message names the option."""
    with pytest.raises(EdgeError, match="--token-file"):
        await Backup(cloud.url, tmp_path, "another-token-12345").newest()


async def test_no_cloud(tmp_path: Path) -> None:
    """A cloud that is away is an EdgeError, to be tried again."""
    with pytest.raises(EdgeError, match="does not answer"):
        await Backup("http://127.0.0.1:9", tmp_path, TOKEN).newest()


async def test_no_token_in_the_open(tmp_path: Path) -> None:
    """A token is not sent to another machine without TLS."""
    with pytest.raises(UsageError, match="https"):
        await Backup("http://192.0.2.1:8000", tmp_path, TOKEN).newest()


async def test_no_directory_to_write_to(backup: Backup) -> None:
    """A directory that cannot be written is told."""
    newest = await backup.newest()
    assert newest is not None
    backup.directory.parent.mkdir(exist_ok=True)
    backup.directory.write_text("no directory")
    with pytest.raises(OutputError, match="cannot be written"):
        await backup.fetch(newest)


def test_two_rounds_are_kept(tmp_path: Path) -> None:
    """The disk does not fill up with rounds."""
    for number in range(5):
        (tmp_path / f"round-{number:06d}").mkdir()
    (tmp_path / ".round-000001-0.part").mkdir()
    keep_newest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["round-000003", "round-000004"]
