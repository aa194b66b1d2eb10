"""Certificates by the authority of `tests.unit.edge`, with dates of the past and the future too, and lab hosts that trust it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.lab.labhost import LabHost
from tests.unit.edge.authority import P256, Authority, openssl

_CONFIG = """
[ca]
default_ca = own
[own]
database = {at}/index.txt
new_certs_dir = {at}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Pair:
    """A certificate, the chain that begins with it, and its key, as PEM."""

    leaf: str
    chain: str
    key: str


def issue(authority: Authority, names: Sequence[str], *, begins_s: float = -3600, ends_s: float = 60 * 86400) -> Pair:
    """Return a certificate for ``names``, addresses or not, good from ``begins_s`` to ``ends_s``, in seconds from now."""
    at = authority.folder / "dated"
    at.mkdir(exist_ok=True)
    kinds = (f"{'IP' if name.replace('.', '').isdecimal() else 'DNS'}:{name}" for name in names)
    files = {
        "index.txt": "",
        "ca.cnf": _CONFIG.format(at=at),
        "leaf.ext": f"subjectAltName={','.join(kinds)}\n",
        "issuer.pem": authority.intermediate.pem,
        "issuer.key": authority.intermediate.key,
        "leaf.key": openssl("genpkey", *P256),
    }
    for name, text in files.items():
        (at / name).write_text(text)
    _ask(at, "req", "-new", "-config", "/dev/null", "-key", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={names[0]}")
    begins, ends = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + s)) for s in (begins_s, ends_s))
    # openssl x509 takes no dates before 3.4, and openssl ca does.
    signer = ("-config", "ca.cnf", "-cert", "issuer.pem", "-keyfile", "issuer.key", "-extfile", "leaf.ext")
    _ask(at, "ca", "-batch", "-notext", *signer, "-in", "leaf.csr", "-out", "leaf.pem", "-startdate", begins, "-enddate", ends)
    leaf = (at / "leaf.pem").read_text()
    return Pair(leaf, leaf + authority.intermediate.pem, files["leaf.key"])


def _ask(at: Path, *arguments: str) -> None:
    openssl(*(str(at / word) if (at / word).suffix in (".pem", ".key", ".csr", ".cnf", ".ext") else word for word in arguments))


def trust(host: LabHost, root: str) -> None:
    """Let the programs of the host trust this authority too."""
    name = sha256(root.encode()).hexdigest()[:8]
    host.run(f"sudo tee /usr/local/share/ca-certificates/{name}.crt >/dev/null <<'E'\n{root}\nE")
    host.run("sudo update-ca-certificates")
