"""Judge what a voice service sends as sound, before a sample of it is played, and read the header of a WAV file.

A service that answers 200 with an error as JSON, with a page of a proxy, or with MP3 where PCM16 was asked for, is played by
pipecat as it is: noise of full scale, taken for heard. So the beginning of each sentence is looked at.
"""

import re
import struct
from typing import Final

import numpy as np
from pipecat.frames.frames import TTSAudioRawFrame

from exotel_ws.ai.decoder import roughness
from exotel_ws.encodings import Encoding

_JUDGED: Final = 1024
"""Bytes at the beginning of a sentence that are judged, and wait for each other: 21 ms at 24 kHz."""
_MOST_HEADER: Final = 64 * 1024
"""Most bytes of a WAV header: some hold a title and a picture."""
_LEAST_TEXT: Final = 8
"""Bytes of the shortest text that is told from sound."""
_NOISE: Final = 33_000.0
"""Roughness from which PCM16 is no sound: bytes at random have 38,000, the sharpest consonants, overdriven threefold, 31,000."""
_LOUD: Final = 12_000.0
_SMOOTHER: Final = 3.0
"""Times by which sound from `_LOUD` on is smoother as µ-law or A-law if it is that."""
_KINDS: Final = {
    b"ID3": "MP3",
    b"OggS": "Ogg",
    b"fLaC": "FLAC",
    b"\x1aE\xdf\xa3": "WebM",
    b"FORM": "AIFF",
    b".snd": "AU",
    b"#!AMR": "AMR",
    b"\x1f\x8b\x08": "gzip",
}
_MP3_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_KBPS: Final = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Rates of bits of layer III, of version 1 and of the later ones."""
_PCM, _EXTENSIBLE = 1, 0xFFFE
_RIFF: Final = b"RIFF"
_FORMAT: Final = struct.Struct("<HHI6xH")
_ENDLESS: Final = 0x7FFF0000
"""Size of the data from which, or if it is 0, a header stands for a stream whose length was not known."""


class NoSound(Exception):
    """Fault of a voice service that sent something else than sound; the text says what."""


class Sound:
    """Check the audio of one voice service. Frames come out as they went in, without headers; the first ones wait a little."""

    def __init__(self) -> None:
        self._held: list[TTSAudioRawFrame] = []
        self._size = 0
        """Bytes of `_held`."""
        self._judged = False
        self._rate = 0
        """Rate of a header in Hz; 0: the frame's own counts. `_channels` are its channels."""
        self._channels = 1
        self._left: int | None = None
        """Bytes of sound that are still to come by the header; None: no header told."""
        self._piece = b""
        """Part of a sample, whose rest is in the next frame."""

    def take(self, frame: TTSAudioRawFrame) -> list[TTSAudioRawFrame]:
        """Take the next audio; return what can be played. Raises `NoSound`."""
        if self._judged and not frame.audio.startswith(_RIFF):
            return self._let_out(frame)
        self._judged = False
        self._held.append(frame)
        self._size += len(frame.audio)
        return self._judge() if self._size >= _JUDGED else []

    def next(self) -> None:
        """Judge the next audio anew: it may be that of another sentence."""
        self._judged = False

    def over(self) -> list[TTSAudioRawFrame]:
        """End all that was said; return what of it is still to be played. Raises `NoSound`."""
        return self._judge(last=True) if self._size else []

    def _judge(self, *, last: bool = False) -> list[TTSAudioRawFrame]:
        data = b"".join(frame.audio for frame in self._held)
        if data.startswith(_RIFF):
            begins = self._read_header(data)
            if begins is None:
                if last or len(data) > _MOST_HEADER:
                    raise NoSound("a WAV file without sound")
                return []
        else:
            _require_sound(data)
            begins = 0
        first, self._held, self._size = self._held[0], [], 0
        self._judged = True
        first.audio = data[begins:]
        return self._let_out(first)

    def _read_header(self, data: bytes) -> int | None:
        """Return where the sound begins; None if the header is not all there."""
        at, found = 12, False
        self._piece = b""
        if len(data) >= at and data[8:12] != b"WAVE":
            raise NoSound("a RIFF file that is no WAV")
        while at + 8 <= len(data):
            name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
            at += 8
            if name == b"data":
                if not found:
                    raise NoSound("a WAV file that does not tell its format")
                self._left = size if 0 < size < _ENDLESS else None
                return at
            if name == b"fmt " and at + _FORMAT.size <= len(data):
                self._take_format(*_FORMAT.unpack_from(data, at))
                found = True
            at += size + size % 2
        return None

    def _take_format(self, kind: int, channels: int, rate: int, bits: int) -> None:
        if kind not in (_PCM, _EXTENSIBLE) or bits != 16 or channels not in (1, 2) or not 4000 <= rate <= 192_000:
            raise NoSound(f"a WAV file of format {kind} with {channels} channel(s) of {bits} bits at {rate} Hz, not 16-bit PCM")
        self._rate, self._channels = rate, channels

    def _let_out(self, frame: TTSAudioRawFrame) -> list[TTSAudioRawFrame]:
        if not self._rate:
            return [frame]
        audio = frame.audio
        if self._left is not None:
            audio = audio[: self._left]
            self._left -= len(audio)
        audio = self._piece + audio
        whole = len(audio) - len(audio) % (2 * self._channels)
        audio, self._piece = audio[:whole], audio[whole:]
        if self._channels == 2:
            audio = np.frombuffer(audio, "<i2").reshape(-1, 2).mean(axis=1).astype("<i2").tobytes()
        frame.audio, frame.sample_rate = audio, self._rate
        return [frame] if audio else []


