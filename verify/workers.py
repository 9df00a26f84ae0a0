"""What worker processes of this program have in common: one thread each, no ear for Ctrl-C, and an end with their parent.

They are spawned, not forked: a fork would inherit the threads' locks without the threads. Ctrl-C is the parent's to answer.

Imports nothing heavy, because the number of threads is fixed before the libraries that have threads are loaded.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait

SPAWNED = multiprocessing.get_context("spawn")

_THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def usable_cores() -> int:
    """The number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def how_many(workers: int | None) -> int:
    """The number of processes for the option --workers, by default one for each usable core. Raises ProblemError."""
    from verify import fields

    return usable_cores() if workers is None else fields.integer("--workers", workers, 1)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Kernels and BLAS use the calling thread alone: one process a core keeps every core busy, more threads would wait on each
    other, and the bits of a result cannot depend on how many cores there are."""
    import numba
    import threadpoolctl

    import verify.verification  # noqa: F401  loads every library that has threads, so that the controller finds it

    before = numba.get_num_threads()
    with threadpoolctl.threadpool_limits(limits=1):
        numba.set_num_threads(1)
        try:
            yield
        finally:
            numba.set_num_threads(before)


def prepare_worker() -> None:
    """In a worker, first of all."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # as the command line does
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def interrupt_held_back() -> Iterator[None]:
    """Ctrl-C is blocked for what starts here, which inherits that, and comes after the block for us."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
