"""Checks of the claims of a certified run: each claim's two sides over intervals, at every recorded step or mark.

The theorems speak of exact gradient descent from theta_N; the run is a float64 run whose measured numbers carry errors. Both enter
as intervals, and only in the direction that cannot turn a failure into a success: a check HOLDS when the largest possible
measured value is below the least possible bound, and is VIOLATED when the least possible measured value, lowered further by what
rounding of the steps can have done to the run, exceeds the largest possible bound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import INTERVAL, Interval, as_interval, certainly_at_most, certainly_exceeds
from theorems.records import Claim, Scope, Theorem, evaluate_expression, is_met
from theorems.statements.notation import remaining
from verify.certificate_record import Certificate
from verify.certified_constants import intervals, perturbation
from verify.measured import MeasuredMarks, MeasuredSteps, around
from verify.verdict import CheckedClaim, Verdict, counted

Array = NDArray[np.float64]
LONGEST_STRIDE = 4096  # of steps that an iterated bound spans
DECISIVE = 8  # times the errors: the guaranteed decrease over the steps of one check
RESOLVED = 8  # times the error of what is measured: what is compared with it
SEEN_SHARE = 0.1  # of a bound on the remaining path: what may come from beyond the end of the run
STEP_SYMBOLS = frozenset(("s", "s_next", "r_next", "g", "gap", "gap_next", "summed", "s0", "remaining"))  # of step_symbols
LINEAR = "the network is linear in its trained parameters: both sides are 0"


def check_certificate(certificate: Certificate, steps: MeasuredSteps) -> list[CheckedClaim]:
    """Check every claim of the certificate's theorem against the run."""
    theorem = certificate.theorem
    assert theorem is not None
    return _checked(theorem, intervals(certificate), steps, None)


def check_along(theorem: Theorem, certificate: Certificate, steps: MeasuredSteps, marks: MeasuredMarks) -> list[CheckedClaim]:
    """Check the claims of a statement that holds along any certified run, from the certificate's constants."""
    given = intervals(certificate)
    wanted = {str(quantity.symbol) for quantity in theorem.quantities}
    own = theorem.evaluate_constants({name: value for name, value in given.items() if name in wanted}, INTERVAL)
    declined = not_covered(theorem, own)
    if declined:
        return declined
    return _checked(theorem, {**given, **own}, steps, marks, certificate.is_linear)


def _checked(
    theorem: Theorem, constants: Mapping[str, Interval], steps: MeasuredSteps, marks: MeasuredMarks | None, linear: bool = False
) -> list[CheckedClaim]:
    at_steps = np.arange(steps.first, steps.first + len(steps.residual) - 1)
    symbols = {Scope.STEP: (at_steps, step_symbols(theorem, constants, steps))}
    if marks is not None:
        measured = {name: around(values, marks.errors[name], marks.errors[name]) for name, values in marks.values.items()}
        symbols[Scope.MARK] = (marks.steps, measured)
    found = []
    for claim in theorem.claims:
        when, values = symbols[claim.scope]
        known = {**constants, **values}
        if claim.nonlinear and linear:
            found.append(claims_nothing(claim, theorem.id, LINEAR))
        elif claim.iterates:
            found.append(check_iterated(claim, theorem.id, known, when))
        else:
            seen = seen_steps(theorem, constants, steps) if claim.measured == remaining else None
            found.append(check(claim, theorem.id, known, when, seen))
    return found


def claims_nothing(claim: Claim, theorem: str, reason: str) -> CheckedClaim:
    """A claim that is not checked, and counted as such."""
    counts = counted({Verdict.NOT_APPLICABLE: 1})
    return CheckedClaim(claim.id, claim.statement, theorem, None, None, None, None, None, counts, Verdict.NOT_APPLICABLE, reason)


def not_applicable(theorem: Theorem, reason: str) -> list[CheckedClaim]:
    """The theorem's claims where its hypotheses are not met."""
    return [claims_nothing(claim, theorem.id, reason) for claim in theorem.claims]


def not_covered(theorem: Theorem, known: Mapping[str, Interval]) -> list[CheckedClaim]:
    """The theorem's claims where one of its hypotheses is not surely met by these numbers; nothing where all are."""
    margins = theorem.margins(known, INTERVAL)
    for hypothesis in theorem.hypotheses:
        if not np.all(is_met(as_interval(margins[hypothesis.id]).lower, hypothesis.strict)):
            return not_applicable(theorem, f"hypothesis not met: {hypothesis.statement}")
    return []


