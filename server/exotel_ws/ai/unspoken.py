"""Leave out of a model's answer what is not for the caller: thoughts, and calls of tools written as text.

Models write them where their server's parser does not know their form, and each family has a form of its own. An answer comes in
pieces that are cut anywhere. What may be the beginning of such a part is kept back until that is known, `MOST_HELD` characters at
most; what is within one is not kept at all.
"""

import re
import string
from dataclasses import dataclass
from typing import Final

MOST_HELD: Final = 64
"""Most characters that are kept back until more of them come."""
_MOST_ALOUD: Final = 8000
"""Most characters kept of an answer that may be a thought until its end; those before can only be thought."""
_LOWER: Final = str.maketrans(string.ascii_uppercase + "\uff5c", string.ascii_lowercase + "|")
"""Translation to small letters, of one character to one; DeepSeek writes a wide bar."""
_THOUGHTS: Final = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "analysis", "scratchpad")
_CALLS: Final = ("tool_call", "tool_calls", "tool_use", "tool_code", "function", "function_call", "function_calls", "invoke")
_NAMES: Final = frozenset((*_THOUGHTS, *_CALLS))
_TAG_OF: Final = r"\s{0,4}(?:[a-z]{1,20}:)?"
"""Form of what may stand before a tag's name: blanks, and a prefix such as ``seed:``."""
_TAG: Final = re.compile(rf"<(/?){_TAG_OF}([a-z_]{{1,20}})(?=[\s=>/])")
_TAG_BEGUN: Final = re.compile(rf"</?{_TAG_OF}[a-z_]{{0,20}}")
_TAG_ENDS: Final = re.compile(r"/?>")
_TOKEN: Final = re.compile(r"<\|([^|<>\n]{0,40})\|>")
_TOKEN_BEGUN: Final = re.compile(r"<\|[^|<>\n]{0,40}\|?")
_OTHERS: Final = re.compile(r"(\[/?think\]|\u25c1/?think\u25b7)|(\[tool_calls?\])|```|[{\[]\s{0,40}(?=[{\"'])")
_OTHERS_WHOLE: Final = ("[think]", "[/think]", "\u25c1think\u25b7", "\u25c1/think\u25b7", "[tool_call]", "[tool_calls]", "```")
_JSON_BEGUN: Final = re.compile(r"[{\[]\s{0,40}")
_BEGINS: Final = re.compile(r"[<\[{`\u25c1]")
_NEVER: Final = re.compile(r"(?!)")
_FENCE: Final = re.compile("```")
_CALLED: Final = re.compile(r"<\|(?:/tool[^|<>]*|[^|<>]*(?:calls?[\W_]?end|section_end|eom|eot|im_end|end)[^|<>]*)\|>")
"""End of a call of a tool that a special token began."""
_ROLES: Final = ("start", "im_start", "start_header_id")
"""Special tokens that a role follows, such as ``assistant``."""
_ROLE_ENDS: Final = re.compile(r"\n|(?=<)")
_CHANNEL: Final = re.compile(r"final\s*<\|message\|>|<\|(?:end|call|return)\|>")
"""End of what is no answer in OpenAI's Harmony: ``<|channel|>analysis<|message|>…<|end|>``, ``<|channel|>final<|message|>``."""


@dataclass(slots=True)
class _Part:
    """A part that is left out: ``ends`` finds its end, ``again`` the beginning of another one within it.

    ``then`` follows it, unless its end closes that too (``/>``).
    """

    ends: re.Pattern[str]
    again: re.Pattern[str] = _NEVER
    then: "_Part | None" = None
    depth: int = 1


class _Json:
    """Find the end of a JSON text, which was entered behind its first bracket."""

    def __init__(self) -> None:
        self._depth = 1
        self._in_text = self._escaped = False

    def end(self, text: str) -> int:
        """Return the index behind the end of the JSON in ``text``, which goes on from the last call; -1: it is not in it."""
        for at, letter in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif self._in_text:
                self._escaped = letter == "\\"
                self._in_text = letter != '"'
            elif letter == '"':
                self._in_text = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                if not self._depth:
                    return at + 1
        return -1


