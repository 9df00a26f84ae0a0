"""The life of a worker process.

A run that needs more memory than its worker's allowance asks for it, an integer on the connection, and goes on when answered.

Imports nothing heavy, because the number of threads is fixed before the libraries that have threads are loaded.
"""

from __future__ import annotations

from multiprocessing.connection import Connection

from verify.workers import prepare_worker

READY = "ready"
GRANTED = "granted"


def serve(connection: Connection, allowance: int) -> None:
    """Say that the worker is ready, then answer tasks with outcomes until there is no task, or nobody who asks.

    allowance: bytes that a run may take without asking.
    """
    prepare_worker()
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
