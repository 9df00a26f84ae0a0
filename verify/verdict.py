"""The four verdicts, and what one checked claim reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from verify.rigor import Rigor


class Verdict(Enum):
    """The outcome of a check; the value is the sentence a reader sees. It has no truth value: an undecided check never passes."""

    HOLDS = "the measured value satisfies the bound, errors of measurement included"
    VIOLATED = "the measured value breaks the bound by more than the errors of measurement"
    UNDECIDED = "bound and measurement overlap within the stated errors"
    NOT_APPLICABLE = "the statement's hypotheses are not met, so it claims nothing here"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"a verdict has no truth value; compare it: verdict is Verdict.{self.name}")


def counted(verdicts: dict[Verdict, int] | None = None) -> dict[Verdict, int]:
    """All four counts, starting from zero."""
    return {verdict: (verdicts or {}).get(verdict, 0) for verdict in Verdict}


@dataclass(frozen=True)
class CheckedClaim:
    """One claim over all its checks.

    bound, measured: at the check with the least room among those of the claim's verdict, each at the end of its interval that
    decides (the least possible bound, the largest possible measured value; reversed for a lower bound), with ``error`` the
    uncertainty of their comparison there. slack: bound/measured there (measured/bound for a lower bound); at least 1 exactly where
    the claim holds. step: the run's step of that check. counts: checks by verdict. verdict: the worst of them. lower: whether the
    bound is one from below. rigor: of the comparison; measured numbers of a run have error bounds, but are not enclosed. vacuous:
    whether the bound says no more than what is known without it; it may hold nevertheless. unresolved: nothing was compared,
    because the error of measurement exceeds what the claim says. halves: half the widths of the intervals of what is measured and
    of the bound there; None where nothing was compared.
    """

    id: str
    statement: str
    theorem: str
    bound: float | None
    measured: float | None
    error: float | None
    slack: float | None
    step: int | None
    counts: dict[Verdict, int]
    verdict: Verdict
    reason: str
    lower: bool = False
    rigor: Rigor = Rigor.FLOATING_POINT
    vacuous: bool = False
    unresolved: bool = False
    halves: tuple[float, float] | None = None

    @property
    def outcome(self) -> str:
        """The verdict as tables show it."""
        return f"{self.verdict.name}, vacuous" if self.vacuous else self.verdict.name

    def _repr_html_(self) -> str:
        """For notebooks."""
        from verify.page.fragments import claim_html

        return claim_html(self)
