"""Google's speech services: gRPC. Their addresses can't be set: a proxy takes every connection to the fake."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpc
from google.auth import jwt
from google.cloud import texttospeech_v1
from google.cloud.speech_v2.types import cloud_speech

from .certificate import Certificate
from .server import SPEECH, transcript

_PHRASE_AFTER = 32_000
"""Bytes of a phrase: as with Azure, nobody tells when an utterance ends."""


class Google:
    """Google's services: ``asked`` are the configurations of streams, ``said`` the texts to speak, ``proxy`` is the way here."""

    def __init__(self, certificate: Certificate) -> None:
        self.asked: list[Any] = []
        self.said: list[str] = []
        self.contexts: list[Any] = []
        self.proxy = ""
        self._certificate = certificate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def account(self, certificate: Certificate | None = None) -> str:
        """Write the JSON file of a service account that signs with the key of ``certificate``."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project",
                "private_key_id": "k",
                "private_key": (certificate or self._certificate).key.decode(),
                "client_email": "voicebot@project.iam.gserviceaccount.com",
                "token_uri": "https://oauth2.googleapis.com/token",
            }
        )

    async def _open(self) -> None:
        self._server = grpc.aio.server()
        listen = grpc.stream_stream_rpc_method_handler(
            self._listen, cloud_speech.StreamingRecognizeRequest.deserialize, cloud_speech.StreamingRecognizeResponse.serialize
        )
        speak = grpc.stream_stream_rpc_method_handler(
            self._speak,
            texttospeech_v1.StreamingSynthesizeRequest.deserialize,
            texttospeech_v1.StreamingSynthesizeResponse.serialize,
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler("google.cloud.speech.v2.Speech", {"StreamingRecognize": listen}),
                grpc.method_handlers_generic_handler("google.cloud.texttospeech.v1.TextToSpeech", {"StreamingSynthesize": speak}),
            )
        )
        ours = grpc.ssl_server_credentials([(self._certificate.key, self._certificate.certificate)])
        self._port = self._server.add_secure_port("127.0.0.1:0", ours)
        await self._server.start()
        self._way = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.proxy = f"http://127.0.0.1:{self._way.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        self._way.close()
        await self._server.stop(0)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer HTTP CONNECT to any address."""
        await reader.readuntil(b"\r\n\r\n")
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    async def _listen(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await self._check(context, "https://speech.googleapis.com/")
        heard = 0
        async for request in requests:
            if request.streaming_config.config.language_codes:
                self.asked.append(request)
            heard += len(request.audio)
            if request.audio and heard == _PHRASE_AFTER:
                said = cloud_speech.SpeechRecognitionAlternative(transcript=transcript(heard), confidence=0.9)
                result = cloud_speech.StreamingRecognitionResult(alternatives=[said], is_final=True, language_code="en-US")
                yield cloud_speech.StreamingRecognizeResponse(results=[result])

    async def _speak(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await self._check(context, "https://texttospeech.googleapis.com/")
        async for request in requests:
            if request.input.text:
                self.said.append(request.input.text)
                yield texttospeech_v1.StreamingSynthesizeResponse(audio_content=SPEECH)
            else:
                self.asked.append(request.streaming_config)

    async def _check(self, context: Any, audience: str) -> None:
        """Check the token, which the caller signs for this service with the account's key."""
        token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
        try:
            jwt.decode(token, certs=self._certificate.certificate.decode(), audience=audience)
        except ValueError as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"401 {error} {token}")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(65536):
        writer.write(some)
        await writer.drain()
    writer.close()
