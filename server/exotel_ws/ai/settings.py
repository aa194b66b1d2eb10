"""The ``[ai]`` table of the settings. Importing it loads neither pipecat nor a model."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from exotel_ws.ai import usual_phrases

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1)]
Services = Annotated[list[str], Meta(min_length=1)]
Phrases = Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=500)]
Text = str | dict[str, str]
"""One text, or one for each language: ``{en = "…", hi = "…"}``; the first serves callers of any other language."""
Lines = str | list[str] | dict[str, str | list[str]]
"""Texts that are said in turn, for all languages or for each."""


def _in(**texts: Any) -> Any:
    """Return a field whose default is a text, or a list of texts, for each language."""
    return field(default_factory=lambda: dict(texts))


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """One service. ``use`` is a preset or a service of pipecat; empty: the name of this table.

    ``credential`` is a file name in $CREDENTIALS_DIRECTORY, or an absolute path; empty: the preset's name, but none if
    ``base_url`` leads to another host. ``language`` and ``voice`` hold unless a call asks for another.
    ``options`` go to the service as they are: each is a parameter of its constructor or a field of its ``Settings``.
    """

    use: str = ""
    model: str = ""
    voice: str = ""
    language: str = ""
    base_url: str = ""
    credential: str = ""
    options: dict[str, Any] = {}


class Tool(Struct, frozen=True, forbid_unknown_fields=True):
    """One tool that a model, or a flow, calls by the name of its table: a request to a system of the user's.

    ``parameters`` is the JSON schema of its arguments, an object. ``credential`` names the secret that is sent as
    ``Authorization: Bearer``, or in place of ``{credential}`` in a header; ``signing_credential`` the one that each request is
    signed with. ``saying`` is said meanwhile, in one language or in several.
    """

    description: Annotated[str, Meta(min_length=1, max_length=1024)]
    url: str
    parameters: dict[str, Any] = {}
    method: Literal["POST", "GET"] = "POST"
    headers: Annotated[dict[str, str], Meta(max_length=16)] = {}
    credential: str = ""
    signing_credential: str = ""
    timeout_s: Annotated[float, Meta(gt=0, le=8)] = 5.0
    """Seconds for the answer; after 10 s of fillers a caller would hear the apology."""
    saying: Text = ""
    loopback: bool = False
    """True if the tool is on this machine's loopback."""


class Silence(Struct, frozen=True, forbid_unknown_fields=True):
    """A caller who says nothing for ``after_s`` is asked ``prompts`` in turn, and then told ``goodbye``.

    On a noisy line ``noisy`` takes the place of each prompt, and ``noisy_goodbye`` that of the goodbye. ``noisy`` is said
    once in a call, too, after an answer, where voices around the caller may be taken for theirs.
    """

    after_s: Seconds = 7.0
    prompts: Lines = _in(
        en=["Are you still there?", "I can't hear you. Please say something."],
        hi=["क्या आप लाइन पर हैं?", "आपकी आवाज़ नहीं आ रही है। कृपया कुछ बोलिए।"],
    )
    goodbye: Text = _in(
        en="I can't hear you, so I will hang up now. Goodbye.",
        hi="आपकी आवाज़ नहीं आ रही है, इसलिए यह कॉल अब समाप्त होती है। नमस्ते।",
    )
    noisy: Text = _in(
        en="It is very noisy where you are. Please speak close to the phone.",
        hi="आपके आसपास बहुत शोर है। कृपया फ़ोन के पास आकर बोलिए।",
    )
    noisy_goodbye: Text = _in(
        en="It is too noisy for me to understand you. Please call again from a quieter place. Goodbye.",
        hi="बहुत शोर के कारण आपकी बात समझ में नहीं आ रही है। कृपया किसी शांत जगह से फिर कॉल कीजिए। नमस्ते।",
    )


class Failure(Struct, frozen=True, forbid_unknown_fields=True):
    """Deadlines of the services, and what callers hear when one fails.

    A stage is late ``transcript_s``, ``first_token_s`` or ``first_audio_s`` after it was asked (the speech, the language model,
    the voice), and ``stall_s`` after its last piece if more has to come: then the next service takes over. While an answer is
    owed, the line is never quiet for longer than ``silence_s``: ``fillers`` are said in turn, then ``apology``, and ``then``
    follows. A failure is forgotten with its call, but a service that failed in ``skip_after`` calls within ``skip_s`` is not
    tried first for ``skip_s``.
    """

    silence_s: Annotated[float, Meta(gt=0, le=2.5)] = 2.2
    transcript_s: Seconds = 2.0
    first_token_s: Seconds = 2.0
    first_audio_s: Seconds = 2.0
    stall_s: Seconds = 2.0
    ready_s: Seconds = 5.0
    """Seconds in which a service has to be connected, and a call's pipeline to be running."""
    fillers: Lines = _in(
        en=["One moment, please.", "I am sorry, it takes a little longer."],
        hi=["कृपया एक पल रुकिए।", "क्षमा कीजिए, इसमें थोड़ा और समय लग रहा है।"],
    )
    not_heard: Text = _in(en="Sorry, I did not catch that.", hi="क्षमा कीजिए, आपकी बात ठीक से सुनाई नहीं दी।")
    apology: Text = _in(
        en="I am sorry, we have a technical problem. Please call again later.",
        hi="क्षमा कीजिए, अभी एक तकनीकी समस्या है। कृपया थोड़ी देर बाद फिर कॉल कीजिए।",
    )
    then: Literal["hang_up", "transfer"] = "hang_up"
    skip_after: Annotated[int, Meta(ge=1)] = 3
    skip_s: Seconds = 60.0


class BargeIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Words over the bot. Fewer than ``min_words``, or nothing but ``backchannels``, do not take the turn from it.

    ``answers`` are backchannels that answer a question while the bot is asking it; ``always`` takes the turn, whatever the flow
    makes of it.
    """

    min_words: Annotated[int, Meta(ge=1)] = 1
    backchannels: Phrases = field(default_factory=lambda: list(usual_phrases.BACKCHANNELS))
    answers: Phrases = field(default_factory=lambda: list(usual_phrases.ANSWERS))
    always: Phrases = field(default_factory=lambda: list(usual_phrases.ALWAYS))


class Turns(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds of silence that end a caller's turn, by what was said, and what is no turn.

    ``sure_s`` after a whole question or request that sounds finished, or one of ``short_answers`` to what the bot asked;
    ``likely_s`` after a question that does not sound finished, and a statement that does; ``unsure_s`` after what may go on;
    ``open_s`` after what is no sentence yet, ends with one of ``open_endings`` (and is none of ``whole_sentences``), or is no
    whole question and means nothing to a scripted flow. Speech without a pause for ``longest_s`` is a turn. ``early``:
    recognise in each pause, before it is known to be the end. ``ahead``: most requests of a turn to a remote language model
    before its end. After ``courtesies`` more may come, as after a short answer to nothing. ``greetings``, and ``announcements``
    anywhere in it, ask for nothing if said into the greeting.
    """

    sure_s: Annotated[float, Meta(ge=0.2, le=2)] = 0.2
    likely_s: Annotated[float, Meta(ge=0.2, le=2)] = 0.6
    unsure_s: Annotated[float, Meta(ge=0.2, le=2)] = 0.9
    open_s: Annotated[float, Meta(ge=0.2, le=2)] = 1.5
    longest_s: Annotated[float, Meta(ge=2, le=30)] = 8.0
    early: bool = True
    ahead: Annotated[int, Meta(ge=0, le=5)] = 2
    short_answers: Phrases = field(default_factory=lambda: list(usual_phrases.SHORT_ANSWERS))
    courtesies: Phrases = field(default_factory=lambda: list(usual_phrases.COURTESIES))
    open_endings: Phrases = field(default_factory=lambda: list(usual_phrases.OPEN_ENDINGS))
    whole_sentences: Phrases = field(default_factory=lambda: list(usual_phrases.WHOLE_SENTENCES))
    greetings: Phrases = field(default_factory=lambda: list(usual_phrases.GREETINGS))
    announcements: Phrases = field(default_factory=lambda: list(usual_phrases.ANNOUNCEMENTS))


