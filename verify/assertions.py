"""``assert_theorem``: a theorem against a run of somebody's own, with every margin readable; a failure is an AssertionError.

    from verify import OwnRun, assert_theorem

    run = OwnRun(weights=[[w1, w2] for w1, w2 in recorded], inputs=x, targets=t, step_size=0.5)
    assert_theorem(run, "A")

See docs/own-code.md for what is checked with every step recorded, with some, and with the weights before and after only.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np

from theorems.catalogue import THEOREMS, theorem
from theorems.records import Role, Theorem
from verify import fields
from verify.certificate import Certificate, convergence_theorems
from verify.errors import ProblemError
from verify.own_checks import certify_records, check_records, is_form_of, observe, renumbered
from verify.own_ends import ENDS, check_ends
from verify.own_run import OwnRun, from_standard_parametrization, own_setup
from verify.report import number_shown, shown_above, shown_quotient, slack_shown
from verify.setup import Setup
from verify.verdict import CheckedClaim, Verdict
from verify.verification import explain

__all__ = ["OwnRun", "TheoremReport", "assert_theorem", "check_theorem", "from_standard_parametrization"]

ASSERTED = (Role.CONVERGENCE, Role.ALONG, *ENDS)
BROKEN = {"fail": (Verdict.VIOLATED, Verdict.UNDECIDED), "allow": (Verdict.VIOLATED,)}


@dataclass(frozen=True, repr=False)
class TheoremReport:
    """What came of a theorem at a run.

    theorem: the identifier that was asked for. certificate: at the record from which it is checked (its ``step``), or why there is
    none. claims: "GD", that the run is gradient descent, then the theorem's. unchecked: (claim, why) for the others. scope: in one
    sentence which records were looked at. precision: in which the run was computed.
    """

    theorem: str
    certificate: Certificate
    claims: tuple[CheckedClaim, ...]
    unchecked: tuple[tuple[str, str], ...]
    scope: str
    precision: str

    def __repr__(self) -> str:
        """One line."""
        return f"TheoremReport({self.headline})"

    @property
    def holding(self) -> int:
        """The number of checks of the theorem's own claims that hold."""
        return sum(claim.counts[Verdict.HOLDS] for claim in self.claims if claim.theorem)

    @property
    def headline(self) -> str:
        """The outcome in one line, the worst first."""
        if not self.certificate.certified:
            return f"Theorem {self.theorem}: not certified"
        counts = {verdict: sum(claim.counts[verdict] for claim in self.claims) for verdict in Verdict}
        told = ", ".join(f"{counts[v]} {v.name}" for v in (Verdict.VIOLATED, Verdict.UNDECIDED, Verdict.HOLDS) if counts[v])
        return f"Theorem {self.theorem} from step {self.certificate.step} on: {told or 'nothing was checked'}"

    def problems(self, undecided: Literal["fail", "allow"] = "fail") -> list[str]:
        """Why the theorem is not asserted, one sentence each; empty when it is."""
        if not self.certificate.certified:
            return [f"not certified: {_reason(self.certificate)}"]
        broken = [claim for claim in self.claims if claim.verdict in BROKEN[undecided]]
        if theorem(self.theorem).role in ENDS:
            broken += [claim for claim in self.claims if claim.theorem and claim.verdict is Verdict.NOT_APPLICABLE]
        found = [f"{claim.id} {claim.verdict.name}" for claim in broken]
        if any(claim.verdict is Verdict.UNDECIDED for claim in broken):
            found.append('end the records above the floor of rounding, or say undecided="allow"')
        if not self.holding:
            found.append("nothing was checked: no claim of the theorem is decided by these records")
        return found

    def lines(self) -> list[str]:
        """The report as lines of text."""
        lines = [self.headline, f"  {self.scope}", *(f"  {line}" for line in self.certificate_lines())]
        for claim in sorted(self.claims, key=lambda item: _ORDER.index(item.verdict)):
            lines += _claim_lines(claim)
        return [*lines, *(f"  {name:<11}not checked: {why}" for name, why in self.unchecked)]

    def certificate_lines(self) -> list[str]:
        """The certificate in plain words, or why there is none."""
        certificate = self.certificate
        if not certificate.certified or certificate.theorem is None:
            return [f"not certified: {_reason(certificate)}"]
        value = certificate.constants
        return [
            f"certified at step {certificate.step} by Theorem {certificate.theorem.id}, {certificate.rigor.value}: "
            f"q <= {shown_quotient(value['q'].upper)}, path at most {shown_above(value['rbar'].upper, 4)}, "
            f"factor per step at most {shown_above(value['rate'].upper, 8)}"
        ]

    def _repr_html_(self) -> str:
        """For notebooks."""
        from verify.page.fragments import theorem_report_html

        return theorem_report_html(self)


_ORDER = (Verdict.VIOLATED, Verdict.UNDECIDED, Verdict.NOT_APPLICABLE, Verdict.HOLDS)


