"""Judge every sentence by every voice, for docs/flows.md: ``python -m tests.speech`` (some minutes)."""

from . import sentences, strangers
from .telephone import VOICES
from .understanding import counted, understanding

STRANGE = {name: strangers.held_out(some) for name, some in strangers.MEANT.items()}

understand = understanding()
print("| voice | plain, seen: right | plain, held out: right | strangers', held out: right | not understood | wrong |", end="")
print(" wrong, and ends the call | unrelated: taken |")
print("|---|---|---|---|---|---|---|---|")
for voice in VOICES:
    seen, _ = counted(understand, sentences.SEEN, [], voice)
    plain, none = counted(understand, sentences.HELD_OUT, sentences.UNRELATED_HELD_OUT, voice)
    strange, _ = counted(understand, STRANGE, [], voice)
    cells = [f"{one['right']} of {one.total()}" for one in (seen, plain, strange)]
    cells += [str((plain + strange)[kind]) for kind in ("not understood", "wrong", "wrong and final")]
    print(f"| {voice} | {' | '.join(cells)} | {none.total() - none['right']} of {none.total()} |", flush=True)
