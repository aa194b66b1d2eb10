"""The turns as they were typed, and whose voice says them."""

from pathlib import Path

import pytest
import typer
from exotel_phone.exits import Refusal, UsageFault
from exotel_phone.talk import voice
from exotel_phone.talk.script import Turn, turns
from exotelctl.cli.in_order import InOrder, order
from typer.testing import CliRunner


def test_turns_are_in_the_order_in_which_they_were_typed() -> None:
    seen: list[Turn] = []
    app = typer.Typer()

    @app.command(cls=InOrder)
    def call(
        ctx: typer.Context,
        url: str,
        say: list[str] = typer.Option([]),  # noqa: B008 (Typer's way)
        wav: list[Path] = typer.Option([]),  # noqa: B008
        dtmf: list[str] = typer.Option([]),  # noqa: B008
        loud: bool = False,
    ) -> None:
        seen.extend(turns(order(ctx), say, wav, dtmf))

    typed = ["--say", "one", "--dtmf", "2", "ws://h", "--wav", "three.wav", "--loud", "--say", "four", "--dtmf=5#"]
    done = CliRunner().invoke(app, typed)
    assert done.exit_code == 0, done.output
    assert [turn.shown for turn in seen] == ["one", "[2]", "(three.wav)", "four", "[5#]"]


@pytest.mark.parametrize(
    ("say", "dtmf", "fault"),
    [(["…"], [], "no word"), ([""], [], "no word"), ([], ["A"], "keys 0-9"), ([], [""], "keys 0-9"), (["नमस्ते"], ["*"], "")],
)
def test_what_cannot_be_said(say: list[str], dtmf: list[str], fault: str) -> None:
    names = ["say"] * len(say) + ["dtmf"] * len(dtmf)
    if not fault:
        assert len(turns(names, say, [], dtmf)) == 2
        return
    with pytest.raises(UsageFault, match=fault):
        turns(names, say, [], dtmf)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The programs that are on the path; none, and no ai extra."""
    there: set[str] = set()
    monkeypatch.setattr(voice.shutil, "which", lambda name: f"/usr/bin/{name}" if name in there else None)
    monkeypatch.setattr(voice.importlib.util, "find_spec", lambda _name: None)
    return there


def test_a_program_speaks_where_the_extra_is_missing(nothing_installed: set[str]) -> None:
    nothing_installed |= {"espeak-ng"}
    assert voice.pick()[0] == "espeak-ng"
    nothing_installed |= {"flite"}
    assert voice.pick()[0] == "flite"
    assert voice.pick("espeak-ng")[0] == "espeak-ng"


def test_without_any_voice_it_says_what_to_install(nothing_installed: set[str]) -> None:
    with pytest.raises(Refusal, match=r"apt-get install flite or pip install 'exotel-voicebot\[ai\]'"):
        voice.pick()
    with pytest.raises(Refusal, match="apt-get install espeak-ng;"):
        voice.pick("espeak-ng")
    with pytest.raises(Refusal, match=r"with: pip install"):
        voice.pick("embedded")
    with pytest.raises(UsageFault, match="--voice alice"):
        voice.pick("alice")
