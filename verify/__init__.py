"""Where mathematics and measurement meet: problems, certificates, checks, reports, the command line.

Start at ``verify.problem`` (``problem_from_mapping``, ``load_problem``), ``verify.verification`` (``verify``, ``certify_only``) and
``verify.certificate``. Hypothesis strategies for property-based tests are in ``verify.strategies``; for runs of one's own there are
``verify.OwnRun`` and ``verify.assert_theorem`` (``verify.assertions``). Nothing is imported here before it is asked for, so that
commands which only print help answer at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.assertions import OwnRun, TheoremReport, assert_theorem, check_theorem, from_standard_parametrization

__all__ = ["OwnRun", "TheoremReport", "assert_theorem", "check_theorem", "from_standard_parametrization"]


def __getattr__(name: str) -> Any:
    """The names of ``verify.assertions``, imported when first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from verify import assertions

    return getattr(assertions, name)
