"""Cartesia: text to speech and speech to text over WebSocket."""

import base64
import json

from aiohttp import web

from .server import SPEECH, Fake, is_text, transcript


class Cartesia(Fake):
    key_header = "X-API-Key"
    key_prefix = ""

    def routes(self) -> None:
        self.websocket("/tts/websocket", self._speak)
        self.websocket("/stt/websocket", self._listen)

    async def _speak(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            asked = json.loads(message.data)
            context = {"context_id": asked["context_id"], "status_code": 206}
            if asked.get("cancel"):
                continue
            self.asked.append(("speak", asked))
            if asked["transcript"].strip():
                self.said.append(asked["transcript"])
                words = {"words": asked["transcript"].split(), "start": [0.0], "end": [0.4]}
                words["start"] = [place * 0.1 for place in range(len(words["words"]))]
                await socket.send_json(context | {"type": "timestamps", "done": False, "word_timestamps": words})
                audio = base64.b64encode(SPEECH).decode()
                await socket.send_json(context | {"type": "chunk", "data": audio, "done": False, "step_time": 1.0})
            if not asked["continue"]:
                await socket.send_json(context | {"type": "done", "done": True, "status_code": 200})

    async def _listen(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        heard = 0
        async for message in socket:
            if not is_text(message):
                heard += len(message.data)
            elif message.data == "finalize":
                await socket.send_json(
                    {"type": "transcript", "is_final": True, "text": transcript(heard), "request_id": "r", "duration": 1.0}
                )
                await socket.send_json({"type": "flush_done", "request_id": "r"})
            elif message.data == "done":
                await socket.send_json({"type": "done", "request_id": "r"})
                return
