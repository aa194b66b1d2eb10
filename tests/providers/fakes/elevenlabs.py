"""ElevenLabs: multi-context text to speech and realtime speech to text over WebSocket."""

import base64
import json

from aiohttp import web

from .server import SPEECH, Fake, transcript


class ElevenLabs(Fake):
    key_header = "xi-api-key"
    key_prefix = ""

    def routes(self) -> None:
        self.websocket("/v1/text-to-speech/{voice}/multi-stream-input", self._speak)
        self.websocket("/v1/speech-to-text/realtime", self._listen)

    async def _speak(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        waiting: dict[str, list[str]] = {}
        async for message in socket:
            asked = json.loads(message.data)
            if asked.get("close_socket"):
                return
            context = asked.get("context_id", "")
            texts = waiting.setdefault(context, [])
            if asked.get("text", "").strip():
                texts.append(asked["text"])
            if texts and (asked.get("flush") or asked.get("close_context")):
                self.said += texts
                await socket.send_json(_audio(context, "".join(texts)))
                texts.clear()
            if asked.get("close_context"):
                await socket.send_json({"isFinal": True, "contextId": context})

    async def _listen(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        await socket.send_json({"message_type": "session_started", "session_id": "s", "config": {}})
        heard = 0
        async for message in socket:
            asked = json.loads(message.data)
            heard += len(base64.b64decode(asked["audio_base_64"]))
            if asked["commit"]:
                await socket.send_json({"message_type": "committed_transcript", "text": transcript(heard)})


def _audio(context: str, text: str) -> dict[str, object]:
    step = 400 // len(text)
    alignment = {
        "chars": list(text),
        "charStartTimesMs": [place * step for place in range(len(text))],
        "charDurationsMs": [step] * len(text),
    }
    return {
        "audio": base64.b64encode(SPEECH).decode(),
        "contextId": context,
        "alignment": alignment,
        "normalizedAlignment": alignment,
    }
