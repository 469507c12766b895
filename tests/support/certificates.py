"""Certificates made while the tests run: an authority, and what it signs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from service.core.clock import utc_now
from service.transport.rpc.tls import TlsFiles


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, passphrase: bytes = b"") -> bytes:
        locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def authority(name: str = "Test authority") -> Pair:
    return _signed(name, None)


def signed_by(issuer: Pair, name: str) -> Pair:
    """For a server at 127.0.0.1 as for a client."""
    return _signed(name, issuer)


def _signed(name: str, issuer: Pair | None) -> Pair:
    key, now = ec.generate_private_key(ec.SECP256R1()), utc_now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by = issuer or Pair(None, key)  # type: ignore[arg-type]  # it signs itself
    builder = _lasting(x509.CertificateBuilder(), now).subject_name(subject)
    builder = builder.issuer_name(issuer.certificate.subject if issuer else subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    places = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    builder = builder.add_extension(x509.SubjectAlternativeName(places), critical=False)
    constraints = x509.BasicConstraints(ca=issuer is None, path_length=None)
    builder = builder.add_extension(constraints, critical=True)
    return Pair(builder.sign(by.key, hashes.SHA256()), key)


def _lasting(builder: x509.CertificateBuilder, now: datetime) -> x509.CertificateBuilder:
    day = timedelta(days=1)
    return builder.not_valid_before(now - day).not_valid_after(now + day)


def written(folder: Path, pair: Pair, client_ca: Pair | None = None) -> TlsFiles:
    """The files of a server, over those that are there."""
    files = TlsFiles(
        folder / "cert.pem", folder / "key.pem", folder / "ca.pem" if client_ca else None
    )
    files.cert.write_bytes(pair.pem)
    files.key.write_bytes(pair.key_pem())
    if client_ca and files.client_ca:
        files.client_ca.write_bytes(client_ca.pem)
    return files
