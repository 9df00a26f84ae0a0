"""Runs on a Dask cluster: tasks go to its scheduler, outcomes come back as they are done, and only this process writes the store.

Dask gives the run of a worker that dies to another worker, and gives a run up when it has taken several workers with it; that run
is then lost and said to be so. What a worker raises outside a run (it cannot import overparam, say) is the worker's fault, not
the run's, and makes the run lost too: the next sweep of the store tries it again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from verify.errors import ProblemError
from verify.fields import one_line
from verify.sweeps.runner import Team
from verify.sweeps.single import Outcome, Task, lost, run_one

CONNECTION_SECONDS = 10


def cluster(address: str, tell: Callable[[str], None] = lambda sentence: None) -> Team:
    """The workers of the Dask scheduler at ``address``, such as "tcp://host:8786". tell: called with what a user should know.

    Raises ProblemError when Dask is not installed or the address is none; running raises it when no scheduler answers or it goes
    away.
    """
    try:
        from distributed.comm.addressing import get_address_host_port
    except ImportError:
        raise ProblemError('--scheduler needs Dask, which is not installed: pip install "overparam[cluster]"') from None
    try:
        get_address_host_port(address, strict=True)
    except (ValueError, TypeError) as error:
        raise ProblemError(f"--scheduler must be an address such as tcp://host:8786, got {address!r}: {one_line(error)}") from None
    return lambda tasks: _run(tasks, address, tell)


def _run(tasks: Sequence[Task], address: str, tell: Callable[[str], None]) -> Generator[Outcome, Any, None]:
    from distributed import Client

    with _quiet():
        try:
            client = Client(address, timeout=CONNECTION_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ProblemError(f"no Dask scheduler answers at {address!r}: {one_line(error)[:200]}") from None
        try:
            if not client.scheduler_info()["workers"]:
                tell(f"the scheduler at {address} has no workers yet; waiting for them")
            yield from _outcomes(client, tasks, address)
        finally:
            client.close(timeout=CONNECTION_SECONDS)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's client would log a traceback where we say a sentence."""
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _outcomes(client: Any, tasks: Sequence[Task], address: str) -> Generator[Outcome, Any, None]:
    from distributed import as_completed

    sweep = uuid.uuid4().hex  # a scheduler answers a key that it knows with what it has: never let it know ours
    given = {f"overparam-{sweep}-{task.id}": task for task in tasks}
    coming = as_completed(
        client.map(run_one, list(given.values()), key=list(given), pure=False),
        loop=client.loop,
        with_results=True,
        raise_errors=False,
    )
    for future, result in coming:
        status = future.status
        # A result that is still wanted is computed again when the worker that holds it dies, also when we have it already.
        future.release()
        if isinstance(result, Outcome):
            yield result
        elif status == "error":
            yield lost(given[future.key], _reason(result))
        else:  # cancelled: a scheduler that goes away cancels everything
            raise _gone(address, coming.count() + 1)


def _gone(address: str, left: int) -> ProblemError:
    return ProblemError(f"the Dask scheduler at {address!r} went away; {left} runs are left, and the store has all others")


def _reason(result: Any) -> str:
    """Why Dask has no outcome; it gives (type, exception, traceback)."""
    error = result[1] if isinstance(result, tuple) and len(result) == 3 else result
    return f"Dask gave it up: {type(error).__name__}: {one_line(error)[:500]}"
