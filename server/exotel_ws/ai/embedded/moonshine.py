"""moonshine, a model that writes down speech, run by onnxruntime from the files that ship with its package."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from onnxruntime import InferenceSession, SessionOptions

from exotel_ws.ai.embedded.expected import Expected
from exotel_ws.ai.embedded.reading import Reading
from exotel_ws.ai.embedded.tokens import BEGIN, END, Tokens

RATE: Final = 16000
"""Hz."""
_TOKENS_A_SECOND: Final = 6.5
_TOKENS_AT_LEAST: Final = 6
"""Most tokens of a text: nobody speaks faster, and a model that repeats itself does not end by itself."""
_BEAMS: Final = 4
"""Texts that a search follows at once."""
_HOPELESS: Final = 2.0
"""Natural logarithm of how much less likely than a finished text all others are for a search to end."""
_LOT: Final = 64
"""Tokens of which only the likeliest is compared, to find those that may be among the likeliest of all."""
_PAST: Final = "past_key_values"

Floats = np.ndarray[Any, np.dtype[np.float32]]


class Moonshine:
    """Encoder, decoder and tokens of one size and language. Any number of threads may use it at once."""

    def __init__(self, folder: Path) -> None:
        options = SessionOptions()
        # Threads of one run wait for each other by spinning, which takes the CPU from all other calls.
        options.intra_op_num_threads = 1
        # Utterances have all lengths: an arena would keep memory for the longest.
        options.enable_cpu_mem_arena = False
        self._encoder, self._decoder = (
            InferenceSession(folder / f"{name}.ort", options, providers=["CPUExecutionProvider"])
            for name in ("encoder_model", "decoder_model_merged")
        )
        self.tokens: Final = Tokens((folder / "tokenizer.bin").read_bytes())

    def hear(self, samples: Floats) -> "Speech":
        """Return what the encoder makes of ``samples``, in [-1, 1] at `RATE`, at least 0.1 s of them."""
        inputs = {"input_values": samples[None], "attention_mask": np.ones((1, len(samples)), np.int64)}
        (states,) = self._encoder.run(None, inputs)
        most = int(len(samples) / RATE * _TOKENS_A_SECOND) + _TOKENS_AT_LEAST
        return Speech(_Decoding.of(self._decoder, states), self.tokens, most)


class Speech:
    """Speech that can be read in two ways: token by token, or looking for what is expected."""

    def __init__(self, decoding: "_Decoding", tokens: Tokens, most: int) -> None:
        """Read ``most`` tokens at most."""
        self._decoding = decoding
        self._tokens = tokens
        self._most = most

    def likeliest(self) -> Reading:
        """Return the text of which each token is the likeliest after those before it."""
        decoding, text = self._decoding, _Text()
        while len(text.tokens) < self._most:
            token = int(decoding.likely[0].argmax())
            text = text.on(token, float(decoding.likely[0, token]))
            if token == END:
                break
            decoding = decoding.after([token])
        return self._reading(text)

    def search(self, expected: Expected) -> list[Reading]:
        """Return some likely texts, found with the tokens that are ``expected`` made likelier. Takes twice as long."""
        decoding, begun, ended = self._decoding, [_Text()], list[_Text]()
        for _ in range(self._most):
            likely = expected.favour(decoding.likely, [text.last for text in begun])
            likely += np.array([[text.score] for text in begun], np.float32)
            places, going = list[int](), list[_Text]()
            for one in greatest(likely.ravel(), 2 * _BEAMS):
                place, token = divmod(int(one), likely.shape[1])
                text = begun[place].on(token, float(decoding.likely[place, token]), float(likely[place, token]))
                if token == END:
                    ended.append(text)
                elif len(going) < _BEAMS:
                    places.append(place)
                    going.append(text)
            begun = going
            if len(ended) >= _BEAMS or (ended and begun[0].score < max(text.score for text in ended) - _HOPELESS):
                break
            decoding = decoding.after([text.last for text in begun], places)
        return [self._reading(text) for text in ended or begun]

    def _reading(self, text: "_Text") -> Reading:
        return Reading(self._tokens.text(text.tokens), text.likelihood, text.first)


@dataclass(frozen=True, slots=True)
class _Text:
    """Tokens decoded so far. ``score`` is their likelihood with what is expected."""

    tokens: tuple[int, ...] = ()
    likelihood: float = 0.0
    score: float = 0.0
    first: float = 0.0
    last: int = BEGIN

    def on(self, token: int, likelihood: float, score: float = 0.0) -> "_Text":
        """Return the text with one more token of ``likelihood``, whose score is ``score``."""
        return _Text(
            self.tokens if token == END else (*self.tokens, token),
            self.likelihood + likelihood,
            score,
            likelihood if self.last == BEGIN else self.first,
            token,
        )


class _Decoding:
    """Decoder after some texts of one speech. ``likely`` has a row for each: the logarithm of each next token's likelihood."""

    def __init__(self, decoder: InferenceSession, past: dict[str, Any], new: Sequence[str], tokens: Sequence[int]) -> None:
        """Run ``decoder`` on one more token of each text, with the ``past`` before them, of which it makes what is ``new``."""
        self._decoder = decoder
        given = {"input_ids": np.array(tokens)[:, None], "use_cache_branch": np.array([tokens[0] != BEGIN])}
        logits, *made = decoder.run(["logits", *(name.replace(_PAST, "present") for name in new)], past | given)
        self._past = past | dict(zip(new, made, strict=True))
        likely = logits[:, -1] - logits[:, -1].max(axis=1, keepdims=True)
        self.likely: Final[Floats] = likely - np.log(np.exp(likely).sum(axis=1, keepdims=True))

    @classmethod
    def of(cls, decoder: InferenceSession, states: Floats) -> Self:
        """Begin a text of the speech of which the encoder made ``states``."""
        past = {each.name: each.shape for each in decoder.get_inputs() if each.name.startswith(_PAST)}
        given = {name: np.zeros((1, shape[1], 0, shape[3]), np.float32) for name, shape in past.items()}
        given |= {"encoder_hidden_states": states, "encoder_attention_mask": np.ones(states.shape[:2], np.int64)}
        return cls(decoder, given, list(past), [BEGIN])

    def after(self, tokens: Sequence[int], places: Sequence[int] = (0,)) -> "_Decoding":
        """Go on with each of ``tokens``, after the text in that row of ``places``."""
        rows, own = list(places), [name for name in self._past if ".decoder." in name]
        # What comes of the speech is the same in each row, and stays as it is.
        kept = {name: each if len(each) == len(rows) and name not in own else each[rows] for name, each in self._past.items()}
        return _Decoding(self._decoder, kept, own, tokens)


def greatest(numbers: Floats, count: int) -> list[int]:
    """Return the places of the ``count`` greatest of ``numbers``, beginning with the greatest; of all, if there are no more.

    Among all tokens of four texts this takes a tenth of the time of ``argpartition``.
    """
    whole = len(numbers) // _LOT * _LOT
    lots = numbers[:whole].reshape(-1, _LOT).max(axis=1)  # each of the greatest is at least as great as its lot's
    least = np.partition(lots, -count)[-count] if len(lots) >= count else -np.inf
    places = np.flatnonzero(numbers >= least)
    return [int(place) for place in places[np.argsort(-numbers[places], kind="stable")[:count]]]
