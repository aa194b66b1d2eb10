"""Deepgram: listen and speak over WebSocket."""

import json

from aiohttp import web

from .server import SPEECH, Fake, is_text, transcript


class Deepgram(Fake):
    key_prefix = "Token "

    def routes(self) -> None:
        self.websocket("/v1/listen", self._listen)
        self.websocket("/v1/speak", self._speak)

    async def _listen(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        heard = 0
        async for message in socket:
            if not is_text(message):
                heard += len(message.data)
                continue
            match message.json()["type"]:
                case "Finalize":
                    await socket.send_json(_results(transcript(heard)))
                case "CloseStream":
                    return

    async def _speak(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            asked = json.loads(message.data)
            match asked["type"]:
                case "Speak":
                    self.said.append(asked["text"])
                case "Flush":
                    await socket.send_bytes(SPEECH)
                    await socket.send_json({"type": "Flushed", "sequence_id": 0})
                case "Clear":
                    await socket.send_json({"type": "Cleared", "sequence_id": 0})
                case "Close":
                    return


def _results(text: str) -> dict[str, object]:
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 1.0,
        "start": 0.0,
        "is_final": True,
        "speech_final": True,
        "from_finalize": True,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.99, "words": []}]},
        "metadata": {
            "request_id": "00000000-0000-0000-0000-000000000000",
            "model_info": {"name": "general-nova-3", "version": "2025-04-17", "arch": "nova-3"},
            "model_uuid": "00000000-0000-0000-0000-000000000000",
        },
    }
