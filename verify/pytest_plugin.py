"""The pytest fixture ``assert_theorem``, loaded by pytest itself where overparam is installed (entry point ``pytest11``).

    def test_my_training_loop(assert_theorem):
        assert_theorem(OwnRun(weights=..., inputs=..., targets=..., step_size=...), "A")

pytest loads plugins in every session, so nothing heavy is imported before the fixture is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verify.assertions import TheoremReport


@pytest.fixture(name="assert_theorem")
def assert_theorem_fixture(request: pytest.FixtureRequest) -> Callable[..., TheoremReport]:
    """``verify.assert_theorem``; a failure ends at the line of the test, and shows every report made before it."""

    def assert_theorem(run: Any, identifier: str = "A", **options: Any) -> TheoremReport:
        __tracebackhide__ = True
        import verify

        failure, report = "", None
        try:
            report = verify.assert_theorem(run, identifier, **options)
        except AssertionError as error:
            failure = str(error)
        if report is None:  # outside of the handler, or pytest tells it twice
            pytest.fail(failure, pytrace=False)
        request.node.add_report_section("call", "overparam", "\n".join(report.lines()))
        return report

    return assert_theorem
