"""CA, server certificate and keys of nodes: what TLS and Flower's node authentication need. Nothing is replaced."""

import datetime as dt
import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fl_server.cloud_dir import CloudDir
from mvstylizer.durable import fsync
from mvstylizer.errors import InputError, OutputError, UsageError

CA_DAYS, SERVER_DAYS = 3650, 825
_NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_EARLIER = dt.timedelta(hours=1)
"""Certificates count from then: clocks of edges may be a little behind."""


def ca_files(cloud: CloudDir) -> tuple[Path, Path]:
    """The CA's certificate, for every edge, and its key, which should leave this machine."""
    return cloud.keys / "ca.crt", cloud.keys / "ca.key"


def server_files(cloud: CloudDir) -> tuple[Path, Path]:
    """The server's certificate and its key."""
    return cloud.keys / "server.pem", cloud.keys / "server.key"


def make_ca(cloud: CloudDir) -> Path:
    """A new CA (EC P-384, ten years); returns its certificate. Raises OutputError if there is one already."""
    certificate_path, key_path = ca_files(cloud)
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MVStylizer cloud CA")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(own_id, critical=False)
        .sign(key, hashes.SHA384())
    )
    _refuse_existing(certificate_path, key_path)
    _write(key_path, _pem(key), private=True)
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), private=False)
    return certificate_path


def make_server(cloud: CloudDir, hosts: Sequence[str]) -> Path:
    """A certificate by our CA for these names and addresses, and for this machine itself; returns it.

    Raises InputError if there is no CA, OutputError if there is a certificate already.
    """
    ca_path, ca_key_path = ca_files(cloud)
    ca, ca_key = _read_ca(ca_path, ca_key_path)
    certificate_path, key_path = server_files(cloud)
    key = ec.generate_private_key(ec.SECP384R1())
    names = list(dict.fromkeys([*hosts, "localhost", "127.0.0.1", "::1"]))
    certificate = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]), ca.subject, key.public_key(),
                 SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA384())
    )  # fmt: skip
    _refuse_existing(certificate_path, key_path)
    _write(key_path, _pem(key), private=True)
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), private=False)
    return certificate_path


def make_node(cloud: CloudDir, name: str) -> tuple[Path, Path]:
    """A node's key pair (EC P-384, OpenSSH format): the private one is for the edge, the public one stays here.

    A running flower-server lets the node in within a few seconds. Raises OutputError if there is such a node already,
    UsageError if the name is no name.
    """
    if not _NODE_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a node; use letters, digits, dots, dashes, at most 63")
    private_path, public_path = cloud.node_keys / name, cloud.node_keys / f"{name}.pub"
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    _refuse_existing(private_path, public_path)
    _write(private_path, private, private=True)
    _write(public_path, public + f" {name}\n".encode(), private=False)
    return private_path, public_path


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", host):
        raise UsageError(f"{host!r} is no host; give names or addresses by which edges reach this cloud")
    return x509.DNSName(host)


def _read_ca(certificate: Path, key: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        ca = x509.load_pem_x509_certificate(certificate.read_bytes())
        secret = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{certificate}, {key}: no CA there ({error}); make one with 'flower-server keys ca'"
        ) from error
    if not isinstance(secret, ec.EllipticCurvePrivateKey):
        raise InputError(
            f"{key}: not a key that 'flower-server keys ca' made; sign the certificate with your own tools"
        )
    return ca, secret


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _refuse_existing(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise OutputError(f"{path}: exists already and is not replaced; move it away if it is to be made anew")


def _write(path: Path, data: bytes, *, private: bool) -> None:
    """Made with its final permissions: nobody else can open a private file in between."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        fsync(path)
        fsync(path.parent)
    except FileExistsError as error:
        raise OutputError(f"{path}: exists already and is not replaced; move it away first") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another --data-dir") from error
