"""``flower-server keys``: what it makes works, is private where it must be, and is never replaced."""

import asyncio
import ssl
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fl_server.cloud_dir import CloudDir
from fl_server.command import main
from fl_server.keys import ca_files, make_ca, make_node, make_server, server_files
from mvstylizer.errors import InputError, OutputError, UsageError


async def _handshake(cloud: CloudDir, name: str) -> None:
    """A TLS connection to a server with the certificate, by a client that trusts the CA and asks for ``name``."""
    certificate, key = server_files(cloud)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=server_side)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trusting = ssl.create_default_context(cafile=str(ca_files(cloud)[0]))
        trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
        writer.close()


@pytest.mark.parametrize("name", ["cloud.example.org", "192.0.2.7", "127.0.0.1", "localhost", "::1"])
async def test_the_certificate_is_good_for_its_names_and_this_machine(tmp_path: Path, name: str) -> None:
    """Strict verification passes for each name that was given, and for loopback, where Flower talks to itself."""
    cloud = CloudDir(tmp_path)
    make_ca(cloud)
    make_server(cloud, ["cloud.example.org", "192.0.2.7"])
    await _handshake(cloud, name)


async def test_it_is_good_for_no_other_name(tmp_path: Path) -> None:
    """Another host with the same certificate is noticed."""
    cloud = CloudDir(tmp_path)
    make_ca(cloud)
    make_server(cloud, ["cloud.example.org"])
    with pytest.raises(ssl.SSLCertVerificationError):
        await _handshake(cloud, "other.example.org")


def test_nodes_have_keys_as_flower_wants_them(tmp_path: Path) -> None:
    """EC P-384, the private one as OpenSSH writes it, the public one that of the private one."""
    private, public = make_node(CloudDir(tmp_path), "edge-1")
    key = serialization.load_ssh_private_key(private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1)
    assert private.read_bytes().startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    theirs = serialization.load_ssh_public_key(public.read_bytes())
    assert isinstance(theirs, ec.EllipticCurvePublicKey)
    assert theirs.public_numbers() == key.public_key().public_numbers()


def test_private_files_are_private(tmp_path: Path) -> None:
    """0600, whatever the umask."""
    cloud = CloudDir(tmp_path)
    make_ca(cloud)
    make_server(cloud, ["a"])
    private, _ = make_node(cloud, "edge-1")
    for path in (ca_files(cloud)[1], server_files(cloud)[1], private):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second call leaves every file as it was, says so, and exits with 2."""
    data = ["--data-dir", str(tmp_path)]
    calls = [["keys", "ca", *data], ["keys", "server", "a.example", *data], ["keys", "node", "edge-1", *data]]
    assert [main(call) for call in calls] == [0, 0, 0]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert [main(call) for call in calls] == [2, 2, 2]
    assert capsys.readouterr().err.count("exists already") == 3
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with pytest.raises(OutputError):
        make_ca(CloudDir(tmp_path))


def test_mistakes_are_told(tmp_path: Path) -> None:
    """A certificate without a CA, a host and a node that are no names."""
    cloud = CloudDir(tmp_path)
    with pytest.raises(InputError, match="keys ca"):
        make_server(cloud, ["a"])
    make_ca(cloud)
    with pytest.raises(UsageError, match="no host"):
        make_server(cloud, ["a b"])
    for name in ("", "../x", "a/b", ".hidden", "x" * 64):
        with pytest.raises(UsageError, match="no name"):
            make_node(cloud, name)
