"""A private certificate authority per installation, and the server certificate that it signs for localhost.

Nothing is installed system-wide: clients trust `bundle.pem` (the system's certificates plus the local authority)
through environment variables. The authority may sign for localhost only. Keys are files of mode 0600 in the home.
Not `trustme` (as fast, 90 lines less): its authority may sign for any host and is valid until the year 3000.
"""

from __future__ import annotations

import os
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

AUTHORITY_DAYS = 825
SERVER_DAYS = 397
_RENEW_BEFORE_SECONDS = 30 * 24 * 3600
_NAMES = ("localhost", "*.localhost", "*.blob.localhost")
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def ensure_certificates(home: Path) -> None:
    """Create missing certificates, renew expiring ones, and write `bundle.pem`."""
    if not _is_fresh(home):
        _create(home)
    write_bundle(home)


def server_context(home: Path) -> ssl.SSLContext:
    """TLS context of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(home / "server.pem", home / "server.key")
    return context


def write_bundle(home: Path) -> Path:
    """The system's certificates followed by the local authority's."""
    system = _system_certificates()
    text = system + ("" if not system or system.endswith("\n") else "\n") + (home / "ca.pem").read_text()
    return _write(home / "bundle.pem", text.encode(), 0o644)


def _system_certificates() -> str:
    # Not SSL_CERT_FILE: a shell that is configured for a local Azure has set it to that one's bundle.
    for candidate in _SYSTEM_BUNDLES:
        path = Path(candidate)
        if path.is_file():
            return path.read_text(errors="replace")
    return ""


def _is_fresh(home: Path) -> bool:
    """Whether all files exist and the certificate is valid; checks the modification time, which needs no parser."""
    if not all((home / name).is_file() for name in ("ca.pem", "ca.key", "server.pem", "server.key")):
        return False
    age = time.time() - (home / "server.pem").stat().st_mtime
    return age < SERVER_DAYS * 24 * 3600 - _RENEW_BEFORE_SECONDS


def _create(home: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _sign_authority(authority_key)
    server = _sign_server(server_key, authority, authority_key)
    _write(home / "ca.key", _key_bytes(authority_key), 0o600)
    _write(home / "server.key", _key_bytes(server_key), 0o600)
    _write(home / "ca.pem", _certificate_bytes(authority), 0o644)
    _write(home / "server.pem", _certificate_bytes(server) + _certificate_bytes(authority), 0o644)


def _sign_authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name("Sluice local Azure CA")
    builder = _builder(name, name, key.public_key(), AUTHORITY_DAYS)
    permitted = [x509.DNSName("localhost"), x509.IPAddress(_loopback_network())]
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
    )
    return builder.sign(key, hashes.SHA256())


def _sign_server(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names = [*(x509.DNSName(name) for name in _NAMES), x509.IPAddress(ip_address("127.0.0.1"))]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = (
        _builder(_name("localhost"), authority.subject, key.public_key(), SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return builder.sign(authority_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    start = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _loopback_network() -> IPv4Network:
    return IPv4Network("127.0.0.0/8")


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate_bytes(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes, mode: int) -> Path:
    """Replace a file in one step; its mode is right from the first byte."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
    return path
