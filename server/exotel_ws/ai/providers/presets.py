"""Presets of the providers that are tested against a server which speaks as theirs does. Others have pipecat's names."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from exotel_ws.ai.providers.catalogue import Stage


class Preset(NamedTuple):
    """A service of pipecat, and its defaults.

    ``needs`` are settings without which it can't start, each a tuple of alternatives.
    ``credential`` is the name of the file with its key; empty: it has none.
    """

    service: str
    credential: str = ""
    base_url: str = ""
    model: str = ""
    needs: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, Any] = {}


_OPENAI: Final = "openai:OpenAILLMService"
_MODEL: Final = (("model",),)
_VOICE: Final = (("voice",),)
_GOOGLE_ONCE: Final = {"http_options": {"retry_options": {"attempts": 1}}}
"""One attempt: Google's SDK tries a server that is not there for ten seconds and more; the next service answers sooner."""

PRESETS: Final[dict[str, dict[Stage, Preset]]] = {
    "deepgram": {
        "stt": Preset("deepgram:DeepgramSTTService", "deepgram-api-key"),
        "tts": Preset("deepgram:DeepgramTTSService", "deepgram-api-key"),
    },
    "sarvam": {
        # Its own turn ends would compete with ours, which know what is a backchannel.
        "stt": Preset("sarvam:SarvamRealtimeSTTService", "sarvam-api-key", options={"endpointing": "manual"}),
        "llm": Preset("sarvam:SarvamLLMService", "sarvam-api-key"),
        "tts": Preset("sarvam:SarvamTTSService", "sarvam-api-key"),
    },
    "openai": {
        "stt": Preset("openai:OpenAISTTService", "openai-api-key", "https://api.openai.com/v1"),
        "llm": Preset(_OPENAI, "openai-api-key", "https://api.openai.com/v1"),
        "tts": Preset("openai:OpenAITTSService", "openai-api-key", "https://api.openai.com/v1"),
    },
    "gemini": {
        "llm": Preset(_OPENAI, "gemini-api-key", "https://generativelanguage.googleapis.com/v1beta/openai/", "gemini-3.6-flash"),
    },
    "vllm": {"llm": Preset(_OPENAI, "", "http://127.0.0.1:8000/v1", needs=_MODEL)},
    "ollama": {"llm": Preset(_OPENAI, "", "http://127.0.0.1:11434/v1", needs=_MODEL)},
    "llama.cpp": {"llm": Preset(_OPENAI, "", "http://127.0.0.1:8080/v1", "default")},
    "google": {
        "stt": Preset("google:GoogleSTTService", "google-credentials"),
        "llm": Preset("google:GoogleLLMService", "gemini-api-key", options=_GOOGLE_ONCE),
        "tts": Preset("google:GoogleTTSService", "google-credentials"),
    },
    "azure": {
        "stt": Preset("azure:AzureSTTService", "azure-speech-key", needs=(("region", "base_url"),)),
        "llm": Preset("azure:AzureLLMService", "azure-openai-key", needs=(("base_url",),)),
        "tts": Preset("azure:AzureTTSService", "azure-speech-key", needs=(("region", "base_url"),)),
    },
    "elevenlabs": {
        "stt": Preset("elevenlabs:ElevenLabsRealtimeSTTService", "elevenlabs-api-key"),
        "tts": Preset("elevenlabs:ElevenLabsTTSService", "elevenlabs-api-key", needs=_VOICE),
    },
    "cartesia": {
        "stt": Preset("cartesia:CartesiaSTTService", "cartesia-api-key"),
        "tts": Preset("cartesia:CartesiaTTSService", "cartesia-api-key", needs=_VOICE),
    },
}

EXTRAS: Final = frozenset({"azure", "deepgram", "google", "sarvam"})
"""Extras of pyproject.toml with a lock, named as pipecat's package is."""
