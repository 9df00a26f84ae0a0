"""B1 to B5, C2 and C3 against recorded weights: where the run ends, and how far it is from its start and its linearization.

B speaks of the limit of the run. It is that of gradient descent from the last record, which has a certificate of its own: that one
bounds what is left of the path, whatever happened before. Between the certified record and the last one the claims see the two end
points, and what is known of the steps between enters as their errors. C2 and the bound of C3 speak of single records; the sum of C3
needs every step.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from theorems.records import Role, Theorem
from theorems.statements.lazy import linear_sum
from verify.certificate_record import Certificate
from verify.certified_constants import raised
from verify.implicit import claims_at_end
from verify.lazy import lazy_training
from verify.limits import nearest_from, run_end
from verify.measured import MeasuredSteps
from verify.own_checks import (
    Certified,
    Observed,
    certify_record,
    claim_renumbered,
    descent_claim,
    own_steps,
    snapshot_of,
)
from verify.own_run import OwnRun
from verify.run import lazy_mark
from verify.setup import Setup
from verify.verdict import CheckedClaim

ENDS = (Role.LIMIT, Role.LAZY)
FURTHER_STEPS = 4096  # of gradient descent after the last record, at most, or as many as the run made
LONGEST = 2**22  # steps, written out, of a run that is compared with the linearized one
EVERY_STEP = linear_sum  # a sum to which every step contributes

Array = NDArray[np.float64]
Unchecked = list[tuple[str, str]]


def check_ends(
    setup: Setup, run: OwnRun, theorem: Theorem, seen: Observed, certified: Certified
) -> tuple[list[CheckedClaim], Unchecked]:
    """Every claim of one of B1 to B5, C2, C3 from the certified record on, and (claim, why) for what cannot be checked."""
    steps, rounding = own_steps(setup, run, seen, certified)
    descent = descent_claim(setup, run, seen, certified.certificate.step, rounding)
    if theorem.role is Role.LIMIT:
        claims, unchecked = _limit(setup, run, theorem, certified.certificate, steps)
    else:
        claims, unchecked = _lazy(setup, run, theorem, certified, steps)
    return [descent, *claims], unchecked


def _limit(
    setup: Setup, run: OwnRun, theorem: Theorem, certificate: Certificate, steps: MeasuredSteps
) -> tuple[list[CheckedClaim], Unchecked]:
    first, last = certificate.step, len(run.weights) - 1
    at_end = certify_record(setup, run, last, snapshot_of(setup, run, last))
    if not at_end.certified:
        reason = f"the last record is not certified, so where gradient descent goes from there is not known: {_detail(at_end)}"
        return [], [(claim.id, reason) for claim in theorem.claims]
    assert certificate.theorem is not None
    made = int(run.numbers[last] - run.numbers[first])
    end = run_end(setup, at_end, run.theta(last), max(made, FURTHER_STEPS))
    errors = end.rounding + float(np.sum(steps.step_error[:-1]))
    # The certified record's constants, with what errors of all steps can have added to s_0 (Theorem A1).
    end = dataclasses.replace(end, rounding=errors, constants=raised(certificate, errors))
    reference = run.theta(first)
    nearest = nearest_from(setup, end, reference)
    _, found = claims_at_end(setup, [theorem], end, nearest, reference, last, certificate.is_linear)
    told = f"{end.steps} further steps of gradient descent in float64 from the last record, their limit known to {end.error:.2g}"
    return [claim_renumbered(dataclasses.replace(claim, reason=f"{claim.reason}; {told}"), run) for claim in found], []


def _lazy(
    setup: Setup, run: OwnRun, theorem: Theorem, certified: Certified, steps: MeasuredSteps
) -> tuple[list[CheckedClaim], Unchecked]:
    certificate, numbers = certified.certificate, run.numbers
    first, reference = certificate.step, run.theta(certificate.step)
    made = int(numbers[-1] - numbers[first])
    summed = [claim for claim in theorem.claims if EVERY_STEP in claim.measured.free_symbols | claim.bound.free_symbols]
    unchecked: Unchecked = []
    marks = places = [mark.step for mark in certified.marks if mark.step > first]
    if made != len(numbers) - 1 - first:
        theorem = dataclasses.replace(theorem, claims=tuple(claim for claim in theorem.claims if claim not in summed))
        unchecked = [(claim.id, "every step contributes to its sum, and not every step is recorded") for claim in summed]
    if unchecked:  # then it is a comparison with the linearized run, which counts steps
        if made > LONGEST:
            reason = f"{made} steps lie between the records, and the linearized run is compared over {LONGEST} at most"
            return [], [*((claim.id, reason) for claim in theorem.claims), *unchecked]
        after = numbers - numbers[first]
        steps, marks = _spread(steps, after[first:]), [first + int(after[place]) for place in places]
    looks = [lazy_mark(setup, run.theta(place), reference, snapshot_of(setup, run, place)) for place in places]
    found = lazy_training(setup, certificate, reference, steps, marks, [theorem], looks).claims
    number = dict(zip(marks, numbers[places].tolist(), strict=True))
    return [one if one.step is None else dataclasses.replace(one, step=number[one.step]) for one in found], unchecked


def _spread(steps: MeasuredSteps, after: NDArray[np.int64]) -> MeasuredSteps:
    """The records as steps of the whole run, ``after`` the certified one: NaN where none is recorded, and of the lengths, because
    chords are no steps; the errors of a stretch in its first step."""

    def spread(values: Array, unseen: float) -> Array:
        out = np.full(after[-1] + 1, unseen)
        out[after] = values
        return out

    unseen = np.full(after[-1] + 1, np.nan)
    return dataclasses.replace(
        steps,
        residual=spread(steps.residual, np.nan),
        residual_error=spread(steps.residual_error, np.nan),
        gradient_norm=spread(steps.gradient_norm, np.nan),
        gradient_error=spread(steps.gradient_error, np.nan),
        length=unseen,
        length_error=unseen,
        step_error=spread(steps.step_error, 0.0),
    )


def _detail(certificate: Certificate) -> str:
    return "no statement certifies" if certificate.failure is None else certificate.failure.detail