def step_symbols(theorem: Theorem, constants: Mapping[str, Interval], steps: MeasuredSteps) -> dict[str, Interval]:
    """The quantities of a run that step claims speak of, for k = N, ..., end - 1, as intervals.

    Rounding of the steps: a run with |theta_{k+1} - (theta_k - eta grad J)| <= eps satisfies the claims with s_{k+1} enlarged by
    c eps and the start's residual by k c eps, c = ``perturbation`` (Theorem A1). So s_{k+1} may be
    larger than exact gradient descent allows, by that much, without contradicting anything: its lower end is lowered, and the
    upper end of s_0 raised, which widens UNDECIDED and never HOLDS.
    """
    s, s_error = steps.residual, steps.residual_error
    count = len(s) - 1
    length, length_error = steps.length[:-1], steps.length_error[:-1]
    charge = perturbation(constants) * steps.step_error[:-1]
    charged = np.cumsum(charge)
    path, path_error = _path(length, length_error)
    summed = np.cumsum(steps.eta * steps.mu * s[:-1])
    summed_error = np.cumsum(steps.eta * steps.mu * s_error[:-1]) + summation_error(summed)
    later = around(s[1:], s_error[1:] + charge, s_error[1:])
    now = around(s[:-1], s_error[:-1], s_error[:-1])
    start = constants["s0"]
    half_mu = INTERVAL.multiply(constants["mu"], 0.5)
    symbols = {
        "s": now,
        "s_next": later,
        "r_next": around(path[1:], path_error[1:], path_error[1:]),
        "g": around(steps.gradient_norm[:-1], steps.gradient_error[:-1], steps.gradient_error[:-1]),
        "gap": INTERVAL.multiply(half_mu, INTERVAL.power(now, 2)),
        "gap_next": INTERVAL.multiply(half_mu, INTERVAL.power(later, 2)),
        "summed": around(summed, summed_error, summed_error),
        "s0": Interval(np.broadcast_to(start.lower, count), np.nextafter(start.upper + charged, np.inf)),
    }
    symbols |= _remaining(theorem, constants, steps, length, length_error)
    assert set(symbols) <= STEP_SYMBOLS
    return symbols


def _path(length: Array, length_error: Array) -> tuple[Array, Array]:
    """r_N = 0, ..., r_end and the errors: those of the lengths, and of summing them."""
    path = np.concatenate([[0.0], np.cumsum(length)])
    return path, np.concatenate([[0.0], np.cumsum(length_error)]) + summation_error(path)


def summation_error(partial_sums: Array) -> Array:
    """Recursive summation of k nonnegative terms errs by at most k u times the sum (to first order; the 2 covers the rest)."""
    return 2 * np.finfo(np.float64).eps * np.arange(1, len(partial_sums) + 1) * np.abs(partial_sums)


def remaining_bound(theorem: Theorem, constants: Mapping[str, Interval], steps: MeasuredSteps) -> Interval | None:
    """T(s_k) for k = N, ..., end, the theorem's bound of the remaining path; None for a theorem that has none."""
    claim = theorem.claim_about(remaining)
    if claim is None:
        return None
    everywhere = around(steps.residual, steps.residual_error, steps.residual_error)
    return as_interval(evaluate_expression(claim.bound, {**constants, "s": everywhere}, INTERVAL))


def seen_steps(theorem: Theorem, constants: Mapping[str, Interval], steps: MeasuredSteps) -> NDArray[np.bool_]:
    """At which k the run has seen nearly all of the remaining path: T(s_end) <= SEEN_SHARE T(s_k).

    At the others, the last of the run, most of the number that is compared would be the theorem's own, and nothing would be
    checked; so they are not counted as checks, unless what the run went exceeds the bound by itself or is not a number.
    """
    allowed = remaining_bound(theorem, constants, steps)
    assert allowed is not None
    gone, error = _gone(steps.length[:-1], steps.length_error[:-1])
    near = allowed.upper[-1] <= SEEN_SHARE * allowed.lower[:-1]
    unknown = np.isnan(allowed.upper[-1]) | np.isnan(allowed.lower[:-1]) | np.isnan(gone)
    return np.asarray(near | unknown | (gone - error > allowed.upper[:-1]))