def check_theorem(run: OwnRun, identifier: str = "A", *, start: int | None = None) -> TheoremReport:
    """Certify the run by a theorem, and check what the theorem claims at the records.

    run: the records. identifier: a statement that certifies gradient descent ("A" for the form that fits the loss, "A+", "A0"),
    one that holds along every certified run ("E", "A0-descent", "C2", "C3") or at its limit ("B1" to "B5"). start: the step at
    whose weights to certify; None: the first record at which a certificate is found.

    Raises InputError for an unknown theorem, ProblemError for one that says nothing about a run, a step that is not recorded and
    a run that cannot be used. Never raises for what does not hold: the report says so.
    """
    wanted = _theorem(identifier)
    setup = own_setup(run)
    _fitting(setup, wanted)
    numbers = run.numbers.tolist()
    if start is not None and start not in numbers[:-1]:
        known = fields.listing(numbers[:-1])
        raise ProblemError(f"start must be a recorded step before the last, {known}, got {fields.show(start)}")
    seen = observe(setup, run)
    certified = certify_records(setup, run, wanted, None if start is None else numbers.index(start))
    certificate = certified.certificate
    late = certificate.certified and certificate.step == len(numbers) - 1
    claims: list[CheckedClaim] = []
    unchecked: list[tuple[str, str]] = []
    if certificate.certified and not late:
        check = check_ends if wanted.role in ENDS else check_records
        claims, unchecked = check(setup, run, wanted, seen, certified)
    elif late:
        unchecked = [
            (claim.id, "the certificate is that of the last record, and nothing comes after it") for claim in wanted.claims
        ]
    shown = renumbered(certificate, run)
    return TheoremReport(
        theorem=identifier,
        certificate=shown if shown.certified else _explained(setup, wanted, shown),
        claims=tuple(claims),
        unchecked=tuple(unchecked),
        scope=_scope(run, certificate),
        precision=str(run.precision),
    )


def assert_theorem(
    run: OwnRun, identifier: str = "A", *, start: int | None = None, undecided: Literal["fail", "allow"] = "fail"
) -> TheoremReport:
    """Assert that a theorem certifies the run and that no claim of it is violated by the records.

    Arguments as for ``check_theorem``. undecided: "fail", or "allow" claims that measurement cannot decide; a run that is not
    certified, or at which no check holds, fails either way, and so does a claim of B1 to B5, C2 or C3 that cannot be checked.

    Returns the report. Raises AssertionError with claim, bound, measured value, slack and step of every claim; InputError and
    ProblemError as ``check_theorem`` does.
    """
    fields.choice("undecided", undecided, tuple(BROKEN))
    report = check_theorem(run, identifier, start=start)
    problems = report.problems(undecided)
    if problems:
        raise AssertionError("\n".join([f"Theorem {identifier} is not asserted: {'; '.join(problems)}", *report.lines()]))
    return report


def _theorem(identifier: str) -> Theorem:
    found = theorem(identifier)
    if found.role not in ASSERTED:
        known = ", ".join(name for name, item in THEOREMS.items() if item.role in ASSERTED)
        raise ProblemError(
            f"theorem must be about a run of gradient descent ({known}), got {identifier!r}, which {found.role.value}"
        )
    return found


def _fitting(setup: Setup, wanted: Theorem) -> None:
    """Refuse a convergence theorem for other losses than the run's."""
    if wanted.role is not Role.CONVERGENCE or setup.loss_constants is None:
        return
    fitting = convergence_theorems(setup.loss_constants)
    if not any(is_form_of(item, wanted) for item in fitting):
        names = ", ".join(item.id for item in fitting)
        raise ProblemError(f"theorem {wanted.id!r} is not for the loss {setup.loss.name}; for it there are {names}")


def _explained(setup: Setup, wanted: Theorem, refused: Certificate) -> Certificate:
    """A refusal with what would satisfy it; where another theorem certifies, with the wanted one's own failure."""
    if refused.failure is None:
        own = [attempt.failure for attempt in refused.attempts if is_form_of(attempt.theorem, wanted)]
        return dataclasses.replace(refused, failure=next((failure for failure in own if failure is not None), None))
    return explain(setup, refused)


def _reason(certificate: Certificate) -> str:
    failure = certificate.failure
    if failure is None:
        return "no statement certifies"
    would = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in failure.remedies.items())
    return failure.detail + (f"; would satisfy it: {would}" if would else "")


def _scope(run: OwnRun, certificate: Certificate) -> str:
    """Which records were looked at."""
    numbers, place = run.numbers, certificate.step
    whole = f"{len(numbers)} recorded weights, steps {numbers[0]} to {numbers[-1]}, step size {run.step_size:.6g}, {run.precision}"
    if not certificate.certified:
        return f"{whole}; tried last at step {numbers[place]}"
    after = np.diff(numbers[place:])
    if not len(after):
        return f"{whole}; certified only at the last record, after which nothing can be checked"
    if (after == 1).all():
        return f"{whole}; every step from {numbers[place]} on is checked"
    unseen = int((after - 1).sum())
    return f"{whole}; checked at {len(after)} of the steps after {numbers[place]}, the other {unseen} are not seen"


def _claim_lines(claim: CheckedClaim) -> list[str]:
    if claim.bound is None:
        return [f"  {claim.id:<11}{claim.verdict.name}  {claim.statement}", f"             {claim.reason}"]
    bound, measured = (number_shown(value, above=not claim.lower) for value in (claim.bound, claim.measured))
    return [
        f"  {claim.id:<11}{claim.verdict.name}  {claim.statement}",
        f"             bound {bound}, measured {measured}, slack {slack_shown(claim.slack)}, at step {claim.step}; {claim.reason}",
    ]
