"""µ-law and A-law by their standard's own values, and the names under which they come."""

import struct

import pytest
from exotel_ws.encodings import Encoding, named

LAWS = [Encoding.MULAW, Encoding.ALAW]


@pytest.mark.parametrize("law", LAWS)
def test_each_code_and_each_sample_is_the_reference_s(law: Encoding) -> None:
    """Each code and each sample is that of CPython's C code, which left it with 3.13; its negative samples round otherwise."""
    audioop = pytest.importorskip("audioop")
    decode, encode = (audioop.ulaw2lin, audioop.lin2ulaw) if law is Encoding.MULAW else (audioop.alaw2lin, audioop.lin2alaw)
    codes, positive = bytes(range(256)), struct.pack("<32768h", *range(32768))
    negative = struct.pack("<32768h", *(~sample for sample in range(32768)))
    assert law.decode(codes) == decode(codes, 2)
    assert law.encode(positive) == encode(positive, 2)
    assert law.encode(negative) == bytes(code ^ 0x80 for code in encode(positive, 2))


@pytest.mark.parametrize("law", LAWS)
def test_a_code_comes_back_as_it_was(law: Encoding) -> None:
    codes = bytes(range(256))
    again = law.encode(law.decode(codes))
    assert law.decode(again) == law.decode(codes)
    assert [a for a, b in zip(codes, again, strict=True) if a != b] in ([], [0x7F])  # µ-law has two zeros


def test_silence_is_silence() -> None:
    assert Encoding.MULAW.encode(bytes(4)) == b"\xff\xff"
    assert Encoding.ALAW.encode(bytes(4)) == b"\xd5\xd5"
    assert Encoding.PCM16.encode(b"\1\2") == Encoding.PCM16.decode(b"\1\2") == b"\1\2"


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        *[(said, Encoding.MULAW) for said in ("audio/x-mulaw", "mulaw", "ulaw", "PCMU", "PCMU/8000", "audio/PCMU", "g711_ulaw")],
        *[
            (said, Encoding.MULAW)
            for said in ("audio/x-mulaw;rate=8000", "mu-law", "\u00b5-law", "\u03bc-law", "audio/basic", "MULAW")
        ],
        *[(said, Encoding.ALAW) for said in ("audio/x-alaw", "alaw", "PCMA", "a-law", "g711-alaw", "pcma/8000")],
        *[(said, Encoding.PCM16) for said in ("", "base64", "raw", "raw/slin", "audio/x-raw", "audio/l16", "pcm_s16le")],
        *[(said, None) for said in ("opus", "audio/opus", "audio/ogg;codecs=opus", "G729", "audio/mpeg", "AMR-WB")],
    ],
)
def test_what_it_is_called(said: str, is_: Encoding | None) -> None:
    assert named(said) is is_
