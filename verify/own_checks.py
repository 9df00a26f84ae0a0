"""Theorems against recorded weights: the product's certificate at one record, its claims at the records after it.

With every step recorded the checks are those of ``overparam verify``. Where steps are missing, what the theorem implies for the
records alone is checked: chords stand for the path, and a bound of one step is applied as often as there are steps between. What
cannot be checked is said, never passed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from numerics.roundoff import UNDERFLOWN, UNIT_ROUNDOFF, norm_error
from numerics.snapshots import Drift, Snapshot
from theorems.arithmetic import INTERVAL, Interval, as_interval
from theorems.records import Claim, LossClass, Role, Scope, Theorem, evaluate_expression
from theorems.statements.notation import remaining
from verify.certificate import Certificate
from verify.certified_constants import Intervals, intervals, perturbation, remaining_path
from verify.claims import (
    DECISIVE,
    LONGEST_STRIDE,
    STEP_SYMBOLS,
    broadcast,
    check,
    check_along,
    check_iterated,
    claims_nothing,
    seen_steps,
    step_symbols,
    summarize,
)
from verify.errors import ProblemError
from verify.measured import MeasuredSteps, around, measured_marks, measured_steps
from verify.own_run import ROUNDOFF, OwnRun
from verify.run import Mark, MeasuredRun, Trajectory, mark_of, mark_steps
from verify.setup import Setup, Theta
from verify.verdict import CheckedClaim, Verdict, counted

Array = NDArray[np.float64]

DESCENT = Claim(
    "GD",
    "gradient descent: |theta_{k+1} - (theta_k - eta grad J(theta_k))| is at most what rounding can do",
    sympy.Symbol("defect", positive=True),
    sympy.Symbol("rounding", positive=True),
    Scope.STEP,
)
WHOLE_PATH = ("summed",)  # quantities to which every step contributes
PATHS = ("r_next", "remaining")  # quantities that chords bound from below
SMALL = 2.0**-40  # of a residual: at this one a remaining path is nearly linear


@dataclass(frozen=True)
class Observed:
    """What the records show, one entry a record unless it says otherwise.

    trajectory: as of a run with these records as its steps; path: of chords. chord: |theta_{j+1} - theta_j|, (records - 1,).
    defect: |theta_{j+1} - (theta_j - eta grad J)| where the next record is the next step, else NaN, (records - 1,). between: the
    steps from a record to the next, (records - 1,).
    """

    trajectory: Trajectory
    chord: Array
    defect: Array
    between: NDArray[np.int64]


def observe(setup: Setup, run: OwnRun) -> Observed:
    """Residual, gradient and one step of gradient descent at every record. Raises ProblemError where the loss is not finite."""
    descent, reference = setup.descent(run.step_size), run.theta(0)
    records, numbers = len(run.weights), run.numbers
    between = np.diff(numbers)
    rows, chord, defect = [], np.zeros(records - 1), np.full(records - 1, np.nan)
    theta = reference
    for record in range(records):
        moved = theta.copy()
        segment = descent.advance(moved, 1, -1.0, reference)
        if not segment.steps_done:
            raise ProblemError(f"the loss at the weights of step {numbers[record]} is not finite")
        rows.append((segment.residual[0], segment.loss_gap[0], segment.gradient_norm[0], segment.displacement[0]))
        if record + 1 < records:
            later = run.theta(record + 1)
            chord[record] = np.linalg.norm(later - theta)
            if between[record] == 1:
                defect[record] = np.linalg.norm(later - moved)
            theta = later
    residual, gap, gradient, displacement = (np.array(column) for column in zip(*rows, strict=True))
    path = np.concatenate([[0.0], np.cumsum(chord)])
    return Observed(Trajectory(residual, gap, gradient, displacement, path, "steps"), chord, defect, between)


@dataclass(frozen=True)
class Certified:
    """A certificate of the wanted theorem at a record (``certificate.step`` is the record's place), and the marks."""

    certificate: Certificate
    marks: tuple[Mark, ...]
    drifts: tuple[tuple[int, Drift], ...]
    spectra: tuple[tuple[float, float], ...]


def is_form_of(one: Theorem, wanted: Theorem) -> bool:
    """Whether a statement is the wanted one, or like A-square of A its form for the square loss, with claims of the same names."""
    same = [claim.id for claim in one.claims] == [claim.id for claim in wanted.claims]
    return one.id == wanted.id or (same and wanted.loss_class is LossClass.GENERAL)


def pick(certificate: Certificate, theorem: Theorem) -> Certificate | None:
    """The certificate by this theorem, in the form for the loss at hand, or by any if the theorem holds along every run."""
    if theorem.role is not Role.CONVERGENCE:
        return certificate if certificate.certified else None
    found = (item for item in (certificate, *certificate.others) if item.certified and item.theorem is not None)
    chosen = next((item for item in found if item.theorem is not None and is_form_of(item.theorem, theorem)), None)
    return None if chosen is None else dataclasses.replace(chosen, attempts=certificate.attempts, others=())


def certify_records(setup: Setup, run: OwnRun, theorem: Theorem, start: int | None) -> Certified:
    """Certify at the record ``start``, or at the first that is found to be certified: marks are tried, then halved between.

    What is not certified comes back with the last certificate that was tried.
    """
    records = len(run.weights)
    places = mark_steps(records - 1) if start is None else sorted({start, *(start + k for k in mark_steps(records - 1 - start))})
    marks: list[Mark] = []
    drifts: list[tuple[int, Drift]] = []
    spectra: list[tuple[float, float]] = []
    tried, found, kernel0 = None, None, None
    for before, place in zip([-1, *places], places, strict=False):
        snapshot = snapshot_of(setup, run, place)
        kernel0 = snapshot.kernel if kernel0 is None else kernel0
        marks.append(mark_of(place, snapshot, kernel0, setup.loss_errors(snapshot)))
        if found is None and (start is None or place == start):
            tried = certify_record(setup, run, place, snapshot)
            found = pick(tried, theorem)
            if found is not None:
                found = _first(setup, run, theorem, before if start is None else place - 1, place, found)
        if found is not None and place > found.step:
            assert found.point is not None
            norms = np.asarray(found.point.signals.operator_norms)
            drifts.append((place, setup.drift(run.theta(place), run.theta(found.step), norms)))
            spectra.append((float(snapshot.eigenvalues[0]), snapshot.errors.eigenvalue))
    assert tried is not None
    refused = dataclasses.replace(tried, certified=False)  # it may be by another theorem
    return Certified(found if found is not None else refused, tuple(marks), tuple(drifts), tuple(spectra))


def snapshot_of(setup: Setup, run: OwnRun, place: int) -> Snapshot:
    """What is measured at a record. Raises ProblemError where it exceeds double precision."""
    found = setup.finite_snapshot(run.theta(place))
    if found is None:
        raise ProblemError(f"outputs or kernel at the weights of step {run.numbers[place]} exceed double precision")
    return found


def certify_record(setup: Setup, run: OwnRun, place: int, snapshot: Snapshot) -> Certificate:
    """The certificate at a record, where ``snapshot`` was taken."""
    if setup.refusal is not None:
        return setup.certify(run.theta(place), place, run.step_size)
    theta = run.theta(place)
    return setup.certify_at(theta, setup.point(theta, place, snapshot), run.step_size)


def _first(setup: Setup, run: OwnRun, theorem: Theorem, low: int, high: int, found: Certificate) -> Certificate:
    """Bisect between a record without a certificate (or -1) and one with it."""
    while high - low > 1:
        middle = (low + high) // 2
        tried = pick(certify_record(setup, run, middle, snapshot_of(setup, run, middle)), theorem)
        if tried is None:
            low = middle
        else:
            high, found = middle, tried
    return found


def check_records(
    setup: Setup, run: OwnRun, theorem: Theorem, seen: Observed, certified: Certified
) -> tuple[list[CheckedClaim], list[tuple[str, str]]]:
    """Every claim from the certified record on, numbered by the run's steps, and (claim, why) for what cannot be checked."""
    certificate = certified.certificate
    steps, rounding = own_steps(setup, run, seen, certified)
    marks = measured_marks(setup, certificate, _measured(seen, certified))
    first = certificate.step
    between = seen.between[first:]
    dense = bool((between == 1).all())
    known = {*certificate.constants, *_step_names(dense), *marks.values, *(constant.name for constant in theorem.constants)}
    record = certificate.theorem if theorem.role is Role.CONVERGENCE else theorem
    assert record is not None
    claims, unchecked = [], []
    given = _unknown_inputs(theorem, certificate) if theorem.role is Role.ALONG else set()
    for claim in record.claims:
        missing = given | {str(symbol) for symbol in claim.measured.free_symbols | claim.bound.free_symbols} - known
        if missing:
            unchecked.append((claim.id, _why(missing, dense)))
        elif not dense and claim.scope is Scope.STEP and theorem.role is Role.ALONG:
            unchecked.append((claim.id, "it speaks of single steps, and not every step is recorded"))
        elif claim.scope not in (Scope.STEP, Scope.MARK):
            unchecked.append((claim.id, f"it is checked {claim.scope.value}"))
        else:
            claims.append(claim)
    kept = dataclasses.replace(record, claims=tuple(claims))
    if not claims:
        found = []
    elif theorem.role is Role.ALONG:
        found = check_along(kept, certificate, steps, marks)
    else:
        found = check_steps(kept, certificate, steps, between)
    descent = descent_claim(setup, run, seen, first, rounding)
    return [descent, *(claim_renumbered(claim, run) for claim in found)], unchecked


def _measured(seen: Observed, certified: Certified) -> MeasuredRun:
    """The records as a run of ours."""
    one = certified.certificate
    return MeasuredRun(
        trajectory=seen.trajectory,
        marks=certified.marks,
        start=one,
        certificate=one,
        certified_theta=None,
        drifts=certified.drifts,
        drift_spectra=certified.spectra,
        existence=None,
    )


def _unknown_inputs(theorem: Theorem, certificate: Certificate) -> set[str]:
    """What the constants and hypotheses of a statement need and a certificate does not give."""
    formulas = [constant.expression for constant in theorem.constants] + [item.margin for item in theorem.hypotheses]
    needed = {str(symbol) for formula in formulas for symbol in formula.free_symbols}
    return needed - set(certificate.constants) - {constant.name for constant in theorem.constants}


def _step_names(dense: bool) -> set[str]:
    return set(STEP_SYMBOLS) if dense else set(STEP_SYMBOLS) - set(WHOLE_PATH)


def _why(missing: Iterable[str], dense: bool) -> str:
    if not dense and set(missing) <= set(WHOLE_PATH):
        return "every step contributes to its sum, and not every step is recorded"
    return f"weights, step and data do not give {', '.join(sorted(missing))}"


def own_steps(setup: Setup, run: OwnRun, seen: Observed, certified: Certified) -> tuple[MeasuredSteps, Array]:
    """The records from the certified one on as steps, and what rounding in the run's precision and here can do to each step.

    Lengths are measured. A step's error is its defect and the error of the step it was compared with; where steps are missing, what
    rounding in the run's precision may have done to each.
    """
    steps = measured_steps(setup, certified.certificate, _measured(seen, certified), run.step_size)
    first = certified.certificate.step
    chord = np.append(seen.chord[first:], 0.0)
    ours = steps.step_error + 3 * UNIT_ROUNDOFF * run.step_size * steps.gradient_norm
    # To first order rounding errors are proportional to the unit roundoff.
    theirs = ROUNDOFF[str(run.precision)] / UNIT_ROUNDOFF * ours
    defect, between = np.append(seen.defect[first:], np.nan), np.append(seen.between[first:], 1)
    error = np.where(np.isnan(defect), between * theirs, defect + ours)
    length_error = norm_error(chord, setup.architecture.parameters)
    return dataclasses.replace(steps, length=chord, length_error=length_error, step_error=error + UNDERFLOWN), ours + theirs


def check_steps(theorem: Theorem, certificate: Certificate, steps: MeasuredSteps, between: NDArray[np.int64]) -> list[CheckedClaim]:
    """The claims of a convergence theorem at the records.

    Where records are missing, a claim on the path is checked of chords, which are no longer, and a claim that iterates is applied
    to each record as often as there are steps to the next, at most LONGEST_STRIDE times: less often is a weaker bound.
    """
    dense = bool((between == 1).all())
    constants = intervals(certificate)
    symbols = _lowered(theorem, constants, steps, step_symbols(theorem, constants, steps))
    known = {**constants, **symbols}
    when = np.arange(steps.first, steps.first + len(steps.residual) - 1)
    found = []
    for claim in theorem.claims:
        if claim.iterates and dense:
            found.append(check_iterated(claim, theorem.id, known, when))
            continue
        if claim.iterates:
            varying = {str(symbol) for symbol in claim.bound.free_symbols - {claim.iterates}} & set(symbols)
            times = np.ones_like(between) if varying else np.minimum(between, LONGEST_STRIDE)
            found.append(_after(claim, theorem.id, known, times, when))
            continue
        seen = seen_steps(theorem, constants, steps) if claim.measured == remaining else None
        one = check(claim, theorem.id, known, when, seen)
        if not dense and {str(symbol) for symbol in claim.measured.free_symbols} & set(PATHS):
            one = dataclasses.replace(one, reason=f"{one.reason}; of chords between the records, the path is longer")
        found.append(one)
    return found


def _lowered(
    theorem: Theorem, constants: Mapping[str, Interval], steps: MeasuredSteps, symbols: Mapping[str, Interval]
) -> dict[str, Interval]:
    """Path lengths with their lower ends lowered by what errors of the steps can have added; it widens UNDECIDED, never HOLDS.

    An error eps of a step adds eps to the path, and c eps to the residual (``perturbation``), of which the remaining path T(s)
    makes T'(0) c eps at most, T being concave. To first order in eps, and doubled for what that leaves out. In float64 this is
    nothing beside the path; in float32 it need not be.
    """
    error = 2 * (1 + perturbation(constants) * _slope_at_zero(theorem, constants, steps)) * steps.step_error[:-1]
    shares = {"r_next": np.cumsum(error), "remaining": np.cumsum(error[::-1])[::-1]}
    lower = {name: symbols[name].lower - share for name, share in shares.items() if name in symbols}
    return {**symbols, **{name: Interval(low, symbols[name].upper) for name, low in lower.items()}}


def _slope_at_zero(theorem: Theorem, constants: Intervals, steps: MeasuredSteps) -> float:
    """T'(0), T(s) the bound of the remaining path."""
    small = SMALL * float(steps.residual[0] + steps.residual_error[0])  # which is positive
    return remaining_path(theorem, constants, small) / small


def _after(claim: Claim, theorem: str, known: Mapping[str, Any], times: NDArray[np.int64], when: NDArray[np.int64]) -> CheckedClaim:
    """The claim's bound applied to each record so many times, against the next record."""
    name, shape = str(claim.iterates), (len(when),)
    value = broadcast(known[name], shape)
    for applied in range(int(times.max(initial=0))):
        more = broadcast(as_interval(evaluate_expression(claim.bound, {**known, name: value}, INTERVAL)), shape)
        value = Interval(
            *(np.where(applied < times, new, old) for new, old in ((more.lower, value.lower), (more.upper, value.upper)))
        )
    measured = broadcast(evaluate_expression(claim.measured, known, INTERVAL), shape)
    return summarize(claim, theorem, measured, value, when)


def descent_claim(setup: Setup, run: OwnRun, seen: Observed, first: int, rounding: Array) -> CheckedClaim:
    """Whether consecutive records from ``first`` on are steps of gradient descent with this step size, to within rounding.

    Steps that rounding could have made up (shorter than DECISIVE times the bound) tell nothing and are not counted, unless they
    break it.
    """
    defect, bound, chord = seen.defect[first:], rounding[:-1], seen.chord[first:]
    consecutive = ~np.isnan(defect)
    if not consecutive.any():
        return claims_nothing(DESCENT, "", "not checked: no two consecutive steps are recorded, the steps between are not seen")
    tells = consecutive & ((DECISIVE * bound <= chord) | ~(defect <= bound))
    places = np.arange(first, first + len(defect))
    silent = int(consecutive.sum() - tells.sum())
    if not tells.any():
        reason = f"rounding in {run.precision} is as large as the steps: {silent} steps tell nothing"
        nothing = claims_nothing(DESCENT, "", reason)
        return dataclasses.replace(nothing, verdict=Verdict.UNDECIDED, counts=counted({Verdict.UNDECIDED: silent}))
    error = norm_error(defect[tells], setup.architecture.parameters)
    sides = around(defect[tells], error, error), Interval(bound[tells], bound[tells])
    found = summarize(DESCENT, "", *sides, places[tells])
    missing = int((~consecutive).sum())
    notes = [f"{silent} further not counted as checks: rounding is as large as the step"] if silent else []
    notes += [f"{missing} stretches between records are not seen"] if missing else []
    if found.verdict is not Verdict.HOLDS:
        assert found.step is not None
        notes += [_movement(setup, run, found.step), f"computed in {run.precision} (say precision=... if in another)"]
    return claim_renumbered(dataclasses.replace(found, reason="; ".join([found.reason, *notes])), run)


def _movement(setup: Setup, run: OwnRun, place: int) -> str:
    """How far each trained layer moved, in units of its part of eta grad J: 1 for gradient descent."""
    before, after = run.theta(place), run.theta(place + 1)
    stepped: Theta = before.copy()
    setup.descent(run.step_size).advance(stepped, 1, -1.0, before)
    ratios = []
    for layer, moves in enumerate(setup.architecture.trained, 1):
        wanted, made = (setup.architecture.layer(x - before, layer).ravel() for x in (stepped, after))
        size = float(wanted @ wanted)
        if moves and size > 0:
            ratios.append(f"layer {layer}: {float(made @ wanted) / size:.4g}")
    return f"movement over eta grad J, which is 1 for gradient descent, is {', '.join(ratios)}"


def claim_renumbered(claim: CheckedClaim, run: OwnRun) -> CheckedClaim:
    """The claim with its record's step number."""
    return claim if claim.step is None else dataclasses.replace(claim, step=int(run.numbers[claim.step]))


def renumbered(certificate: Certificate, run: OwnRun) -> Certificate:
    """The certificate with its record's step number."""
    step = int(run.numbers[certificate.step])
    point = certificate.point
    return dataclasses.replace(certificate, step=step, point=None if point is None else dataclasses.replace(point, step=step))
