"""A certificate authority for tests: a root, an intermediate, and what they issue, all made by the ``openssl`` command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

P256 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
OF_AN_ISSUER = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"


def openssl(*arguments: str, given: str = "") -> str:
    """Return what openssl prints. Raises subprocess.CalledProcessError if it fails."""
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, text=True, timeout=60, check=True).stdout


def rsa(bits: int) -> tuple[str, ...]:
    return ("-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")


@dataclass(frozen=True)
class Issued:
    """Certificate and private key, as PEM."""

    pem: str
    key: str


def issue(
    folder: Path, subject: str, extensions: str, *, by: Issued | None = None, days: int = 90, kind: tuple[str, ...] = P256
) -> Issued:
    """Issue a certificate with these extensions from now on; without ``by`` it is its own issuer."""
    folder.mkdir(parents=True, exist_ok=True)
    key = openssl("genpkey", *kind)
    (folder / "extensions").write_text(extensions)
    (folder / "key").write_text(key)
    request = openssl("req", "-new", "-config", "/dev/null", "-key", str(folder / "key"), "-subj", subject)
    issuer = ["-signkey", str(folder / "key")]
    if by:
        (folder / "issuer").write_text(by.pem)
        (folder / "issuer.key").write_text(by.key)
        issuer = ["-CA", str(folder / "issuer"), "-CAkey", str(folder / "issuer.key")]
    made = openssl("x509", "-req", "-days", str(days), "-extfile", str(folder / "extensions"), *issuer, given=request)
    return Issued(made, key)


class Authority:
    """Authority with a root that callers know (``roots``, a file) and an intermediate that issues."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = issue(folder, "/CN=Test root", OF_AN_ISSUER, days=3650)
        self.intermediate = issue(folder, "/CN=Test intermediate", OF_AN_ISSUER, by=self.root, days=1000)
        self.roots = folder / "roots.pem"
        self.roots.write_text(self.root.pem)

    def leaf(self, *names: str, days: int = 90, kind: tuple[str, ...] = P256) -> Issued:
        """Issue a certificate for names of the form ``DNS:voice.example.com`` or ``IP:203.0.113.7``."""
        return issue(
            self.folder,
            "/CN=" + names[0].partition(":")[2][:64],
            f"subjectAltName={','.join(names)}\n",
            by=self.intermediate,
            days=days,
            kind=kind,
        )
