"""AI mode: a caller speaks, the bot understands, answers, and can be interrupted.

Built on pipecat, which knows turn-taking and some fifty vendors. What is ours: the protocol, the pace and the marks
(`playout`), call control (`conversation`), the registry from settings to services (`services`), and what needs neither key
nor network (`embedded`). Only `pipeline`, `services` and `embedded` import pipecat, and only in this mode.
"""

import os

# Before anybody loads onnxruntime: unless told otherwise it reports its use to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
