"""moonshine, a model that writes down speech, run by onnxruntime from the files that ship with its package."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnxruntime import InferenceSession, SessionOptions

RATE: Final = 16000
"""Hz."""
_BEGIN: Final = 1
_END: Final = 2
"""Tokens around a text."""
_TOKENS_A_SECOND: Final = 6.5
_TOKENS_AT_LEAST: Final = 6
"""Most tokens of a text: nobody speaks faster, and a model that repeats itself does not end by itself."""
_LONG_TOKEN: Final = 128
"""Least length of a token that is written as two bytes, of seven bits and of eight."""
_PAST: Final = "past_key_values"
_SPACE: Final = "▁"


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
        self._past = {each.name: each.shape for each in self._decoder.get_inputs() if each.name.startswith(_PAST)}
        self._tokens = list(_tokens((folder / "tokenizer.bin").read_bytes()))

    def write(self, samples: np.ndarray[Any, np.dtype[np.float32]]) -> tuple[str, float]:
        """Return the words in ``samples``, in [-1, 1] at `RATE`, at least 0.1 s of them, and how likely the first token is."""
        most = int(len(samples) / RATE * _TOKENS_A_SECOND) + _TOKENS_AT_LEAST
        steps = list(islice(self._steps(samples[None]), most))
        text = b"".join(self._tokens[token] for token, _ in steps).decode("utf-8", "ignore")
        return text.replace(_SPACE, " ").strip(), steps[0][1] if steps else 0.0

    def _steps(self, samples: Any) -> Iterator[tuple[int, float]]:
        """Yield each token, the likeliest one, and its likelihood."""
        (states,) = self._encoder.run(None, {"input_values": samples, "attention_mask": np.ones(samples.shape, np.int64)})
        given = {"encoder_hidden_states": states, "encoder_attention_mask": np.ones(states.shape[:2], np.int64)}
        given |= {name: np.zeros((1, shape[1], 0, shape[3]), np.float32) for name, shape in self._past.items()}
        token, new = _BEGIN, list(self._past)
        while True:
            given |= {"input_ids": np.array([[token]]), "use_cache_branch": np.array([token != _BEGIN])}
            logits, *past = self._decoder.run(["logits", *(name.replace(_PAST, "present") for name in new)], given)
            likely = logits[0, -1]
            token = int(likely.argmax())
            if token == _END:
                return
            yield token, float(1 / np.exp(likely - likely[token]).sum())
            given |= zip(new, past, strict=True)
            new = [name for name in new if ".decoder." in name]  # what comes of the sound stays as it is


def _tokens(packed: bytes) -> Iterator[bytes]:
    """Yield the tokens of a file, each of which follows its length."""
    at = 0
    while at < len(packed):
        length, at = packed[at], at + 1
        if length >= _LONG_TOKEN:
            length, at = length - _LONG_TOKEN + packed[at] * _LONG_TOKEN, at + 1
        yield packed[at : at + length]
        at += length
