"""Azure's speech service: messages with headers of their own over WebSocket, as its SDK speaks them."""

import json
import re
from typing import Any

from aiohttp import web

from .server import RATE, SPEECH, Fake, is_text, transcript

_PHRASE_AFTER = 2 * RATE
"""Bytes of a phrase, a second: nobody tells this service when an utterance ends."""


class AzureSpeech(Fake):
    key_header = "Ocp-Apim-Subscription-Key"
    key_prefix = ""

    def routes(self) -> None:
        self.websocket("/stt/speech/universal/v2", self._listen)
        self.websocket("/tts/cognitiveservices/websocket/v1", self._speak)

    async def _listen(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        heard = 0
        async for message in socket:
            if is_text(message):
                headers, body = _parted(message.data)
                if headers["path"] == "speech.context":
                    self.asked.append(("speech.context", json.loads(body)))
                    await socket.send_str(_text(headers, "turn.start", {"context": {"serviceTag": "s"}}))
                continue
            length = int.from_bytes(message.data[:2], "big")
            headers, _ = _parted(message.data[2 : 2 + length].decode() + "\r\n")
            audio = message.data[2 + length :]
            if audio.startswith(b"RIFF"):
                continue
            heard += len(audio)
            if audio and heard == _PHRASE_AFTER:
                phrase = {"Id": "p", "RecognitionStatus": "Success", "Offset": 0, "Duration": 10_000_000}
                await socket.send_str(_text(headers, "speech.phrase", phrase | {"DisplayText": transcript(heard)}))
            if not audio:
                await socket.send_str(_text(headers, "turn.end", {}))

    async def _speak(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            headers, body = _parted(message.data)
            if headers["path"] != "ssml":
                continue
            self.said.append(re.sub("<[^>]*>", "", body))
            await socket.send_str(_text(headers, "turn.start", {"context": {"serviceTag": "s"}}))
            audio = {"type": "inline", "streamId": "a"}
            await socket.send_str(_text(headers, "response", {"context": {"serviceTag": "s"}, "audio": audio}))
            await socket.send_bytes(_audio(headers, SPEECH))
            await socket.send_bytes(_audio(headers, b""))
            await socket.send_str(_text(headers, "turn.end", {}))


def _parted(message: str) -> tuple[dict[str, str], str]:
    """Return header and body, which an empty line parts."""
    head, _, body = message.partition("\r\n\r\n")
    lines = (line.partition(":") for line in head.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in lines}, body


def _text(about: dict[str, str], path: str, body: dict[str, Any]) -> str:
    return f"X-RequestId:{about['x-requestid']}\r\nPath:{path}\r\nContent-Type:application/json\r\n\r\n{json.dumps(body)}"


def _audio(about: dict[str, str], pcm: bytes) -> bytes:
    header = f"X-RequestId:{about['x-requestid']}\r\nContent-Type:audio/x-raw\r\nX-StreamId:a\r\nPath:audio\r\n".encode()
    return len(header).to_bytes(2, "big") + header + pcm
