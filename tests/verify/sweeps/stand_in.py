"""A worker that computes nothing: it writes down what it was given, and dies where the task's folder says so.

In a file of its own, because a spawned process imports it by name.
"""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from verify.sweeps.single import Outcome, Status
from verify.sweeps.worker import READY


def serve(connection: Connection) -> None:
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


def end_at_once(connection: Connection) -> None:
    """A worker that cannot start."""
    raise SystemExit(3)
