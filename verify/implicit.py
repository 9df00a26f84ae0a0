"""Implicit regularization, B1 to B5: where a certified run ends, checked against the nearest optimum."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from numerics.roundoff import norm_error
from theorems.arithmetic import INTERVAL, Interval, as_interval
from theorems.catalogue import THEOREMS
from theorems.records import Role, Theorem
from theorems.statements.implicit import RECORDS, deviation
from verify.certificate_record import Certificate
from verify.claims import LINEAR, check_resolved, claims_nothing, not_applicable, not_covered
from verify.limits import NearestOptimum, RunEnd, nearest_from, outside_range, run_end
from verify.measured import around
from verify.run import MeasuredRun
from verify.setup import Setup, Theta
from verify.sharpened import Sharpened, sharpened
from verify.verdict import CheckedClaim, Verdict

# Claims about gradient descent; the others are about any two solutions, and rounding of the steps is no excuse there.
PATH_CLAIMS = ("B1", "B2", "B3")
# Claims that say more than an identity by a share t_u of |v - u|^2 only.
SECOND = tuple(claim.id for record in RECORDS for claim in record.claims if deviation in claim.bound.free_symbols)

FURTHER_STEPS = 1  # times the steps of the run: how much further it is followed, at most, to know its limit


@dataclass(frozen=True)
class ImplicitRegularization:
    """values: the measured quantities of B1 to B5 as intervals, under the symbols' names; those of the nearest optimum are missing
    where it is not known. claims: the checks.
    """

    end: RunEnd
    nearest: NearestOptimum
    values: Mapping[str, Interval]
    claims: tuple[CheckedClaim, ...]


def implicit_regularization(
    setup: Setup,
    certificate: Certificate,
    reference: Theta,
    most_steps: int,
    records: Sequence[Theorem] = RECORDS,
    later: tuple[int, Theta] | None = None,
) -> ImplicitRegularization:
    """Follow the certified run to its limit, find the nearest optimum, and check B1 to B5.

    certificate: one that certifies; reference: its weights. most_steps: of gradient descent from there. later: steps of the run
    made already and where they led (``run_end``). The claims are about exact gradient descent; what rounding of the steps can do to
    the run lowers the lower ends of what is measured, so it widens UNDECIDED and never HOLDS.
    """
    assert certificate.certified
    end = run_end(setup, certificate, reference, most_steps, later)
    nearest = nearest_from(setup, end, reference)
    values, claims = claims_at_end(setup, records, end, nearest, reference, certificate.step + end.steps, certificate.is_linear)
    return ImplicitRegularization(end, nearest, values, tuple(claims))


def limit_of_run(setup: Setup, certificate: Certificate, run: MeasuredRun) -> ImplicitRegularization | None:
    """Where the certified run ends, the optimum nearest to where it began, and B1 to B5 there; None without a certificate."""
    if not certificate.certified:
        return None
    assert run.certified_theta is not None
    reached = run.trajectory.steps - certificate.step
    later = None if run.final_theta is None or run.trajectory.stopped == "not finite" else (reached, run.final_theta)
    most_steps = reached + FURTHER_STEPS * run.trajectory.steps
    records = [theorem for theorem in THEOREMS.values() if theorem.role is Role.LIMIT]
    return implicit_regularization(setup, certificate, run.certified_theta, most_steps, records, later)


def claims_at_end(
    setup: Setup,
    records: Sequence[Theorem],
    end: RunEnd,
    nearest: NearestOptimum,
    reference: Theta,
    step: int,
    linear: bool,
) -> tuple[dict[str, Interval], list[CheckedClaim]]:
    """The quantities of B1 to B5 at the end of a run, and every claim of the records there.

    step: which the claims name. linear: whether the network is linear in its trained parameters. Where doubles do not decide a
    claim of second order, the distances are measured once more, in balls (``verify.sharpened``).
    """
    values = measured_values(setup, end, nearest, reference)
    claims = checked(records, end, values, step, linear, nearest.reason)
    if linear or nearest.found is None or not math.isfinite(nearest.error) or not any(map(_open, claims)):
        return values, claims
    finer = sharpened(setup, end, nearest, reference)
    values |= {name: _common(values[name], found) for name, found in finer.values.items()}
    again = checked(records, end, values, step, linear, nearest.reason)
    return values, [_told(new, finer) if _open(old) else new for old, new in zip(claims, again, strict=True)]


def _common(one: Interval, other: Interval) -> Interval:
    """Where both intervals are right, what they have in common; an empty one is a mistake of ours, and raises."""
    return Interval(np.maximum(one.lower, other.lower), np.minimum(one.upper, other.upper))


def _open(claim: CheckedClaim) -> bool:
    """Whether the errors of doubles leave a claim of second order open: not where a hypothesis fails."""
    return claim.id in SECOND and (claim.unresolved or claim.verdict is Verdict.UNDECIDED)


def _told(claim: CheckedClaim, finer: Sharpened) -> CheckedClaim:
    """The claim from the finer values; how they were found, or why they were not."""
    found = f"both points evaluated in balls, known to {finer.limit_error:.2g} and {finer.nearest_error:.2g}"
    return dataclasses.replace(claim, reason=f"{claim.reason}; {found if finer.values else finer.reason}")


def measured_values(setup: Setup, end: RunEnd, nearest: NearestOptimum, reference: Theta) -> dict[str, Interval]:
    """The quantities of B1 to B5 with their errors."""
    v, count = end.theta - reference, setup.architecture.parameters
    outside = outside_range(setup, setup.snapshot(reference), reference, v)
    length = float(np.linalg.norm(v))
    values = {
        "outside": _widened(outside, end.error),
        "travelled": _ball(length, end.error + norm_error(length, count)),
    }
    if nearest.found is None or not math.isfinite(nearest.error):
        return values
    u = nearest.found.theta - reference
    gap = v - u
    distance, apart = float(np.linalg.norm(u)), float(np.linalg.norm(gap))
    excess = float(gap @ (u + v)) / (length + distance) if length + distance > 0 else 0.0
    # |v| - |u| moves by no more than v and u do; the inner product errs by its own size, which is that of v - u.
    both = end.error + nearest.error
    return values | {
        "nearest": _ball(distance, nearest.error + norm_error(distance, count)),
        "deviation": _ball(apart, both + norm_error(apart, count)),
        "excess": _signed(excess, both + 4 * norm_error(apart, count)),
    }


def _signed(middle: float, error: float) -> Interval:
    return around(np.asarray(middle), error, error)


def checked(
    records: Sequence[Theorem], end: RunEnd, values: Mapping[str, Interval], step: int, linear: bool, reason: str
) -> list[CheckedClaim]:
    """Every claim of the records at the end of the run; a record whose quantities or hypotheses are missing claims nothing."""
    found: list[CheckedClaim] = []
    for record in records:
        wanted = [str(item.symbol.name) for item in record.quantities]
        known = {**end.constants, **values}
        if any(name not in known for name in wanted):
            found += not_applicable(record, reason)
            continue
        known |= record.evaluate_constants({name: known[name] for name in wanted}, INTERVAL)
        declined = not_covered(record, known)
        if declined:
            found += declined
            continue
        for claim in record.claims:
            if claim.nonlinear and linear:
                found.append(claims_nothing(claim, record.id, LINEAR))
                continue
            if claim.id in SECOND and not bool(as_interval(known["travelled"]).upper < end.constants["R"].lower):
                found.append(claims_nothing(claim, record.id, "the limit of the run is not known to lie in B(R)"))
                continue
            symbols = known | (_lowered(known, end.rounding) if claim.id in PATH_CLAIMS else {})
            # |v|^2 - |u|^2 is |v - u|^2 up to its share t_u, which is what these claims say; the rest is an identity.
            share = float(as_interval(known["turn_nearest"]).lower) if deviation in claim.bound.free_symbols else 1.0
            found.append(check_resolved(claim, record.id, symbols, np.array([step]), share))
    return found


def _lowered(known: Mapping[str, Interval], rounding: float) -> dict[str, Interval]:
    """What is measured, its lower ends lowered by what the steps' rounding can have added.

    A step of error eps adds eps outside the range by itself, and lengthens the path by eps, of which t/(1 - t) counts: eps/(1 - t)
    in all, and in B3 that over sqrt(1 - t^2).
    """
    turn = float(as_interval(known["turn"]).upper)
    charge = rounding / (1 - turn)
    found = {}
    for name, share in (("outside", 1.0), ("excess", 1.0), ("deviation", math.sqrt(1 - turn**2))):
        if name in known:
            given = as_interval(known[name])
            found[name] = Interval(np.nextafter(given.lower - charge / share, -np.inf), given.upper)
    return found


def _ball(middle: float, error: float) -> Interval:
    """[middle - error, middle + error], rounded outward, of a number that is not negative."""
    found = around(np.asarray(middle), error, error)
    return Interval(np.maximum(found.lower, 0.0), found.upper)


def _widened(given: Interval, error: float) -> Interval:
    return Interval(np.maximum(np.nextafter(given.lower - error, -np.inf), 0.0), np.nextafter(given.upper + error, np.inf))