def _gone(length: Array, length_error: Array) -> tuple[Array, Array]:
    """The path from k to the end of the run, for every k, and its error."""
    gone = np.cumsum(length[::-1])[::-1]
    return gone, np.cumsum(length_error[::-1])[::-1] + summation_error(gone[::-1])[::-1]


def _remaining(
    theorem: Theorem, constants: Mapping[str, Interval], steps: MeasuredSteps, length: Array, length_error: Array
) -> dict[str, Interval]:
    """The remaining path from k: what the run still went, plus at most what the claim itself allows after its end.

    The claim's bound T obeys d_k + T(s_{k+1}) <= T(s_k), so that the sum to the end of the run plus T(s_end) is at most T(s_k) if
    the theorem holds; it bounds the path of the infinite run from above.
    """
    allowed = remaining_bound(theorem, constants, steps)
    if allowed is None:
        return {}
    gone, error = _gone(length, length_error)
    return {"remaining": Interval(np.nextafter(gone - error, -np.inf), np.nextafter(gone + error + allowed.upper[-1], np.inf))}


def check(
    claim: Claim,
    theorem: str,
    symbols: Mapping[str, Any],
    steps: NDArray[np.int64],
    seen: NDArray[np.bool_] | None = None,
    unseen: str = "the run ends too early",
) -> CheckedClaim:
    """Compare the claim's sides at every step (or mark), or at those ``seen``, and summarize. unseen: why none is."""
    shape = (len(steps),)
    sides = [evaluate_expression(side, symbols, INTERVAL) for side in (claim.measured, claim.bound)]
    measured, bound = (broadcast(side, shape) for side in sides)
    keep = np.ones(shape, dtype=np.bool_) if seen is None else seen.copy()
    if not keep.any():
        reason = "nothing to check: " + (unseen if seen is not None and len(steps) else "no step after the certification")
        return claims_nothing(claim, theorem, reason)
    found = summarize(claim, theorem, measured[keep], bound[keep], steps[keep])
    left = len(keep) - int(keep.sum())
    return (
        found
        if not left
        else dataclasses.replace(found, reason=f"{found.reason}; {left} further not counted as checks (see docs/notation.md)")
    )


def check_resolved(
    claim: Claim, theorem: str, symbols: Mapping[str, Any], steps: NDArray[np.int64], share: float = 1.0
) -> CheckedClaim:
    """Compare the claim's sides where the measurement resolves them: its error is at most 1/RESOLVED of ``share`` of the bound.

    share: what of the bound is the claim's own, the rest being an identity. Where the error is larger, the comparison would be one
    of errors, and decides nothing; it is not counted as a check, unless the bound is exceeded by more than the errors, or something
    is not a number. The choice depends on the error and the bound, never on the value that is compared.
    """
    shape = (len(steps),)
    measured, bound = (broadcast(evaluate_expression(side, symbols, INTERVAL), shape) for side in (claim.measured, claim.bound))
    with np.errstate(all="ignore"):
        error = (measured.upper - measured.lower) / 2
        resolved = RESOLVED * error <= share * bound.lower
    small, large = (bound, measured) if claim.lower else (measured, bound)
    unknown = np.isnan(error) | np.isnan(bound.lower) | np.isnan(bound.upper)
    seen = np.asarray(resolved | certainly_exceeds(small, large) | unknown)
    worst = f", {np.min(error):.2g}, exceeds 1/{RESOLVED} of what the claim says" if len(steps) else ""
    found = check(claim, theorem, symbols, steps, seen, f"the error of measurement{worst}")
    return dataclasses.replace(found, unresolved=bool(len(steps)) and not seen.any())


