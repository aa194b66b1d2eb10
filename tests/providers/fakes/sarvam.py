"""Sarvam: realtime speech to text and streaming text to speech over WebSocket, and its OpenAI-compatible chat."""

import base64
import json

from aiohttp import web

from .openai import Chat
from .server import SPEECH, transcript


class Sarvam(Chat):
    key_header = "api-subscription-key"
    key_prefix = ""

    def routes(self) -> None:
        super().routes()
        self.websocket("/speech-to-text-realtime/ws", self._listen)
        self.websocket("/text-to-speech/ws", self._speak)

    async def _listen(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        await socket.send_json({"event": "session.begin", "request_id": "r"})
        heard = 0
        async for message in socket:
            asked = json.loads(message.data)
            match asked["event"]:
                case "audio_input":
                    heard += len(base64.b64decode(asked["audio"]))
                case "speech_end":
                    language = request.query["language_code"]
                    await socket.send_json({"event": "transcript.final", "text": transcript(heard), "language": language})
                case "end":
                    await socket.send_json({"event": "session.end", "request_id": "r"})
                    return

    async def _speak(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        configured = False
        async for message in socket:
            asked = json.loads(message.data)
            match asked["type"]:
                case "config":
                    configured = True
                    self.asked.append(("config", asked["data"]))
                case "text" if configured:
                    self.said.append(asked["data"]["text"])
                case "flush":
                    audio = base64.b64encode(SPEECH).decode()
                    await socket.send_json(
                        {"type": "audio", "data": {"audio": audio, "content_type": "audio/linear16", "request_id": "r"}}
                    )
                    await socket.send_json({"type": "event", "data": {"event_type": "final"}})
