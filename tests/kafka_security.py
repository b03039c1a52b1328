"""Certificates, users and listeners of a broker that is not open to everyone."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LISTENERS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "LOGIN": "SASL_PLAINTEXT",
    "TLSLOGIN": "SASL_SSL",
}
OWNER, READER, STRANGER = "owner", "reader", "stranger"
PASSWORD = "a secret between us"
_MECHANISMS = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
_DAY = timedelta(days=1)

Key = ec.EllipticCurvePrivateKey


class Authority:
    """Signs certificates; its own is in `ca_file`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            self._unsigned(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        self.ca_file = self._written("ca.pem", self._signed(builder))

    def certificate(self, name: str) -> tuple[Path, Path]:
        """The files of a new certificate for `name`, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = [x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")]
        builder = self._unsigned(_name(name), key).add_extension(
            x509.SubjectAlternativeName(here), critical=False
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return (
            self._written(f"{name}.pem", self._signed(builder)),
            self._written(f"{name}.key", private),
        )

    def _unsigned(self, name: x509.Name, key: Key) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._key.public_key()
                ),
                critical=False,
            )
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _written(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


def properties(authority: Authority, folder: Path) -> dict[str, str]:
    """What server.properties needs for `LISTENERS`; whoever may do what is asked.

    The plain listener's users, `OWNER` and the client named groundswell may do all.
    """
    certificate, key = authority.certificate("broker")
    store = folder / "broker-store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    names = (OWNER, READER, STRANGER)
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in names)
    found = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca_file),
        "listener.name.mutual.ssl.client.auth": "required",
        "authorizer.class.name": (
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        ),
        "super.users": f"User:ANONYMOUS;User:{OWNER};User:CN=groundswell",
    }
    security = "org.apache.kafka.common.security"
    for listener in ("login", "tlslogin"):
        prefix = f"listener.name.{listener}"
        found[f"{prefix}.sasl.enabled.mechanisms"] = _MECHANISMS
        found[f"{prefix}.plain.sasl.jaas.config"] = (
            f"{security}.plain.PlainLoginModule required {users};"
        )
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            found[f"{prefix}.{mechanism}.sasl.jaas.config"] = (
                f"{security}.scram.ScramLoginModule required;"
            )
    return found


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
