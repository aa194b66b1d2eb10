"""Peer: pipecat's own path to Exotel, as its documentation puts it together, with the services that our server embeds.

Its serializer, its FastAPI transport, its pacing and its interruptions; our models, our scripted flow, or the remote services
that settings name, and the same parameters of the voice detector and of the turn model. Run as a process of its own:
``python -m benchmarks.ai.peer --help``.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import msgspec
import uvicorn
from exotel_ws.ai.ear import HEARING_RATE
from exotel_ws.ai.embedded.models import Models, TurnModel, example_flow
from exotel_ws.ai.embedded.services import SharedVoiceDetector
from exotel_ws.ai.providers.supply import Supply
from exotel_ws.ai.scripted import flow
from exotel_ws.ai.scripted.endpoint import Endpoint
from exotel_ws.ai.settings import Ai
from exotel_ws.settings import load
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

LINE_RATE = 8000
UNSURE_S = 1.0
"""Seconds to wait on an unsure end of a turn; pipecat's own default is 3 s."""


class _TurnAnalyzer(LocalSmartTurnAnalyzerV3):
    """Smart Turn as pipecat has it, with one session for all calls."""

    def __init__(self, model: TurnModel) -> None:
        super(LocalSmartTurnAnalyzerV3, self).__init__(params=SmartTurnParams(stop_secs=UNSURE_S))
        self._log_data = False
        self._session = model.session
        self._shared_executor = model.turn_executor

    @property
    def _model_executor(self) -> ThreadPoolExecutor:
        return self._shared_executor


class Peer:
    """Models and scripted flow of all calls. ``heard`` takes a line of JSON for each turn of a caller."""

    def __init__(self, models: Models, endpoint: Endpoint, greeting: str, heard: TextIO, settings: Ai) -> None:
        self._models = models
        self._settings = settings
        self._endpoint = endpoint
        self._greeting = greeting
        self._heard = heard
        self._supply: Supply

    async def open(self) -> None:
        """Begin to answer as a language model. Raises OSError if no port can be had."""
        await self._endpoint.open()
        self._supply = Supply(self._settings, self._models, self._endpoint.url, self._endpoint.key)

    async def close(self) -> None:
        await self._endpoint.close()

    async def call(self, websocket: WebSocket) -> None:
        """Serve one call until its connection ends."""
        await websocket.accept()
        _, told = await parse_telephony_websocket(websocket)
        serializer = ExotelFrameSerializer(stream_sid=told["stream_id"], call_sid=told["call_id"])
        params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer)
        transport = FastAPIWebsocketTransport(websocket, params)
        context = LLMContext([{"role": "assistant", "content": self._greeting}])
        user, assistant = LLMContextAggregatorPair(context, user_params=self._turns())
        stt, llm, tts = (made()[0].service for made in (self._supply.stt, self._supply.llm, self._supply.tts))
        worker = PipelineWorker(
            Pipeline([transport.input(), stt, user, llm, tts, transport.output(), assistant]),
            params=PipelineParams(audio_in_sample_rate=HEARING_RATE, audio_out_sample_rate=LINE_RATE),
            idle_timeout_secs=None,
            enable_rtvi=False,
            enable_turn_tracking=False,
            check_dangling_tasks=False,
        )

        async def greet(*_: object) -> None:
            await worker.queue_frame(TTSSpeakFrame(self._greeting))

        async def hung_up(*_: object) -> None:
            await worker.cancel()

        async def note(_aggregator: object, _strategy: object, message: Any) -> None:
            self._heard.write(json.dumps({"call_sid": told["call_id"], "text": message.content or ""}) + "\n")
            self._heard.flush()

        transport.add_event_handler("on_client_connected", greet)
        transport.add_event_handler("on_client_disconnected", hung_up)
        user.add_event_handler("on_user_turn_stopped", note)
        runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
        await runner.add_workers(worker)
        await runner.run()

    def _turns(self) -> LLMUserAggregatorParams:
        analyzer = _TurnAnalyzer(self._models.turn_model)
        return LLMUserAggregatorParams(
            user_turn_strategies=UserTurnStrategies(stop=[TurnAnalyzerUserTurnStopStrategy(turn_analyzer=analyzer)]),
            vad_analyzer=SharedVoiceDetector(self._models.turn_model, VADParams(start_secs=0.2, stop_secs=0.2, min_volume=0.1)),
        )


def main() -> None:
    """Load the models as our server does, and serve until SIGTERM."""
    options = _options()
    logger.remove()
    logger.add(sys.stderr, level="INFO")
    models = Models.load()
    with options.heard.open("w", encoding="utf-8") as heard:
        settings = msgspec.convert(load(options.settings).ai, Ai) if options.settings else Ai()
        peer = Peer(models, Endpoint(flow.load(options.flow), models.speaker.sounds), options.greeting, heard, settings)
        app = FastAPI(on_startup=[peer.open], on_shutdown=[peer.close])
        app.add_api_websocket_route("/", peer.call)
        app.add_api_route("/health", _health)
        uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)


async def _health() -> dict[str, str]:
    return {"status": "ok"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ai.peer", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--flow", type=Path, default=example_flow(), help="YAML file of the scripted flow")
    parser.add_argument("--settings", type=Path, help="settings with other services than the embedded ones")
    parser.add_argument("--greeting", required=True)
    parser.add_argument("--heard", type=Path, required=True, help="file for what was understood, a line of JSON a turn")
    return parser.parse_args()


if __name__ == "__main__":
    main()
