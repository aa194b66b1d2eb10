"""Voices of the callers: weights in packages, in an environment of their own; nothing of it is imported here."""

import base64
import hashlib
import shutil
import subprocess
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
LOCK: Final = ROOT / "requirements/voices.lock"
PLACE: Final = ROOT / ".cache/voices"
"""Folder of the packages and of the speech that was made; git ignores it."""
PYTHON: Final = PLACE / "env/bin/python"
STYLES_FILE: Final = PLACE / "styles.tgz"
_INSTALLED: Final = PLACE / "installed.lock"
STYLES: Final = "kokoro-js@1.2.1"
"""Package of the npm registry with the style vectors of all of Kokoro's voices; only these are read."""
_STYLES_HASH: Final = "sha512-oq0HZJWis3t8lERkMJh84WLU86dpYD0EuBPtqYnLlQzyFP1OkyBRDcweAqCfhNOpltyN9j/azp1H6uuC47gShw=="
_INSTALL_S: Final = 900.0


@dataclass(frozen=True)
class Voice:
    """Voice of a caller: ``engine`` kokoro or piper, ``name`` as the engine has it, ``accent`` of its English."""

    engine: str
    name: str
    accent: str

    @property
    def indian(self) -> bool:
        """Return whether its English is that of India."""
        return self.accent == "en-in"


VOICES: Final = (
    Voice("kokoro", "am_michael", "en-us"),
    Voice("kokoro", "hf_alpha", "en-in"),
    Voice("kokoro", "bf_emma", "en-gb"),
    Voice("kokoro", "hm_omega", "en-in"),
    Voice("piper", "en_US-joe-medium", "en-us"),
    Voice("kokoro", "hf_beta", "en-in"),
    Voice("kokoro", "af_bella", "en-us"),
    Voice("kokoro", "hm_psi", "en-in"),
    Voice("kokoro", "bm_george", "en-gb"),
)
"""Callers, in the order in which sentences go round."""
INDIAN: Final = tuple(voice for voice in VOICES if voice.indian)


class VoicesError(Exception):
    """No voice can be had; the text says why."""


def install() -> None:
    """Install the locked packages and espeak-ng, unless they are there. Raises VoicesError."""
    try:
        if not shutil.which("espeak-ng"):
            _run([str(ROOT / "scripts/apt-need"), "espeak-ng"])
        if not (_INSTALLED.is_file() and _INSTALLED.read_bytes() == LOCK.read_bytes()):
            venv.create(PLACE / "env", with_pip=True)
            _run([str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)])
            shutil.copy(LOCK, _INSTALLED)
        if not STYLES_FILE.is_file():
            _fetch_styles()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VoicesError(f"the callers' voices cannot be installed: {error}") from error


def _fetch_styles() -> None:
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        _run(["npm", "pack", "--silent", "--pack-destination", folder, STYLES])
        [packed] = Path(folder).iterdir()
        found = "sha512-" + base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if found != _STYLES_HASH:
            raise VoicesError(f"{STYLES} is not the package that was chosen: its hash is {found}")
        packed.rename(STYLES_FILE)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    if done.returncode != 0:
        raise VoicesError(f"{command[0]} failed ({done.returncode}): {done.stderr.strip()[-400:]}")
