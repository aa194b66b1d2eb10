"""Frames that say more of the caller's voice than pipecat's own do."""

from dataclasses import dataclass

from pipecat.frames.frames import STTMetadataFrame, SystemFrame, VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame


@dataclass
class HushFrame(SystemFrame):
    """The caller's voice has paused for 0.1 s, which may be the end of their speech; or (not ``quiet``) it goes on after that."""

    quiet: bool = True


@dataclass
class EarlySTTFrame(STTMetadataFrame):
    """The recogniser begins at each `HushFrame`, and tells the words once it has them."""


@dataclass
class SpeechBeginFrame(VADUserStartedSpeakingFrame):
    """Somebody has begun to speak: the caller or, if ``over`` the voice of a bot, perhaps the bot, by an echo."""

    over: bool = False


@dataclass
class SpeechEndFrame(VADUserStoppedSpeakingFrame):
    """The caller has stopped speaking. Their last sound was ``silent_s`` seconds before this, for an ear."""

    silent_s: float = 0.0


@dataclass
class SpeechCutFrame(VADUserStoppedSpeakingFrame):
    """Speech is taken to end here for its length, although the voice goes on."""
