"""AI mode: a caller speaks, the bot understands, answers, and can be interrupted.

Built on pipecat, which knows turn-taking and some fifty vendors. Here is the call itself: what the caller hears first, when the
bot is interrupted and how a call ends (`conversation`), its pipeline (`dialogue`), and the protocol's pace and marks (`playout`).
Its rooms: the services that settings choose (`providers`), those that need neither key nor network (`embedded`, `scripted`), what
is done where one fails (`failure`), and what is kept and counted of a call (`records`).
"""

import os

# Before anybody loads onnxruntime: unless told otherwise it reports its use to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Before anybody loads numpy: its BLAS has a thread for each core, which waits for the next product of matrices by spinning. The
# turn model's products are too small to gain by it, and after each the caller's words waited for that core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