def _require_sound(data: bytes) -> None:
    """Raise `NoSound` if the beginning of a sentence is not PCM16."""
    for mark, kind in _KINDS.items():
        if data.startswith(mark):
            raise NoSound(f"{kind}, not 16-bit PCM")
    if data[4:8] == b"ftyp":
        raise NoSound("MP4, not 16-bit PCM")
    if _is_mp3(data):
        raise NoSound("MP3, not 16-bit PCM")
    if text := _text(data[:_JUDGED]):
        raise NoSound(f"a text, not sound: {text}")
    pcm = data[: len(data) & ~1]
    if len(pcm) < _JUDGED // 2:
        return
    rough = roughness(pcm)
    if rough > _NOISE:
        raise NoSound("noise of full scale, as compressed audio is, not 16-bit PCM")
    for law in (Encoding.MULAW, Encoding.ALAW) if rough > _LOUD else ():
        if rough > _SMOOTHER * roughness(law.decode(pcm)):
            raise NoSound(f"{law.value}, not 16-bit PCM")


def _text(data: bytes) -> str:
    """Return ``data`` as a line if it is a text; else an empty one."""
    if len(data) < _LEAST_TEXT:
        return ""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return ""
        text = data[: error.start].decode()
    line = re.sub(r"\s+", " ", text.strip())
    return line[:100] if line.isprintable() else ""


def _is_mp3(data: bytes) -> bool:
    """Return True if an MPEG audio frame of layer III stands at the beginning, and another where it ends."""
    length = _mp3_frame(data[:4])
    return bool(length) and len(data) >= length + 4 and bool(_mp3_frame(data[length : length + 4]))


def _mp3_frame(head: bytes) -> int:
    """Return the bytes of the MPEG audio frame of layer III that ``head`` begins; 0 if it begins none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, kbps, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or kbps in (0, 15) or rate == 3:
        return 0
    table = _MP3_KBPS[1 if version == 3 else 2]
    return (144 if version == 3 else 72) * table[kbps] * 1000 // _MP3_RATES[version][rate] + (head[2] >> 1 & 1)
