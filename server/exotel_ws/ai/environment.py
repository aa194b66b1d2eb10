"""Set the variables of the environment that libraries of AI mode read when they are loaded."""

import os


def prepare() -> None:
    """Set them in this process; to be called before numpy, onnxruntime or pipecat is imported. Idempotent."""
    # onnxruntime reports its use to its maker unless it is told otherwise.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # numpy's BLAS has a thread for each core, which waits for the next product of matrices by spinning. The products of the turn
    # model are too small to gain by threads, and each kept a core from the caller's words for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
