"""What worker processes of this program have in common: one thread each, no ear for Ctrl-C, and an end with their parent.

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

_THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def prepare_worker() -> None:
    """In a worker, first of all: Ctrl-C is the parent's to answer."""
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
