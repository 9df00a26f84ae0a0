"""Lazy training, C2 and C3: how far the weights of a certified run move, and how far it is from the linearized run under the same
steps.

Both start at the certified weights. The run is looked at while it runs (``verify.run.LazyMark``), or repeated from there: the
kernels are deterministic, so it is the same run to the bit. The linearized run is exact at every mark, through the spectrum of the
kernel. (C1 is a claim of Theorem E.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from numerics.errors import NumericsError
from numerics.linearized import (
    LinearizedRun,
    WeightChange,
    linearized_distance,
    linearized_residual,
    linearized_residual_error,
    linearized_run,
)
from numerics.nearest import function_norm
from numerics.roundoff import UNDERFLOWN, UNIT_ROUNDOFF, norm_error, norm_rounding
from theorems.arithmetic import BALL, INTERVAL, Interval, as_interval, lower, upper, working_precision
from theorems.neurons import neuron_constants
from theorems.records import Theorem, evaluate_expression
from theorems.statements.lazy import FORCING, KEPT, RECORDS, THEOREM_C3
from verify.certificate_record import Certificate
from verify.certified_constants import Intervals, raised
from verify.claims import LINEAR, check, check_resolved, claims_nothing, not_applicable, not_covered
from verify.limits import function_error
from verify.measured import MeasuredSteps, around
from verify.run import LazyMark, lazy_mark
from verify.setup import Setup, Theta
from verify.verdict import CheckedClaim

Array = NDArray[np.float64]
NOT_SQUARE = "the linearized run is compared for the square loss only"


@dataclass(frozen=True)
class LazyTraining:
    """steps: the marks, counted as in the run. values: the measured quantities of C2 and C3 at the marks, as intervals; those of C3
    are missing for other losses. changes: the weights' change at each mark. linear_distance: |thetabar - theta0| at each mark, and
    linear_limit: |A^+ e_0|, where it ends; empty and NaN for other losses. claims: the checks.
    """

    steps: NDArray[np.int64]
    values: Mapping[str, Interval]
    changes: tuple[WeightChange, ...]
    linear_distance: Array
    linear_limit: float
    claims: tuple[CheckedClaim, ...]


def lazy_training(
    setup: Setup,
    certificate: Certificate,
    reference: Theta,
    steps: MeasuredSteps,
    marks: Sequence[int],
    records: Sequence[Theorem] = RECORDS,
    looks: Sequence[LazyMark] | None = None,
) -> LazyTraining:
    """Measure C2 and C3 along the certified run, and check them.

    certificate: one that certifies; reference: its weights. steps: the run from there (``verification.measured_steps``). marks:
    steps of the run, increasing, after the certification step and not beyond the end. looks: what the run saw at the marks; where
    it is missing, the run is repeated. Rounding of the steps lowers the lower ends of what is measured and raises the upper end of
    s_0 (Theorem A1), so it widens UNDECIDED and never HOLDS.
    """
    assert certificate.certified
    assert certificate.theorem is not None
    after = np.array(marks, dtype=np.int64) - certificate.step
    assert np.all(np.diff(after, prepend=0) > 0), "marks must increase and lie after the certification step"
    assert not len(after) or after[-1] < len(steps.residual), "marks must not lie beyond the end of the run"
    rounding = np.concatenate([[0.0], np.cumsum(steps.step_error)])
    constants = raised(certificate, float(rounding[after[-1]]) if len(after) else 0.0)
    seen = _Seen(setup, certificate, reference, steps, constants)
    for mark, look in zip(after, _repeated(setup, certificate, reference, after) if looks is None else looks, strict=True):
        seen.look(look, int(mark), float(rounding[mark]))
    values = seen.values()
    claims = _checked(records, {**constants, **values}, np.array(marks, dtype=np.int64), certificate.is_linear)
    run = seen.linearized
    return LazyTraining(
        steps=np.array(marks, dtype=np.int64),
        values=values,
        changes=tuple(seen.changes),
        linear_distance=np.array([] if run is None else [linearized_distance(run, int(mark)) for mark in after]),
        linear_limit=math.nan if run is None else linearized_distance(run, None),
        claims=tuple(claims),
    )


def _repeated(setup: Setup, certificate: Certificate, reference: Theta, after: NDArray[np.int64]) -> Iterator[LazyMark]:
    """The run once more from the certified weights, looked at so many steps after them."""
    assert certificate.step_size is not None
    descent, theta, before = setup.descent(certificate.step_size), reference.copy(), 0
    for mark in after:
        descent.advance(theta, int(mark) - before, 0.0, reference)
        before = int(mark)
        yield lazy_mark(setup, theta, reference, setup.snapshot(theta))


class _Seen:
    """What has been measured at the marks so far."""

    def __init__(
        self, setup: Setup, certificate: Certificate, reference: Theta, steps: MeasuredSteps, constants: Intervals
    ) -> None:
        assert certificate.step_size is not None
        self.setup, self.reference, self.constants = setup, reference, constants
        self.limits = neuron_limits(certificate)
        self.rows: dict[str, list[Interval]] = {"rho": [], "layer_change": [], "neuron_ratio": []}
        self.changes: list[WeightChange] = []
        self.start = setup.snapshot(reference)
        self.linearized: LinearizedRun | None = None
        if setup.loss.is_square:
            e = self.start.outputs - setup.offsets - setup.minimizers
            try:
                self.linearized = linearized_run(self.start.kernel, e, setup.dataset.sample_weights, certificate.step_size)
            except NumericsError:  # a step with which the linearized run diverges: C3's hypothesis fails too
                self.linearized = None
        if self.linearized is not None:
            self.rows |= {"linear_gap": [], "linear_sum": []}
        self.sums = linear_sums(constants, steps)

    def look(self, found: LazyMark, mark: int, rounding: float) -> None:
        """Add what was seen ``mark`` steps after the certified weights; rounding: of the steps so far."""
        change = found.change
        self.changes.append(change)
        trained = np.array(self.setup.architecture.trained)
        count = self.setup.architecture.parameters
        self._add("rho", change.absolute, norm_error(change.absolute, count), rounding)
        largest = float(change.layers[trained].max())
        self._add("layer_change", largest, norm_error(largest, count), rounding)
        self.rows["neuron_ratio"].append(self._neurons(change, norm_rounding(count), rounding))
        run = self.linearized
        if run is None:
            return
        nu = self.setup.dataset.sample_weights
        e = found.outputs - self.setup.offsets - self.setup.minimizers
        gap, size = function_norm(e - linearized_residual(run, mark), nu), function_norm(e, nu)
        start = function_error(self.setup, self.start.errors, float(np.linalg.norm(run.coefficients)))
        error = function_error(self.setup, found.errors, size) + norm_error(gap, count) + 4 * UNIT_ROUNDOFF * size
        error += linearized_residual_error(run, mark, self.start.errors.kernel, start)
        # An error eps of a step moves F by |DF| eps, and once more through beta r.
        self._add("linear_gap", gap, error, 2 * math.sqrt(float(self.constants["Lambda"].upper)) * rounding)
        self.rows["linear_sum"].append(self.sums[mark])

    def values(self) -> dict[str, Interval]:
        """The quantities as arrays over the marks."""
        found = {
            name: Interval(np.array([float(x.lower) for x in rows]), np.array([float(x.upper) for x in rows]))
            for name, rows in self.rows.items()
        }
        architecture = self.setup.architecture
        moving = [architecture.layer(self.reference, i) for i, moves in enumerate(architecture.trained, 1) if moves]
        size = math.sqrt(sum(float(layer @ layer) for layer in moving))
        error = norm_error(size, self.setup.architecture.parameters)
        return found | {"theta_norm": around(np.asarray(size), error, error)}

    def _add(self, name: str, value: float, error: float, rounding: float) -> None:
        found = around(np.asarray(value), error + rounding, error)
        self.rows[name].append(found)

    def _neurons(self, change: WeightChange, relative: float, rounding: float) -> Interval:
        """The largest movement of a neuron over C_l."""
        low, high = 0.0, 0.0
        for moved, limit, trains in zip(change.neurons, self.limits, self.setup.architecture.trained, strict=True):
            if not trains:
                continue
            most = float(moved.max()) + UNDERFLOWN
            least = max(float(moved.max()) * (1 - relative) - UNDERFLOWN - rounding, 0.0)
            low = max(low, least / float(limit.upper) if limit.upper > 0 else (math.inf if least > 0 else 0.0))
            high = max(high, most * (1 + relative) / float(limit.lower) if limit.lower > 0 else (math.inf if most > 0 else 0.0))
        return Interval(np.nextafter(np.asarray(low), -np.inf), np.nextafter(np.asarray(high), np.inf))


def linear_sums(constants: Mapping[str, Interval], steps: MeasuredSteps) -> Interval:
    """The bound of |e_k - ebar_k| by the sum over the steps of C3, for k = 0, 1, ..., counted from the certified weights."""
    length = around(steps.length, steps.length_error, steps.length_error)
    count = np.arange(1, len(steps.length) + 1)
    ends = []
    for each, sign in ((length.lower, -1), (length.upper, 1)):
        gone = np.cumsum(np.maximum(each, 0.0)) * (1 + sign * 4 * count * UNIT_ROUNDOFF)
        ends.append(np.concatenate([[0.0], gone[:-1]]))
    known = {
        **constants,
        "s": around(steps.residual, np.minimum(steps.residual_error, steps.residual), steps.residual_error),
        "length": Interval(np.maximum(length.lower, 0.0), length.upper),
        "path": Interval(*ends),
    }
    forcing = as_interval(evaluate_expression(FORCING, known, INTERVAL))
    keep = as_interval(evaluate_expression(KEPT, constants, INTERVAL))
    sums = []
    for each, factor, sign in ((forcing.lower, keep.lower, -1), (forcing.upper, keep.upper, 1)):
        summed = scipy.signal.lfilter([1.0], [1.0, -float(factor)], np.maximum(each, 0.0))
        # Sums of positive terms: a rounding or two for each step, relative.
        sums.append(np.concatenate([[0.0], summed * (1 + sign * 8 * count * UNIT_ROUNDOFF)]))
    return Interval(*sums)


def neuron_limits(certificate: Certificate) -> list[Interval]:
    """C_1, ..., C_L on the certificate's ball, enclosed from the measured norms."""
    assert certificate.point is not None
    with working_precision():
        radius = BALL.constant(certificate.constants["R"].upper)
        found = neuron_constants(certificate.point.signals_in_balls(), radius, BALL)
        return [Interval(as_interval(lower(ball)).lower, as_interval(upper(ball)).upper) for ball in found]


def _checked(
    records: Sequence[Theorem], known: Mapping[str, Interval], steps: NDArray[np.int64], linear: bool
) -> list[CheckedClaim]:
    found: list[CheckedClaim] = []
    for record in records:
        wanted = [str(item.symbol.name) for item in record.quantities]
        if record is THEOREM_C3 and "linear_gap" not in known:
            found += not_applicable(record, NOT_SQUARE)
            continue
        symbols = {**known, **record.evaluate_constants({name: known[name] for name in wanted}, INTERVAL)}
        declined = not_covered(record, symbols)
        if declined:
            found += declined
            continue
        for claim in record.claims:
            if claim.nonlinear and linear:
                found.append(claims_nothing(claim, record.id, LINEAR))
            else:
                found.append((check_resolved if claim.nonlinear else check)(claim, record.id, symbols, steps))
    return found
