"""An authority of certificates for the lab: a root, an issuer below it, and certificates of any time for any name."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_CONFIG = """
[ca]
default_ca = own
[own]
dir = {at}
database = {at}/index.txt
new_certs_dir = {at}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Pair:
    """A chain and its key, both as PEM; ``leaf`` is the first certificate of the chain alone."""

    chain: str
    key: str
    leaf: str

    @property
    def whole(self) -> str:
        """Return the file that HAProxy loads."""
        return self.chain + self.key

    @property
    def alone(self) -> str:
        """Return the same without the issuers."""
        return self.leaf + self.key


class Authority:
    """Authority with its files below ``at``. ``root`` is the file that clients trust."""

    def __init__(self, at: Path) -> None:
        self._at = at
        self.root = at / "root.pem"
        (at / "index.txt").touch()
        (at / "ca.cnf").write_text(_CONFIG.format(at=at))
        (at / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
        self._openssl(
            "req", "-x509", *_NEW_KEY, "-keyout", "root.key", "-out", "root.pem", "-days", "99", "-subj", "/CN=Lab root"
        )
        self._request("issuer", "Lab issuer")
        self._sign("issuer", "root", "ca.ext", -86400, 90 * 86400)

    def issue(self, names: Sequence[str], *, begins_s: float = -3600, ends_s: float = 60 * 86400) -> Pair:
        """Return a certificate for ``names`` (addresses too), valid from ``begins_s`` to ``ends_s``, in seconds from now."""
        kinds = (f"{'IP' if name.replace('.', '').isdecimal() or ':' in name else 'DNS'}:{name}" for name in names)
        (self._at / "leaf.ext").write_text(f"subjectAltName={','.join(kinds)}\n")
        self._request("leaf", names[0])
        self._sign("leaf", "issuer", "leaf.ext", begins_s, ends_s)
        leaf, issuer, key = ((self._at / name).read_text() for name in ("leaf.pem", "issuer.pem", "leaf.key"))
        return Pair(leaf + issuer, key, leaf)

    def _request(self, name: str, subject: str) -> None:
        self._openssl("req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}")

    def _sign(self, name: str, issuer: str, extensions: str, begins_s: float, ends_s: float) -> None:
        begins, ends = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + s)) for s in (begins_s, ends_s))
        self._openssl(
            *("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key"),
            *("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", extensions, "-startdate", begins, "-enddate", ends),
        )

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self._at, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"
