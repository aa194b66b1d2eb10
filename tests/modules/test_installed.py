"""Files installed from a wheel are shared with another environment as long as nobody changed them."""

import base64
import hashlib
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.installed import share, unchanged

WHEEL = "Some_Thing-1.0-py3-none-any.whl"
FILES = {
    "some_thing/__init__.py": "x = 1\n",
    "some_thing/__pycache__/__init__.cpython-311.pyc": "compiled",
    "../../../bin/thing": "#!{environment}/bin/python\nrun()\n",
    "some.thing-1.0.dist-info/METADATA": "Name: some-thing\n",
}
PACKAGES = "lib/python3.11/site-packages"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Make an environment in which pip installed `WHEEL`."""
    environment = tmp_path / "old"
    record = []
    for name, text in FILES.items():
        path = (environment / PACKAGES / name).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(environment=environment))
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
        record.append(f"{name},{'' if name.endswith('pyc') else 'sha256=' + digest},\n")
    (environment / "bin/thing").chmod(0o755)
    (environment / PACKAGES / "some.thing-1.0.dist-info/RECORD").write_text("".join(record))
    return environment


def test_it_is_the_same_in_the_other_environment_and_stored_once(environment: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    share(environment, WHEEL, new)
    for name in FILES:
        if "bin" not in name:
            assert (new / PACKAGES / name).samefile(environment / PACKAGES / name)
    command = new / "bin/thing"
    assert command.read_text() == f"#!{new}/bin/python\nrun()\n"
    assert command.stat().st_mode & 0o111
    assert unchanged(environment, WHEEL)


@pytest.mark.parametrize("name", ["some_thing/__init__.py", "some.thing-1.0.dist-info/METADATA"])
def test_what_somebody_changed_or_removed_is_seen(environment: Path, name: str) -> None:
    assert unchanged(environment, WHEEL)
    file = environment / PACKAGES / name
    text = file.read_text()
    file.write_text("other" + text[5:])
    assert not unchanged(environment, WHEEL)
    file.unlink()
    assert not unchanged(environment, WHEEL)


@pytest.mark.parametrize("wheel", ["some_thing-1.1-py3-none-any.whl", "other-1.0-py3-none-any.whl"])
def test_what_is_not_installed_is_not_there_to_share(environment: Path, wheel: str) -> None:
    assert not unchanged(environment, wheel)
