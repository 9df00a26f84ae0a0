"""A real Dask scheduler and two workers on loopback, one of them killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from verify.errors import ProblemError
from verify.sweeps import cluster as cluster_module
from verify.sweeps.cluster import cluster
from verify.sweeps.plan import plan_from_mapping
from verify.sweeps.runner import processes, run_sweep
from verify.sweeps.single import Outcome, tasks_of
from verify.sweeps.store import lead

PLAN = plan_from_mapping(
    {
        "data": {"source": "gaussian", "dimension": 3, "points": 2},
        "training": {"steps": 20},
        "network": {"output_scale": 1000.0},  # certified at the start: quicker than a certificate refused
        "grid": {"network.hidden": [[4], [5], [6]], "network.seed": list(range(12))},
    }
)
TASKS = tasks_of(PLAN, {PLAN.runs[0].id})
# Every run that a worker begins is written down: one line "process name".
PRELOAD = """
import os
import verify.verification
from verify.sweeps import single
def noted(task, verified=single._verified):
    with open({log!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{task.id}}\\n")
    return verified(task)
if single._verified.__name__ != "noted":  # Dask imports this more than once
    single._verified = noted
"""


Begin = Callable[..., subprocess.Popen[bytes]]


@dataclass(frozen=True)
class Cluster:
    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]
    log: Path

    def begun(self) -> list[tuple[int, str]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(int(line.split()[0]), line.split()[1]) for line in lines]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start Dask's programs; they end with the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", "--no-dashboard", *map(str, arguments)]
        with open(tmp_path / f"{name}{len(begun)}.txt", "wb") as output:
            begun.append(subprocess.Popen(command, stdout=output, stderr=output, cwd=tmp_path))
        return begun[-1]

    try:
        yield start
    finally:
        for process in begun:
            process.kill()
            process.wait()


@pytest.fixture
def alone(begin: Begin, tmp_path: Path) -> Cluster:
    """A scheduler without workers."""
    file = tmp_path / "scheduler.json"
    scheduler = begin("scheduler", "--host", "127.0.0.1", "--port", 0, "--scheduler-file", file)
    while not (file.exists() and file.read_text().strip()):
        assert scheduler.poll() is None, (tmp_path / "scheduler0.txt").read_text()
        time.sleep(0.05)
    return Cluster(json.loads(file.read_text())["address"], scheduler, [], tmp_path / "log")


@pytest.fixture
def two(alone: Cluster, begin: Begin, tmp_path: Path) -> Cluster:
    from distributed import Client

    preload = tmp_path / "preload.py"
    preload.write_text(PRELOAD.format(log=str(alone.log)))
    common = (alone.address, "--host", "127.0.0.1", "--no-nanny", "--nthreads", 1, "--preload", preload)
    alone.workers.extend(begin("worker", *common, "--local-directory", tmp_path / f"w{place}") for place in range(2))
    with Client(alone.address, set_as_default=False) as client:
        client.wait_for_workers(2)
    return alone


@pytest.mark.validate
def test_a_worker_killed_in_the_middle(two: Cluster, tmp_path: Path) -> None:
    victim, recorded, killed = two.workers[0], list[Outcome](), list[int]()

    def watch(done: int, total: int, outcome: Outcome | None) -> None:
        if outcome is None or killed:
            return
        # Once the store has a run of the victim's, and not the newest, of which the scheduler may not know yet that we have it.
        if any(name.endswith(f":{victim.pid}") for name in (one.worker or "" for one in recorded)):
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            killed.append(len(recorded))
        else:
            recorded.append(outcome)

    with lead(tmp_path / "s.db", PLAN, False) as store:
        run_sweep(PLAN, store, cluster(two.address), watch)
        there = {run.id: run for run in store.runs()}
        assert killed, "both workers were at work before the sweep was over"
        assert all(run.result is not None for run in there.values())
        times = Counter(name for _, name in two.begun())
        assert set(times) == set(there)
        # Run twice is at most what the victim had begun or done and the store did not have yet.
        assert {name for name, number in times.items() if number > 1} <= {name for pid, name in two.begun() if pid == victim.pid}
        assert all(times[outcome.id] == 1 for outcome in recorded)
        assert max(times.values()) <= 2
        begun = len(two.begun())
        run_sweep(PLAN, store, cluster(two.address))  # there is nothing left to do
        assert len(two.begun()) == begun
    with lead(tmp_path / "local.db", PLAN, False) as store:
        run_sweep(PLAN, store, processes(1))
        for run in store.runs():
            assert {**(run.result or {}), "timing": 0} == {**(there[run.id].result or {}), "timing": 0}


@pytest.mark.validate
def test_a_scheduler_that_goes_away(two: Cluster, tmp_path: Path) -> None:
    def watch(done: int, total: int, outcome: Outcome | None) -> None:
        if done == 3:
            two.scheduler.kill()
            two.scheduler.wait()

    with lead(tmp_path / "s.db", PLAN, False) as store:
        with pytest.raises(ProblemError, match=r"went away; .* runs are left, and the store has all others"):
            run_sweep(PLAN, store, cluster(two.address), watch)
        left = store.unfinished()
        assert 0 < len(left) < len(PLAN.runs)
        run_sweep(PLAN, store, processes(2))
        assert not store.unfinished()


@pytest.mark.validate
def test_nobody_at_the_address(tmp_path: Path) -> None:
    with (
        lead(tmp_path / "s.db", PLAN, False) as store,
        pytest.raises(ProblemError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"),
    ):
        run_sweep(PLAN, store, cluster("tcp://127.0.0.1:9"))


@pytest.mark.validate
def test_a_scheduler_without_workers_is_waited_for_as_long_as_stated(
    alone: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cluster_module, "WORKER_SECONDS", 2)
    told: list[str] = []
    with lead(tmp_path / "s.db", PLAN, False) as store:
        with pytest.raises(ProblemError, match=r"has had no workers for 2 s; 36 runs are left: start workers, and the same"):
            run_sweep(PLAN, store, cluster(alone.address, told.append))
        assert len(store.unfinished()) == 36
    assert told == [f"the scheduler at {alone.address} has no workers; waiting 2 s for one"]


@pytest.mark.validate
def test_workers_that_all_go_away(two: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster_module, "WORKER_SECONDS", 2)

    def watch(done: int, total: int, outcome: Outcome | None) -> None:
        if done == 3:
            for worker in two.workers:
                worker.kill()
                worker.wait()

    with lead(tmp_path / "s.db", PLAN, False) as store:
        with pytest.raises(ProblemError, match=r"has had no workers for 2 s; \d+ runs are left"):
            run_sweep(PLAN, store, cluster(two.address), watch)
        assert 0 < len(store.unfinished()) < 36


@pytest.mark.validate
def test_a_worker_is_no_scheduler(two: Cluster) -> None:
    from distributed import Client

    with Client(two.address, set_as_default=False) as client:
        worker = next(iter(client.scheduler_info()["workers"]))
    with pytest.raises(ProblemError, match=r"no Dask scheduler answers at .*: it says that it is a Worker"):
        list(cluster(worker)(TASKS))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "nothing that Dask understands came in 0.5 s"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "no Dask scheduler answers at"),
        (b"\x01" + 200 * b"\x00", "no Dask scheduler answers at"),
    ],
    ids=["silent", "http", "nonsense"],
)
def test_whoever_answers_at_the_address_is_no_scheduler(answer: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECTION_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            taken.append(server.accept()[0])
            taken[0].sendall(answer)

        answering = threading.Thread(target=take)
        answering.start()
        with pytest.raises(ProblemError, match=words) as caught:
            list(cluster(f"tcp://127.0.0.1:{server.getsockname()[1]}")(TASKS))
        answering.join()
        taken[0].close()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "host", "host:8786", "tcp://host", "ftp://host:1", "inproc://x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ProblemError, match="--scheduler must be an address such as tcp://host:8786"):
        cluster(address)
