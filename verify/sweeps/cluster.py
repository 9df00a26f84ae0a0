"""Runs on a Dask cluster: tasks go to its scheduler, outcomes come back as they are done, and only this process writes the store.

Dask gives the run of a worker that dies to another worker, and gives a run up when it has taken several workers with it; that run
is then lost and said to be so. What a worker raises outside a run (it cannot import overparam, say) is the worker's fault, not
the run's, and makes the run lost too: the next sweep of the store tries it again.

Whoever answers at an address need not be a scheduler, and Dask's client then waits for its words for ever, or takes other words for
the length of a message. So the address is asked who it is first, for a stated time; and a scheduler without workers is waited for
no longer than stated.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from verify.errors import ProblemError
from verify.fields import one_line
from verify.sweeps.runner import Dispatch
from verify.sweeps.single import Outcome, Task, lost, run_one

CONNECTION_SECONDS = 10
WORKER_SECONDS = 60  # without any worker, before a sweep gives up: the store has what was done
_LOOK_SECONDS = 1.0  # between two looks at the workers, while nothing arrives
_ARRIVAL_SECONDS = 0.02


def cluster(address: str, tell: Callable[[str], None] = lambda sentence: None) -> Dispatch:
    """The workers of the Dask scheduler at ``address``, such as "tcp://host:8786". tell: called with what a user should know.

    Raises ProblemError when Dask is not installed or the address is none; running raises it when no scheduler answers within
    CONNECTION_SECONDS, when it goes away, and when it has had no workers for WORKER_SECONDS.
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

    with _quiet("distributed.client", "distributed.core", "distributed.comm.core", "distributed.comm.tcp"):
        _require_scheduler(address)
        try:
            client = Client(address, timeout=CONNECTION_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ProblemError(f"no Dask scheduler answers at {address!r}: {one_line(error)[:200]}") from None
        try:
            yield from _outcomes(client, tasks, address, tell)
        finally:
            client.close(timeout=CONNECTION_SECONDS)


def _require_scheduler(address: str) -> None:
    """Refuse an address at which no Dask scheduler says that it is one."""
    from distributed.core import rpc
    from distributed.security import Security

    try:
        kind = asyncio.run(asyncio.wait_for(_kind(rpc, Security, address), CONNECTION_SECONDS))
    except TimeoutError:
        raise ProblemError(
            f"no Dask scheduler answers at {address!r}: nothing that Dask understands came in {CONNECTION_SECONDS} s"
        ) from None
    except Exception as error:  # bytes of another protocol are taken for lengths and types: what that raises is anything
        raise ProblemError(f"no Dask scheduler answers at {address!r}: {one_line(error)[:200]}") from None
    if kind != "Scheduler":
        raise ProblemError(f"no Dask scheduler answers at {address!r}: it says that it is a {one_line(kind)[:80]}")


async def _kind(rpc: Any, security: Any, address: str) -> str:
    """What the Dask server at an address calls itself: "Scheduler", "Worker", ..."""
    server = rpc(address, connection_args=security().get_connection_args("client"))
    try:
        return str((await server.identity())["type"])
    finally:
        await server.close_rpc()


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Dask would log a traceback where we say a sentence."""
    logs = [logging.getLogger(name) for name in names]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _outcomes(client: Any, tasks: Sequence[Task], address: str, tell: Callable[[str], None]) -> Generator[Outcome, Any, None]:
    from distributed import as_completed

    sweep = uuid.uuid4().hex  # a scheduler answers a key that it knows with what it has: never let it know ours
    given = {f"overparam-{sweep}-{task.id}": task for task in tasks}
    coming = as_completed(
        client.map(run_one, list(given.values()), key=list(given), pure=False),
        loop=client.loop,
        with_results=True,
        raise_errors=False,
    )
    for future, result in _arrivals(client, coming, address, tell):
        status = future.status
        # A result that is still wanted is computed again when the worker that holds it dies, also when we have it already.
        future.release()
        if isinstance(result, Outcome):
            yield result
        elif status == "error":
            yield lost(given[future.key], _reason(result))
        else:  # cancelled: a scheduler that goes away cancels everything
            raise ProblemError(
                f"the Dask scheduler at {address!r} went away; {coming.count() + 1} runs are left, and the store has all others"
            )


def _arrivals(client: Any, coming: Any, address: str, tell: Callable[[str], None]) -> Iterator[tuple[Any, Any]]:
    """The futures as they are done. While none is, the scheduler must have workers, which are waited for WORKER_SECONDS."""
    looked, without = -_LOOK_SECONDS, None
    while not coming.is_empty():
        if coming.has_ready():
            without = None
            yield next(coming)
            continue
        now = time.monotonic()
        if now - looked >= _LOOK_SECONDS:
            looked = now
            if client.scheduler_info()["workers"]:
                without = None
            elif without is None:
                without = now
                tell(f"the scheduler at {address} has no workers; waiting {WORKER_SECONDS} s for one")
            elif now - without >= WORKER_SECONDS:
                raise ProblemError(
                    f"the Dask scheduler at {address!r} has had no workers for {WORKER_SECONDS} s; {coming.count()} runs are left: "
                    "start workers, and the same command goes on"
                )
        time.sleep(_ARRIVAL_SECONDS)


def _reason(result: Any) -> str:
    """Why Dask has no outcome; it gives (type, exception, traceback)."""
    error = result[1] if isinstance(result, tuple) and len(result) == 3 else result
    return f"Dask gave it up: {type(error).__name__}: {one_line(error)[:500]}"
