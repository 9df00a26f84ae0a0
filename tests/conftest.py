"""What every test shares: the --validate flag, the hypothesis profile, skips that count as failures."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# The same thread pool as the command line; it must be chosen before numba is imported.
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")

# Derandomized: a red run is the same red run for everybody. No deadline: machines are shared and kernels compile on first use.
settings.register_profile("overparam", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("overparam")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--validate", action="store_true", help="run the long statistical validation too")
    parser.addoption("--browser", action="store_true", help="run the tests that need Chromium too")


@pytest.fixture(scope="session")
def ledger():  # type: ignore[no-untyped-def]
    """Every step of every proof, tried once for all tests that ask."""
    from theorems.catalogue import THEOREMS
    from verify.proving.ledger import run_ledger

    return list(run_ledger(list(THEOREMS.values())))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --validate the long tests are deselected, not skipped: a skip fails. Likewise --browser."""
    unwanted = [name for name in ("validate", "browser") if not config.getoption(f"--{name}")]
    chosen, left = [], []
    for item in items:
        (left if any(item.get_closest_marker(name) for name in unwanted) else chosen).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = chosen


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """A skipped check is a failed check."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and a skipped check is a failed check: {report.longrepr}"