class Unspoken:
    """Filter of one answer. The words that come out do not depend on how the text is cut, but for a thought without a beginning.

    Of such a thought, which ends in ``</think>`` alone, what came in earlier pieces is spoken by then. `thinks_aloud` is True
    after it, and a filter that is told so keeps the next answer back until the thought's end, or its own.
    """

    def __init__(self, *, thinks_aloud: bool = False) -> None:
        self.thinks_aloud = thinks_aloud
        self.left_out = False
        """True if something was left out."""
        self._hold = "" if thinks_aloud else None
        self._rest = ""
        self._part: _Part | _Json | None = None
        self._last = ""
        """Last letter that came out; `_gap` is True if something was left out since."""
        self._gap = False

    def take(self, text: str) -> str:
        """Take the next piece; return what of the answer is to be spoken now."""
        self._rest += text
        said: list[str] = []
        while self._rest and self._step(said):
            pass
        if self._hold is None:
            return "".join(said)
        self._hold = (self._hold + "".join(said))[-_MOST_ALOUD:]
        return ""

    def end(self) -> str:
        """End the answer; return the rest of it that is to be spoken."""
        held, self._hold, self._rest = self._hold or "", None, ""
        return held

    def _step(self, said: list[str]) -> bool:
        """Use up some of the rest. Return False if more has to come first."""
        if isinstance(self._part, _Json):
            return self._skip(self._part.end(self._rest))
        if self._part is not None:
            return self._leave(self._part)
        begins = _BEGINS.search(self._rest)
        if begins is None:
            self._say(len(self._rest), said)
            return False
        if begins.start():
            self._say(begins.start(), said)
        return self._judge(self._rest.translate(_LOWER), said)

    def _judge(self, text: str, said: list[str]) -> bool:
        """Judge what begins the rest, ``text`` in small letters."""
        if (found := _TAG.match(text)) and found[2] in _NAMES:
            closes, name = found[1], found[2]
            if name in _THOUGHTS:
                self._thought(said, begun=not closes)
            return self._enter(found.end(), _Part(_TAG_ENDS, then=None if closes else _element(name)))
        if found := _TOKEN.match(text):
            return self._enter(found.end(), _after_token(found[1]))
        if found := _OTHERS.match(text):
            return self._other(found, said)
        if len(text) < MOST_HELD and _may_begin(text):
            return False
        self._say(1, said)
        return True

    def _other(self, found: re.Match[str], said: list[str]) -> bool:
        opening = found[0]
        if found[1]:
            self._thought(said, begun="/" not in opening)
            return self._enter(
                found.end(), None if "/" in opening else _Part(re.compile(re.escape(f"{opening[0]}/{opening[1:]}")))
            )
        if found[2]:
            return self._enter(found.end(), _Part(_NEVER))
        return self._enter(found.end(), _Part(_FENCE) if opening == "```" else _Json())

    def _thought(self, said: list[str], *, begun: bool) -> None:
        """Note a thought that begins; or the end of one that was not seen to begin: what is not spoken yet was part of it."""
        held, self._hold = self._hold, None
        if begun:
            said.insert(0, held or "")
            return
        self.thinks_aloud = True
        said.clear()
        if held is not None:
            self._last = ""

    def _enter(self, at: int, part: _Part | _Json | None) -> bool:
        self._part = part
        return self._skip(at, within=part is not None)

    def _leave(self, part: _Part) -> bool:
        text = self._rest.translate(_LOWER)
        ends, again = part.ends.search(text), part.again.search(text)
        if again and (ends is None or again.start() < ends.start()):
            part.depth += 1
            return self._skip(again.end(), within=True)
        if ends:
            part.depth -= 1
            if not part.depth and part.then and ends[0] == ">":
                return self._enter(ends.end(), part.then)
            return self._skip(ends.end(), within=part.depth > 0)
        self._rest = self._rest[-MOST_HELD:]
        return False

    def _skip(self, to: int, *, within: bool = False) -> bool:
        """Leave the rest out up to ``to``; -1: all of it, and the part goes on."""
        self.left_out = self._gap = True
        if to < 0:
            self._rest = ""
            return False
        self._rest = self._rest[to:]
        if not within:
            self._part = None
        return True

    def _say(self, length: int, said: list[str]) -> None:
        text, self._rest = self._rest[:length], self._rest[length:]
        if self._gap and self._last.isalnum() and text[0].isalnum():
            said.append(" ")
        self._gap = False
        self._last = text[-1]
        said.append(text)


def _element(name: str) -> _Part:
    """Return the part between a tag and the one that closes it."""
    return _Part(re.compile(rf"</{_TAG_OF}{name}\s{{0,4}}>"), re.compile(rf"<{_TAG_OF}{name}(?=[\s=>])"))


def _after_token(token: str) -> _Part | None:
    """Return the part that a special token of a model's template begins; None if it is only the token."""
    if any(word in token for word in ("tool", "python", "function")):
        return None if token.startswith("/") or "end" in token else _Part(_CALLED)
    if token in _ROLES:
        return _Part(_ROLE_ENDS)
    return _Part(_CHANNEL) if token.startswith("channel") else None


def _may_begin(text: str) -> bool:
    """Return True if ``text`` in small letters may be the beginning of a part whose first characters are not all there."""
    forms = (_TAG_BEGUN, _TOKEN_BEGUN, _JSON_BEGUN)
    return any(form.fullmatch(text) for form in forms) or any(whole.startswith(text) for whole in _OTHERS_WHOLE)