def check_iterated(claim: Claim, theorem: str, symbols: Mapping[str, Interval], steps: NDArray[np.int64]) -> CheckedClaim:
    """Check each value against the bound applied p times to the value p steps earlier.

    p = 1 wherever one step's guaranteed decrease exceeds DECISIVE times the errors of both sides; where it does not, the smallest
    power of 2 for which the guaranteed decrease over p steps does, as far as the run since the certification allows, and at most
    LONGEST_STRIDE; below the floor of measurement, where no reachable value exceeds its error so far, p = 1. The choice depends on
    the base values, the bound and the errors, never on the value that is checked.
    """
    name, shape = str(claim.iterates), (len(steps),)
    symbols = {key: as_interval(symbols[key]) for key in {str(x) for x in claim.bound.free_symbols | claim.measured.free_symbols}}
    now = broadcast(symbols[name], shape)
    measured = broadcast(evaluate_expression(claim.measured, symbols, INTERVAL), shape)
    width = measured.upper - measured.lower
    lowered, low, high = measured.lower.copy(), np.full(shape, np.nan), np.full(shape, np.nan)
    pending, stride = np.arange(len(steps)), 1
    # A value that no reachable decrease can exceed DECISIVE times its error is below the floor of measurement: one step will do.
    hopeless = middle(now)[np.maximum(pending + 1 - LONGEST_STRIDE, 0)] <= DECISIVE * width
    if not len(steps):
        return claims_nothing(claim, theorem, "nothing to check: no step after the certification")
    while len(pending):
        base = pending + 1 - stride
        value = now[base]
        for ahead in range(stride):
            at = {other: x[base + ahead] if x.shape == shape else x for other, x in symbols.items()}
            value = as_interval(evaluate_expression(claim.bound, {**at, name: value}, INTERVAL))
        error = width[pending] + value.upper - value.lower
        final = (
            (middle(now)[base] - middle(value) > DECISIVE * error)
            | (base - stride < 0)
            | (2 * stride > LONGEST_STRIDE)
            | hopeless[pending]
        )
        done = pending[final]
        low[done], high[done] = value.lower[final], value.upper[final]
        # Rounding of p steps may lift the run p times as far as that of one, which is part of the width.
        lowered[done] -= (stride - 1) * width[done]
        pending, stride = pending[~final], 2 * stride
    return summarize(claim, theorem, Interval(lowered, measured.upper), Interval(low, high), steps)


def summarize(claim: Claim, theorem: str, measured: Interval, bound: Interval, steps: NDArray[np.int64]) -> CheckedClaim:
    """Verdicts of all checks, and the check with the least room."""
    small, large = (bound, measured) if claim.lower else (measured, bound)
    holds, violated = certainly_at_most(small, large), certainly_exceeds(small, large)
    counts = counted(
        {
            Verdict.HOLDS: int(holds.sum()),
            Verdict.VIOLATED: int(violated.sum()),
            Verdict.UNDECIDED: int((~holds & ~violated).sum()),
        }
    )
    verdict = next(v for v in (Verdict.VIOLATED, Verdict.UNDECIDED, Verdict.HOLDS) if counts[v])
    # The ends that decide: the least possible bound against the largest possible measured value (or the reverse).
    with np.errstate(all="ignore"):
        room = large.lower / small.upper
    relevant = {Verdict.HOLDS: holds, Verdict.VIOLATED: violated, Verdict.UNDECIDED: ~holds & ~violated}[verdict]
    ranked = np.where(relevant & ~np.isnan(room), room, np.inf)
    at = int(np.argmin(ranked))
    halves = tuple(float((side.upper[at] - side.lower[at]) / 2) for side in (measured, bound))
    deciding = (bound.upper, measured.lower) if claim.lower else (bound.lower, measured.upper)
    return CheckedClaim(
        id=claim.id,
        statement=claim.statement,
        theorem=theorem,
        bound=float(deciding[0][at]),
        measured=float(deciding[1][at]),
        error=sum(halves),
        slack=float(room[at]),
        step=int(steps[at]),
        counts=counts,
        verdict=verdict,
        reason=_reason(claim, verdict, counts, len(steps)),
        lower=claim.lower,
        halves=(halves[0], halves[1]),
    )


def broadcast(x: Any, shape: tuple[int, ...]) -> Interval:
    """The interval (or number) repeated over a shape."""
    given = as_interval(x)
    return Interval(np.broadcast_to(given.lower, shape), np.broadcast_to(given.upper, shape))


def middle(x: Interval) -> Array:
    """The middles of intervals."""
    with np.errstate(invalid="ignore"):  # infinite ends have no middle; NaN is never larger than anything
        return np.asarray(x.lower + (x.upper - x.lower) / 2)


def _reason(claim: Claim, verdict: Verdict, counts: dict[Verdict, int], total: int) -> str:
    if claim.scope is Scope.LIMIT:
        return f"{verdict.value} ({claim.scope.value})"
    where = "steps" if claim.scope is Scope.STEP else "marks"
    return f"{verdict.value} ({counts[verdict]} of {total} {where})"
