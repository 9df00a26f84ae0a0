"""Who measures: the order of results, errors, workers that die, and that no number depends on how many there are."""

from __future__ import annotations

import math
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import numba
import pytest

from verify.errors import ProblemError
from verify.evidence import lazy, regimes
from verify.evidence.team import Team, team_of


def squared(number: int) -> tuple[int, int]:
    if number < 0:
        raise ProblemError(f"negative: {number}")
    return number**2, numba.get_num_threads()


@pytest.mark.parametrize("workers", [0, 1])
def test_results_come_in_the_items_order_and_each_is_measured_on_one_thread(workers) -> None:
    stages: list[str] = []
    with ThreadPoolExecutor(1) as executor:
        team = Team(stages.append, executor if workers else None).about("name")
        assert team.each(squared, [3, 1, 2], str, lambda item: item) == [(9, 1), (1, 1), (4, 1)]
        assert team.each(squared, [], str) == []
        with pytest.raises(ProblemError, match="negative: -1"):
            team.each(squared, [1, -1], str)
    assert stages[0] == ("name: 1 of 3, done: 3" if workers else "name: 1 of 3, 3")


def test_one_worker_is_this_process() -> None:
    with team_of(1) as team:
        assert team.executor is None


@pytest.mark.validate
def test_no_number_depends_on_the_workers() -> None:
    grid = regimes.Grid(((2, 1.0), (2, 64.0)), (32, 48), 2, 1e-2, 500)
    with team_of(2) as team:
        together = lazy.measure(grid, 2, team)
    assert together == lazy.measure(grid, 2, Team())


@pytest.mark.validate
def test_a_worker_that_dies_and_a_measurement_that_fails_end_everything() -> None:
    before = set(multiprocessing.active_children())
    with pytest.raises(ProblemError, match="a worker process has died"), team_of(2) as team:
        team.each(os._exit, [3, 3], str)
    with pytest.raises(ValueError, match="math domain"), team_of(2) as team:
        team.each(math.sqrt, [1.0, -2.0, 3.0], str)
    assert set(multiprocessing.active_children()) == before
