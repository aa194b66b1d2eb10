"""Answers without what is not for the caller: thoughts, and calls of tools as text, in whatever pieces they come."""

import pytest
from exotel_ws.ai.unspoken import MOST_HELD, Unspoken
from hypothesis import given, settings
from hypothesis import strategies as st

CALL = '{"name": "transfer", "arguments": {"to": "a \\"human\\" {", "n": [1, {}]}}'
LEFT_OUT = {
    "a thought": '<think>They want the hours. {"a": 1} `x` </b></think>',
    "a thought in capitals": "<THINK>\nNo.\n</THINK>",
    "thinking": '<thinking budget="5">Hm < 5 > 3 <|x|></thinking>',
    "a thought in a thought": "<think>a <think>b</think> c</think>",
    "an empty thought": "<think></think>",
    "a closed thought": "<think/>",
    "a thought with a prefix": "<seed:think>x</seed:think>",
    "a thought of Mistral's": "[THINK]x[/THINK]",
    "a thought of Kimi's": "\u25c1think\u25b7x\u25c1/think\u25b7",
    "a thought of Harmony's": "<|channel|>analysis<|message|>They want x.<|end|>",
    "a tool call": f"<tool_call>\n{CALL}\n</tool_call>",
    "a function": "<function=hang_up>{}</function>",
    "a function with parameters": "<function=a>\n<parameter=x>\n1\n</parameter>\n</function>",
    "an invocation": '<function_calls><invoke name="hang_up"></invoke></function_calls>',
    "a fenced one": f"```json\n{CALL}\n```",
    "fenced code": "```tool_code\nprint(hang_up())\n```",
    "a bare one": CALL,
    "a bare list": f"[ {CALL},\n{CALL}]",
    "one of DeepSeek's": "<\uff5ctool\u2581calls\u2581begin\uff5c>function x<\uff5ctool\u2581calls\u2581end\uff5c>",
    "one of Kimi's": "<|tool_calls_section_begin|><|tool_call_begin|>f:0{}<|tool_call_end|><|tool_calls_section_end|>",
    "a bare one of Python's": "{'name': 'hang_up', 'arguments': {}}",
    "a role": "<|im_start|>assistant\n",
    "a token": "<|im_end|>",
    "the end of a call": "</tool_call>",
}
TO_THE_END = {
    "a thought without end": "<think>They want",
    "a call without end": f"<tool_call>{CALL}",
    "a call of Mistral's": f"[TOOL_CALLS] [{CALL}]",
    "a call of Llama's": f"<|python_tag|>{CALL}",
    "a call of Granite's": f"<|tool_call|>[{CALL}]",
    "half a call": CALL[:30],
    "a fence without end": "```json\n{",
    "half a tag": "<tool_ca",
    "half a token": "<|im_",
    "half a fence": "``",
}
SPOKEN = (
    "We are open from 9 to 6.",
    "5 < 6, and 7 > 3, and a<b.",
    "Press [1] or {2}, `now`.",
    "A <b>bold</b> <speak>word</speak> <br/> <thinker>",
    "Two ` and ``. [laughs] {x}",
    "नमस्ते, कैसे हैं?",
    "İstanbul",
)
pieces = st.lists(st.integers(1, 9), min_size=1, max_size=30)


def read(text: str, sizes: list[int], answer: Unspoken | None = None) -> str:
    """Return what is spoken of ``text`` if it comes in pieces of these sizes, over and over."""
    answer = answer or Unspoken()
    said, at, count = [], 0, 0
    while at < len(text):
        size = sizes[count % len(sizes)]
        said.append(answer.take(text[at : at + size]))
        at, count = at + size, count + 1
    return "".join([*said, answer.end()])


@pytest.mark.parametrize("part", LEFT_OUT.values(), ids=LEFT_OUT)
def test_it_is_left_out_wherever_it_stands(part: str) -> None:
    for sizes in ([10_000], [1], [2], [3, 1], [7]):
        assert read(part, sizes) == ""
        assert read(f"{part}\n\nWe are open.", sizes) == "\n\nWe are open."
        assert read(f"We are {part} open.", sizes) == "We are  open."
        assert read(f"We are{part}open.{part}{part}", sizes) == "We are open."


@pytest.mark.parametrize("part", TO_THE_END.values(), ids=TO_THE_END)
def test_what_has_no_end_is_left_out_to_the_end_of_the_answer(part: str) -> None:
    for sizes in ([10_000], [1], [2], [3, 1], [7]):
        assert read(f"We are open. {part}", sizes) == "We are open. "


@pytest.mark.parametrize("text", SPOKEN)
def test_other_words_come_out_as_they_are(text: str) -> None:
    for sizes in ([10_000], [1], [2], [3, 1]):
        answer = Unspoken()
        assert read(text, sizes, answer) == text
        assert not answer.left_out


def test_words_do_not_wait() -> None:
    answer = Unspoken()
    assert answer.take("We are open. ") == "We are open. "
    assert answer.take("Until <") == "Until "
    assert answer.take("6.") == "<6."


def test_the_answer_of_harmony_is_its_final_channel() -> None:
    text = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>We are open.<|return|>"
    for sizes in ([10_000], [1], [3]):
        assert read(text, sizes) == "We are open."


PART = st.sampled_from([*LEFT_OUT.values(), *SPOKEN, " ", "\n"])


@given(parts=st.lists(PART, max_size=6), end=st.sampled_from(["", *TO_THE_END.values()]), sizes=pieces)
@settings(deadline=None, max_examples=400)
def test_what_is_spoken_does_not_depend_on_the_pieces(parts: list[str], end: str, sizes: list[int]) -> None:
    text = "".join([*parts, end])
    assert read(text, sizes) == read(text, [len(text) or 1])


@given(text=st.text(st.sampled_from(list('<>/|[]{}`"\\ athink_cl:=\n\u25c1\u25b7')), max_size=200), sizes=pieces)
@settings(deadline=None, max_examples=400)
def test_whatever_comes_little_is_kept_back(text: str, sizes: list[int]) -> None:
    answer, at = Unspoken(), 0
    for size in sizes * 10:
        answer.take(text[at : at + size])
        at += size
        assert len(answer._rest) <= MOST_HELD
    answer.end()


@given(before=st.text(st.sampled_from("ab .")), tag=st.sampled_from(["</think>", "[/THINK]", "</ thinking >"]), sizes=pieces)
@settings(deadline=None)
def test_a_thought_that_was_not_seen_to_begin_ends_and_the_answer_follows(before: str, tag: str, sizes: list[int]) -> None:
    answer = Unspoken()
    said = read(f"{before}{tag}We are open.", sizes, answer)
    assert said.endswith("We are open.")
    assert before.startswith(said.removesuffix("We are open.").rstrip())
    assert answer.thinks_aloud
    assert read(f"{before}{tag}We are open.", sizes, Unspoken(thinks_aloud=True)) == "We are open."


def test_who_thought_aloud_and_does_no_more_is_heard_at_the_end() -> None:
    assert read("We are open.", [3], Unspoken(thinks_aloud=True)) == "We are open."
    assert read("So. " * 5000 + "We are open.", [7], Unspoken(thinks_aloud=True)) == ("So. " * 5000 + "We are open.")[-8000:]
    answer = Unspoken(thinks_aloud=True)
    assert [answer.take(piece) for piece in ("So. ", "<think>x</think>", "We are open.")] == ["", "So. ", "We are open."]
