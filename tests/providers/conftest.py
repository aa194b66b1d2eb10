"""Keys as systemd would leave them, and a certificate that the services trust."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from exotel_ws.ai.providers.presets import PRESETS
from pipecat.utils.deprecation import DEPRECATION_MESSAGE_RE, _warned_sites

from .fakes.certificate import Certificate, make
from .fakes.server import KEY


@pytest.fixture(scope="session", autouse=True)
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificate]:
    """Make the certificate of the fakes that speak TLS. gRPC reads its roots once, before the process's first connection."""
    made = make("speech.googleapis.com", "texttospeech.googleapis.com")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(made.certificate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        patch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(path))
        yield made


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a directory with the right key of every preset."""
    for stages in PRESETS.values():
        for preset in stages.values():
            if preset.credential:
                (tmp_path / preset.credential).write_text(KEY + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def _nothing_deprecated(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    """Fail on pipecat's warnings of deprecation, which its own filter hides from a filter that makes them errors."""
    _warned_sites.clear()
    yield
    assert not [str(warning.message) for warning in recwarn if DEPRECATION_MESSAGE_RE.match(str(warning.message))]
