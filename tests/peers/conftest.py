"""Cross-examination by other programs: collected where they are installed, and said aloud where they are not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest

PEPIT = importlib.util.find_spec("PEPit") is not None
ROOM = pytest.StashKey[list[str]]()

# Not collected, rather than skipped: a skipped check is a failed check.
collect_ignore_glob = [] if PEPIT else ["test_*.py"]


def pytest_report_collectionfinish() -> list[str]:
    """One line under "collected N items": pytest prints its header before it knows this folder."""
    return [] if PEPIT else ["peers: PEPit not installed, tests/peers not collected"]


@pytest.fixture
def room(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Call with a line for the end of the report: how much room a bound had."""
    return request.config.stash.setdefault(ROOM, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the room that bounds had against the adversary."""
    if lines := config.stash.get(ROOM, []):
        terminalreporter.section("room left by the adversary")
        for line in lines:
            terminalreporter.write_line(line)
