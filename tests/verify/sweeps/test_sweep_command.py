"""The command as its users meet it, with real workers: killed, interrupted, watched, and with any number of workers the same."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from verify.command_group import SuggestingGroup
from verify.sweep_command import sweep
from verify.sweeps import runner
from verify.sweeps.plan import load_sweep
from verify.sweeps.single import Outcome, Task, run_one
from verify.sweeps.store import lead, read

GROUP = SuggestingGroup(commands={"sweep": sweep})
# Certified at the start, where a run is shortest.
TINY = """
[data]
source = "gaussian"
dimension = 3
points = 2
[network]
hidden = [4]
output_scale = 1000.0
[training]
steps = 20
[grid]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(TINY + '"network.seed" = [0, 1, 2, 3, 4, 5, 6, 7]\n')
    return path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs are made in this process, and noted."""
    noted: list[str] = []

    def dispatch(tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in tasks:
            noted.append(task.id)
            yield run_one(task)

    monkeypatch.setattr(runner, "processes", lambda workers: dispatch)
    return noted


def run(*arguments: object) -> Result:
    return CliRunner().invoke(GROUP, ["sweep", *map(str, arguments)])


def started(*arguments: object, stderr: Any = subprocess.PIPE, before: str = "") -> subprocess.Popen[str]:
    """The command in a process, and a process group, of its own. before: what that process does first."""
    program = (
        "from verify.command_group import SuggestingGroup as G\nfrom verify.sweep_command import sweep\nG(commands={'s': sweep})()"
    )
    command = [sys.executable, "-W", "error", "-c", before + program, "s", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True)


def finished(path: Path) -> dict[str, tuple[Any, ...]]:
    """The finished runs by name, read as anybody could."""
    if not path.exists():
        return {}
    connection = sqlite3.connect(path, timeout=60)
    try:
        return {row[0]: row for row in connection.execute("SELECT * FROM runs WHERE status = 'finished'")}
    except sqlite3.OperationalError:  # the table is not there yet
        return {}
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


KILLED_AT_THE_FOURTH = """
import os, signal
from verify.sweeps.store import Store
recorded = []
def record(store, outcome, real=Store.record):
    recorded.append(outcome)
    if len(recorded) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    real(store, outcome)
Store.record = record
"""


def test_killed_in_the_middle_nothing_is_lost_and_nothing_run_twice(file: Path, here: list[str]) -> None:
    store = file.with_suffix(".db")
    process = started(file, "--workers", 1, before=KILLED_AT_THE_FOURTH)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    before = finished(store)
    assert len(before) == 3
    result = run(file, "--json")
    after = finished(store)
    assert result.exit_code in (0, 3)
    assert len(after) == 8
    assert {name: after[name] for name in before} == before  # to the bit, times and worker included
    assert sorted(here) == sorted(set(after) - set(before))
    assert json.loads(result.stdout)["counts"]["finished"] == 8
    assert run(file, "--json").stdout == result.stdout
    assert len(here) == 8 - len(before)


def test_failing_runs_do_not_stop_the_others(here: list[str], tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(TINY + '"data.points" = [1000000000000, 2]\n')
    result = run(file)
    assert result.exit_code == 3
    assert "failed: data.points = 1000000000000: " in result.stdout
    assert "2 runs: 0 planned, 1 finished, 1 failed, 0 lost" in result.stdout
    assert len(here) == 2
    run(file)
    assert len(here) == 2  # a failure is a result too
    run(file, "--retry-failed")
    assert len(here) == 3
    assert here[2] == load_sweep(file).runs[0].id


def test_what_the_store_holds_is_shown_without_running(file: Path, here: list[str], tmp_path: Path) -> None:
    assert run(file, "--no-run").exit_code == 2
    lead(file.with_suffix(".db"), load_sweep(file), False).close()
    result = run(file, "--no-run", "--export", tmp_path / "t.csv", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["counts"] == {"planned": 8, "finished": 0, "failed": 0, "lost": 0}
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 9
    assert not here


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--no-run", "--resume"], "--no-run runs nothing, so --resume says nothing"),
        (["--scheduler", "tcp://h:1", "--workers", "2"], "give one of them"),
        (["--scheduler", "h"], "--scheduler must be an address such as tcp://host:8786, got 'h'"),
        (["--export", "t.xls"], "must have a name that ends in .csv, .json, .parquet"),
        (["--workers", "0"], "--workers must be a positive integer, got 0"),
        (["--resume"], "there is nothing to resume"),
        (["--store", "."], "is a directory"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(arguments: list[str], words: str, file: Path) -> None:
    result = run(file, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout
    assert list(file.parent.iterdir()) == [file]


def test_dask_and_pyarrow_are_asked_for_only_when_needed(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("distributed.comm.addressing", "distributed.comm", "distributed", "pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    assert 'pip install "overparam[cluster]"' in run(file, "--scheduler", "tcp://h:1").stderr
    assert 'pip install "overparam[parquet]"' in run(file, "--export", tmp_path / "t.parquet").stderr
    assert list(tmp_path.iterdir()) == [file]


def read_all(terminal: int, shown: list[bytes]) -> None:
    """Everything that is written to a terminal, which holds only a little until it is read."""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(terminal, 65536):
            shown.append(chunk)


def living(group: int) -> list[psutil.Process]:
    """The processes of a group that run still."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.mark.validate
def test_ctrl_c_on_a_terminal(tmp_path: Path) -> None:
    """The bar is shown, the whole process group is interrupted, the workers are gone, and the store goes on."""
    file, store = tmp_path / "s.toml", tmp_path / "s.db"
    file.write_text(TINY + f'"network.seed" = {list(range(60))}\n')
    ours, theirs = pty.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(ours, shown))
    reader.start()
    process = started(file, "--workers", 2, stderr=theirs)
    os.close(theirs)
    wait_until(lambda: len(finished(store)) >= 2, process)
    os.killpg(process.pid, signal.SIGINT)
    stdout, _ = process.communicate()
    reader.join()
    os.close(ours)
    assert process.returncode == 130
    assert stdout == ""
    text = b"".join(shown).decode()
    assert "/60" in text
    assert "left" in text
    assert "Traceback" not in text
    before = finished(store)
    assert f"interrupted; {len(before)} of 60 runs are finished" in text
    while living(process.pid):  # for ever, if a worker outlived the command
        time.sleep(0.05)
    process = started(file, "--workers", 2)
    stdout, stderr = process.communicate()
    assert process.returncode in (0, 3)
    assert "60 finished" in stdout
    assert stderr == ""  # silent in a pipe
    assert {name: finished(store)[name] for name in before} == before


@pytest.mark.validate
def test_results_do_not_depend_on_the_number_of_workers(file: Path, here: list[str], tmp_path: Path) -> None:
    stores = [tmp_path / f"{workers}.db" for workers in (1, 2, 3)]
    for workers, store in enumerate(stores, 1):
        process = started(file, "--workers", workers, "--store", store)
        _, stderr = process.communicate()
        assert process.returncode in (0, 3), stderr
    run(file, "--store", tmp_path / "here.db")
    plan, found = load_sweep(file), []
    for store in [*stores, tmp_path / "here.db"]:
        with read(store, plan) as opened:
            found.append([{**(stored.result or {}), "timing": 0} for stored in opened.runs()])
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == 8
