"""Judge every sentence by every voice, for docs/flows.md: ``python -m tests.speech`` (some minutes)."""

from . import sentences
from .telephone import VOICES
from .understanding import counted, understanding

understand = understanding()
print("| voice | seen: right | held out: right | not understood | wrong | wrong, and ends the call | unrelated: taken |")

print("|---|---|---|---|---|---|---|")
for voice in VOICES:
    seen, _ = counted(understand, sentences.SEEN, [], voice)
    held, none = counted(understand, sentences.HELD_OUT, sentences.UNRELATED_HELD_OUT, voice)
    cells = [f"{one['right']} of {one.total()}" for one in (seen, held)]
    cells += [str(held[kind]) for kind in ("not understood", "wrong", "wrong and final")]
    print(f"| {voice} | {' | '.join(cells)} | {none.total() - none['right']} of {none.total()} |", flush=True)
