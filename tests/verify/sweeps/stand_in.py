"""A worker that computes nothing: it writes down what it was given, and dies where the task's folder says so.

In a file of its own, because a spawned process imports it by name.
"""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from verify.sweeps.single import Outcome, Status
from verify.sweeps.worker import GRANTED, READY


def serve(connection: Connection, allowance: int) -> None:
    """Answer like the real worker. folder: "LOG once", "LOG always" or "LOG never", which is how often the run kills its worker."""
    connection.send(READY)
    while (task := connection.recv()) is not None:
        path, _, deadly = task.folder.rpartition(" ")
        log = Path(path)
        known = log.exists() and task.id in log.read_text().split()
        with open(log, "a") as file:
            file.write(f"{task.id}\n")
        if deadly == "always" or (deadly == "once" and not known):
            os.kill(os.getpid(), signal.SIGKILL)
        connection.send(Outcome(task.id, Status.FINISHED, "a", "b", "{}", None, str(os.getpid())))


def serve_hungry(connection: Connection, allowance: int) -> None:
    """Runs that ask for memory. problem: "asks": bytes, "until": a line of the log that the run waits for, "dies": while it asks.

    The log has "+name" where a run was allowed to begin and "-name" where it ended.
    """
    connection.send(READY)
    while (task := connection.recv()) is not None:
        given, log = task.problem, Path(task.folder)
        if given["asks"] > allowance:
            connection.send(given["asks"])
            if given.get("dies"):
                os.kill(os.getpid(), signal.SIGKILL)
            assert connection.recv() == GRANTED
        _note(log, f"+{task.id}")
        time.sleep(0.05)  # time for another to begin, which it must not
        while given.get("until", "") not in log.read_text():
            time.sleep(0.01)
        _note(log, f"-{task.id}")
        connection.send(Outcome(task.id, Status.FINISHED, "a", "b", "{}", None, str(os.getpid())))


def _note(log: Path, line: str) -> None:
    with open(log, "a") as file:
        file.write(f"{line}\n")


def end_at_once(connection: Connection, allowance: int) -> None:
    """A worker that cannot start."""
    raise SystemExit(3)
