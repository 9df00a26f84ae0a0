"""The life of a worker process.

A run that needs more memory than its worker's allowance asks for it, an integer on the connection, and goes on when answered.

Imports nothing heavy, because the number of threads is fixed before the libraries that have threads are loaded.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection, wait

READY = "ready"
GRANTED = "granted"
_THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def serve(connection: Connection, allowance: int) -> None:
    """Say that the worker is ready, then answer tasks with outcomes until there is no task, or nobody who asks.

    allowance: bytes that a run may take without asking.
    """
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # as the command line does
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    # Slow, and before the first task: a failure here is not the task's.
    import verify.verification  # noqa: F401
    from verify.memory import shared_memory
    from verify.sweeps.single import run_one

    def ask(needed: int) -> None:
        if needed > allowance:
            connection.send(needed)
            connection.recv()

    try:
        connection.send(READY)
        while (task := connection.recv()) is not None:
            with shared_memory(ask):
                outcome = run_one(task)
            connection.send(outcome)
    except (EOFError, OSError):  # the parent is gone
        return


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