class Outbound(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls that the bot placed. ``voicemail`` is what follows where a machine answers, ``message`` the text to leave there."""

    voicemail: Literal["hang_up", "leave_message", "ignore"] = "hang_up"
    message: Text = _in(
        en="Hello. We called you and could not reach you. We will call again. Goodbye.",
        hi="नमस्ते। आपको कॉल किया गया था, पर बात नहीं हो सकी। आपको फिर कॉल किया जाएगा।",
    )
    machines: Phrases = field(default_factory=lambda: list(usual_phrases.MACHINES))
    """Found anywhere in what is said within ``within_s`` of the start."""
    within_s: Seconds = 20.0


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """Transcripts and recordings of calls, kept in ``directory``; none by default. Ages in days, sizes in bytes."""

    transcripts: bool = False
    audio: bool = False
    directory: str = "/var/lib/exotel-ws/calls"
    keep_days: Annotated[float, Meta(gt=0)] = 7.0
    most_bytes: Annotated[int, Meta(ge=1)] = 1024**3
    most_call_bytes: Annotated[int, Meta(ge=1, le=4_000_000_000)] = 64 * 1024**2
    """Size of one recording: 35 minutes at 8 kHz, 11 at 24 kHz. A WAV file can't hold more than 4 GB."""


class Spool(Struct, frozen=True, forbid_unknown_fields=True):
    """Reports to ``ai.ended_url`` that wait on disk until they were taken; what is beyond a bound is dropped, oldest first."""

    directory: str = "/var/lib/exotel-ws/ended"
    keep_hours: Annotated[float, Meta(gt=0)] = 72.0
    most_records: Annotated[int, Meta(ge=1, le=100_000)] = 10_000
    most_bytes: Annotated[int, Meta(ge=1024)] = 256 * 1024**2


class Bot(Struct, frozen=True, forbid_unknown_fields=True):
    """One bot of several: it answers calls to its ``numbers``, on its ``paths``, or with its name as the parameter ``bot``.

    Whatever is empty is as in ``[ai]``, but for the greeting of its own ``flow`` and the voice of its own ``tts``.
    """

    numbers: list[str] = []
    paths: list[str] = []
    prompt: str = ""
    flow: str = ""
    greeting: Text = ""
    language: str = ""
    voice: str = ""
    stt: list[str] = []
    llm: list[str] = []
    tts: list[str] = []


class AiLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds on the cost of one call: services are paid by request and by character, and all calls share a worker.

    ``too_fast`` and ``too_long`` are said when a bound bites, ``enough`` before the call ends because of one.
    """

    requests_per_minute: Count = 30
    """Requests to the language model a minute; a fast talker causes 15, and 15 more where tools are used."""
    requests_at_once: Count = 10
    """Requests without a pause: a few quick turns, each with a tool."""
    requests_per_call: Count = 300
    """Requests in one call: ``requests_per_minute`` for the default ``max_call_s``."""
    context_characters: Annotated[int, Meta(ge=1000)] = 24_000
    """Characters of dialogue in one request, without the prompt: 25 minutes of talk. Beyond that, oldest turns are left out."""
    turn_characters: Annotated[int, Meta(ge=100)] = 2_000
    """Characters of one turn of the caller: two minutes of talk. The end of a longer turn is kept."""
    speech_characters_per_minute: Annotated[int, Meta(ge=500)] = 3_000
    """Characters sent to the voice a minute; speech has 900, but an interrupted answer was synthesized in full."""
    speech_characters_per_call: Annotated[int, Meta(ge=500)] = 30_000
    """Characters sent to the voice in one call: ``speech_characters_per_minute`` for the default ``max_call_s``."""
    starts_per_minute: Count = 3
    """Restarts of the stream on one connection a minute; each starts a new bot. Exotel never restarts a stream."""
    too_fast: Text = _in(en="One moment, please. That was too fast for me.", hi="कृपया एक पल रुकिए, और ज़रा धीरे-धीरे बताइए।")
    too_long: Text = _in(en="I will stop here.", hi="अभी के लिए इतना ही।")
    enough: Text = _in(
        en="I am sorry, we have to end this call here. Goodbye.",
        hi="क्षमा कीजिए, यह कॉल अब यहीं समाप्त करनी होगी। नमस्ते।",
    )


class Ai(Struct, frozen=True, forbid_unknown_fields=True):
    """AI mode. ``stt``, ``llm`` and ``tts`` name services in the order in which they are tried."""

    stt: Services = field(default_factory=lambda: ["embedded"])
    llm: Services = field(default_factory=lambda: ["embedded"])
    tts: Services = field(default_factory=lambda: ["embedded"])
    services: dict[str, Service] = {}
    bots: dict[str, Bot] = {}
    """Bots beside the one that this table describes, which answers all calls of none of them."""
    greeting: Text = ""
    """Empty: the flow's greeting."""
    greeting_interruptible: bool = False
    flow: str = ""
    """YAML file of the scripted flow; empty: the example that ships."""
    prompt: str = ""
    """Text file of the system prompt; empty: a short one that ships."""
    language: str = "en"
    voice: str = ""
    languages: list[str] = []
    """Languages that a call may ask for by parameter, beside the configured ones; ``voices`` likewise."""
    voices: list[str] = []
    start_url: str = ""
    """Address that is asked who calls before the bot greets; empty: nobody is asked."""
    start_s: Annotated[float, Meta(gt=0, le=2)] = 0.8
    """Seconds in which it has to answer: so much later is a greeting at most."""
    start_credential: str = ""
    """Credential name of the secret that these requests are signed with; empty: they are not."""
    webhook_url: str = ""
    webhook_credential: str = ""
    """Credential name of the secret sent to the webhook as ``Authorization: Bearer``. Empty: ``webhook``, if it exists."""
    ended_url: str = ""
    """Address that each ended call is reported to; empty: none is."""
    ended_credential: str = ""
    """Credential name of the secret that reports are signed with. Empty: ``ended``, if it exists."""
    tools: Annotated[dict[str, Tool], Meta(max_length=32)] = {}
    max_call_s: Seconds = 600.0
    time_up: Text = _in(
        en="Our time is up. Thank you for calling. Goodbye.",
        hi="हमारा समय समाप्त हो गया है। कॉल करने के लिए धन्यवाद। नमस्ते।",
    )
    goodbye: Text = _in(en="Thank you for calling. Goodbye.", hi="कॉल करने के लिए धन्यवाद। नमस्ते।")
    """Said if the model ends the call without a word; ``transferring`` likewise."""
    transferring: Text = _in(
        en="I will connect you now. Please hold the line.",
        hi="आपकी कॉल अभी जोड़ी जा रही है। कृपया लाइन पर बने रहिए।",
    )
    max_calls: Annotated[int, Meta(ge=1)] = 25
    """Most calls of a worker; limits.max_calls still holds."""
    silence: Silence = Silence()
    failure: Failure = Failure()
    barge_in: BargeIn = BargeIn()
    turns: Turns = Turns()
    outbound: Outbound = Outbound()
    record: Record = Record()
    spool: Spool = Spool()
    limits: AiLimits = AiLimits()
