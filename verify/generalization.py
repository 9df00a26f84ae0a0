"""H1 and H2 at trained weights: bounds of the loss on unseen data, split into their terms, beside what held-out points show.

H1 is a statement about balls about theta0, which must not depend on the sample. A certificate at theta_N bounds only how far
theta_inf is from theta_N, and theta_N has seen the sample; so its radius counts as |theta_N - theta0| + rbar. The measured radius
|theta - theta0| needs no certificate, because H1 holds for all radii r_j at once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from numerics.errors import NumericsError
from numerics.forward import Outputs, outputs_at
from numerics.roundoff import UNIT_ROUNDOFF, norm_between
from numerics.snapshots import Snapshot
from theorems.arithmetic import FLOAT, Interval
from theorems.pointwise import input_gain
from theorems.statements.generalization import THEOREM_H1, THEOREM_H2
from verify.certificate import Certificate
from verify.claims import check
from verify.errors import ProblemError
from verify.evaluated_losses import EvaluatedLoss
from verify.held_out import HeldOut
from verify.measured import around
from verify.point import signals_from
from verify.rigor import float_above
from verify.risk_bound import RiskBound, RiskBounds, require_h1
from verify.setup import DIVERGED, Setup, Theta
from verify.transport import ground_cost, transport_cost
from verify.verdict import CheckedClaim

Array = NDArray[np.float64]
MOST_POINTS = 400  # of either sample, among whose pairs difference quotients in the input are taken


@dataclass(frozen=True)
class Generalization:
    """H1 and H2 at one theta.

    train_loss, test_loss: mean losses on the sample and on the held-out points; start_loss: of theta0 on the latter. gap: test less
    train. loss_error: rounding of any of these. sampling_error: the expected loss is within this of test_loss with probability
    1 - failure_probability (Hoeffding). measured: H1 at |theta - theta0|. certified: H1 at a certified radius, or None. limit: H1
    where exact gradient descent from theta ends, or None. lipschitz, transport: of H2; transport_vacuous: whether the transport
    costs b, as much as any two losses can differ. claims: H1-risk, at the measured and the certified radius, H2-lipschitz and
    H2-risk, checked. assumptions: what the law's side rests on.
    """

    loss: EvaluatedLoss
    points: int
    held_out_points: int
    train_loss: float
    test_loss: float
    start_loss: float
    gap: float
    loss_error: float
    sampling_error: float
    failure_probability: float
    measured: RiskBound
    certified: RiskBound | None
    limit: RiskBound | None
    lipschitz: float
    transport: float
    transport_vacuous: bool
    claims: tuple[CheckedClaim, ...]
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """One theta: everything measured at the points of the problem, and the outputs at the held-out points."""

    sample: Snapshot
    held: Outputs

    @property
    def outputs(self) -> tuple[Array, Array]:
        return self.sample.outputs, self.held.values

    @property
    def error(self) -> float:
        """Of any output."""
        return float(max(self.sample.errors.output.max(), self.held.errors.max()))

    @property
    def size(self) -> float:
        return float(max(np.abs(values).max() for values in self.outputs))


class Judge:
    """What H1 and H2 need at theta0, measured once, to judge any number of weights that come from it.

    setup: the prepared problem. theta0: its drawn weights. held: points not trained on. loss: chosen before the sample was seen, as
    are first_radius (r_1; None: 1/alpha, a radius at which the output moves by the order of |df|/alpha) and failure_probability.
    start: what was seen at theta0; offsets: what is subtracted from the outputs at the sample and at the held-out points.
    Raises ProblemError where a hypothesis of H1 fails: weights that were loaded, points with weights of their own, an activation
    without a proved bound of phi''.
    """

    def __init__(
        self,
        setup: Setup,
        theta0: Theta,
        held: HeldOut,
        loss: EvaluatedLoss,
        failure_probability: float = 0.01,
        first_radius: float | None = None,
    ) -> None:
        require_h1(setup)
        self.setup, self.theta0, self.held, self.loss = setup, theta0, held, loss
        self.start = self.seen(theta0)
        self._bounds = RiskBounds(setup, self.start.sample, loss, failure_probability, first_radius)
        centered = setup.problem.network.centered
        self.offsets = (setup.offsets, self.start.held.values if centered else np.zeros_like(held.targets))

    def judge(
        self, theta: Theta, certified_radius: float | None = None, step: int = 0, remaining: float | None = None
    ) -> Generalization:
        """Evaluate both statements at ``theta``.

        certified_radius: a bound of |theta - theta0| from ``certified_distance``. remaining: a bound of the way that exact gradient
        descent goes from theta to a global optimum.
        """
        seen, data, held, loss = self.seen(theta), self.setup.dataset, self.held, self.loss
        outputs = self.outputs(seen)
        train, test = (loss.values(y, t) for y, t in zip(outputs, (data.targets, held.targets), strict=True))
        at_start = loss.values(self.outputs(self.start)[1], held.targets)
        output_error = self._output_error(seen)
        loss_error = loss.slope * output_error + (len(train) + len(test) + 8) * UNIT_ROUNDOFF * loss.largest
        train_loss, test_loss = float(train.mean()), float(test.mean())
        distance = norm_between(theta - self.theta0)[1]
        measured = self._bounds.at(distance, train_loss + loss_error)
        certified = None if certified_radius is None else self._bounds.at(certified_radius, train_loss + loss_error)
        lipschitz = self._lipschitz(seen.sample)
        transport = transport_cost(self.costs(lipschitz))
        found = Generalization(
            loss=loss,
            points=len(train),
            held_out_points=len(test),
            train_loss=train_loss,
            test_loss=test_loss,
            start_loss=float(at_start.mean()),
            gap=test_loss - train_loss,
            loss_error=loss_error,
            sampling_error=loss.largest * math.sqrt(math.log(2 / self._bounds.delta) / (2 * len(test))),
            failure_probability=self._bounds.delta,
            measured=measured,
            certified=certified,
            limit=None if remaining is None else self._limit(distance + remaining),
            lipschitz=lipschitz,
            transport=transport,
            transport_vacuous=not transport < loss.largest,
            claims=(),
            assumptions=(held.assumption, *_ASSUMPTIONS),
        )
        slopes = _input_slope((data.inputs, held.inputs), outputs, output_error)
        return dataclasses.replace(found, claims=(_check_h1(found, step), *_check_h2(found, slopes, step)))

    def along(self, step_size: float, steps: Sequence[int]) -> Iterator[tuple[int, Generalization]]:
        """Judge the run from theta0 at some of its steps, in increasing order: it is repeated, with the same bits.

        H1 holds at all of them at once, so the smallest bound may be picked.
        """
        descent, theta, done = self.setup.descent(step_size), self.theta0.copy(), 0
        for step in steps:
            if step > done:
                done += descent.advance(theta, step - done, 0.0, self.theta0).steps_done
            yield done, self.judge(theta, step=done)

    def seen(self, theta: Theta) -> Seen:
        """Measure the network at ``theta``. Raises ProblemError where an output or the kernel overflows."""
        setup, sample = self.setup, self.setup.finite_snapshot(theta)
        assert setup.bounds is not None
        try:
            if sample is not None:
                bounds, norms = setup.bounds, sample.operator_norms
                held = outputs_at(
                    setup.architecture, setup.activation_kernel, theta, self.held.inputs, norms, float(bounds.slope), bounds.ulps
                )
                if np.abs(held.values).max() < DIVERGED:
                    return Seen(sample, held)
        except NumericsError:
            pass  # an output that overflows, said below
        raise ProblemError("the network's outputs or kernel at these weights exceed double precision, so no loss can be measured")

    def outputs(self, seen: Seen) -> tuple[Array, Array]:
        """The outputs less the offsets, at the sample and at the held-out points."""
        return seen.sample.outputs - self.offsets[0], seen.held.values - self.offsets[1]

    def costs(self, lipschitz: float) -> Array:
        """What H2's transport costs between the sample and the held-out points, (n, m), for this Lipschitz constant of f."""
        loss, data, held = self.loss, self.setup.dataset, self.held
        inputs, targets = (data.inputs, held.inputs), (data.targets, held.targets)
        return ground_cost(inputs, targets, loss.slope * lipschitz, loss.label_slope, loss.largest)

    def _output_error(self, seen: Seen) -> float:
        """The largest error of an output, offset included, over all points."""
        return seen.error + self.start.error + 2 * UNIT_ROUNDOFF * seen.size

    def _limit(self, distance: float) -> RiskBound:
        """H1 at the end of exact gradient descent, where the outputs are the loss's minimizers.

        distance: that of theta and the remaining way.
        """
        setup, loss = self.setup, self.loss
        at_optimum = float(loss.values(setup.minimizers, setup.dataset.targets).mean())
        spread = 2.0**-50 * max(1.0, float(np.abs(setup.minimizers).max()))  # of the minimizers of other than the square loss
        # Where f_theta0 is subtracted, the run goes to minimizers plus what is stored of f_theta0.
        spread += self.start.error if setup.problem.network.centered else 0.0
        error = loss.slope * setup.architecture.outputs * spread + (setup.dataset.points + 8) * UNIT_ROUNDOFF * loss.largest
        return self._bounds.at(math.nextafter(distance, math.inf), at_optimum + error)

    def _lipschitz(self, found: Snapshot) -> float:
        """Lip of H2 with theta for the center and R = 0, where it is smallest; plus that of theta0 for a centered network."""
        assert self.setup.bounds is not None
        here = float(input_gain(signals_from(self.setup.architecture, found, self.setup.bounds), 0.0, FLOAT))
        start = float(input_gain(self._bounds.signals, 0.0, FLOAT)) if self.setup.problem.network.centered else 0.0
        slope = math.nextafter(self.setup.architecture.output_scale * (here + start) * self._bounds.room, math.inf)
        if not math.isfinite(slope):
            raise ProblemError("the Lipschitz constant of the network in its input exceeds double precision")
        return slope


_ASSUMPTIONS = (
    "the weights theta0, the first radius and the loss were chosen without the data",
    "H1 holds with probability at least 1 - failure_probability over the sample; what is compared with it, the expected loss, is "
    "known from the held-out points up to sampling_error, with the same probability; where all this is so, H1-risk is violated "
    "with at most twice that probability",
    "the best of K problems, losses or margins, picked by its bound, has failure_probability/K in place of failure_probability",
)


def certified_distance(certificate: Certificate, certified_theta: Theta, theta0: Theta) -> float:
    """A bound of |theta_inf - theta0|, and of every theta from step N on: |theta_N - theta0| + rbar, rounded up.

    The second summand alone is no radius for H1: theta_N depends on the sample, and H1's balls are about theta0. Raises
    ProblemError for a certificate that certifies nothing.
    """
    if not certificate.certified:
        raise ProblemError("the certificate must certify the run to bound its distance from theta0, but it does not")
    start = norm_between(certified_theta - theta0)[1]
    return math.nextafter(start + float_above(Fraction(certificate.constants["rbar"].upper)), math.inf)


def _check_h1(found: Generalization, step: int) -> CheckedClaim:
    """The expected loss, as far as the held-out points tell it, against the bounds at the measured and the certified radius.

    A certified radius below the measured distance, which the claims about the run would tell, is none for these weights.
    """
    bounds = [found.measured]
    if found.certified is not None and found.certified.distance >= found.measured.distance:
        bounds.append(found.certified)
    error = found.sampling_error + found.loss_error
    low, high = max(found.test_loss - error, 0.0), found.test_loss + error
    # The loss has values in [0, b]; so has its mean, whatever the held-out points leave open.
    high = min(high, found.loss.largest) if low <= found.loss.largest else high
    shape = (len(bounds),)
    symbols = {
        "risk": Interval(np.full(shape, low), np.full(shape, high)),
        "empirical_risk": around(np.full(shape, found.train_loss), found.loss_error, found.loss_error),
        "gap_bound": around(np.array([bound.gap for bound in bounds]), 0.0, 0.0),
    }
    (claim,) = THEOREM_H1.claims
    checked = check(claim, THEOREM_H1.id, symbols, np.full(shape, step))
    radii = "at the measured radius" if len(bounds) == 1 else "at the measured and the certified radius"
    reason = (
        f"{checked.verdict.value} ({radii}; the expected loss from {found.held_out_points} held-out points by Hoeffding's "
        f"inequality, with confidence {1 - found.failure_probability:g}); {found.measured.words}"
    )
    return dataclasses.replace(checked, reason=reason, vacuous=found.measured.vacuous)


def _check_h2(found: Generalization, slopes: Interval, step: int) -> list[CheckedClaim]:
    symbols = {
        "Lip": around(np.array([found.lipschitz]), 0.0, 0.0),
        "input_slope": slopes,
        "risk_difference": around(np.array([abs(found.gap)]), 2 * found.loss_error, 2 * found.loss_error),
        "transport": around(np.array([found.transport]), 0.0, 0.0),
    }
    slope, risk = (check(claim, THEOREM_H2.id, symbols, np.array([step])) for claim in THEOREM_H2.claims)
    where = "on the sample and the held-out points"
    vacuous = found.transport_vacuous
    words = "; vacuous: the transport costs the largest loss, as much as any two losses can differ" if vacuous else ""
    return [
        dataclasses.replace(slope, reason=f"{slope.verdict.value} ({where})"),
        dataclasses.replace(risk, reason=f"{risk.verdict.value} ({where}){words}", vacuous=vacuous),
    ]


@dataclass(frozen=True)
class Pairs:
    """A point x, (d,), and others at a positive distance from it, (p, d); apart: |x - x'|, moved: |f(x) - f(x')|, both (p,)."""

    point: Array
    others: Array
    apart: Array
    moved: Array


def pairs(inputs: tuple[Array, Array], outputs: tuple[Array, Array]) -> Iterator[Pairs]:
    """The pairs of different points among the first ``MOST_POINTS`` of either sample, each once."""
    x, f = (np.vstack([part[:MOST_POINTS] for part in parts]) for parts in (inputs, outputs))
    for i in range(len(x) - 1):
        apart = np.sqrt(np.sum((x[i + 1 :] - x[i]) ** 2, axis=1))
        moved = np.sqrt(np.sum((f[i + 1 :] - f[i]) ** 2, axis=1))
        different = apart > 0
        if different.any():
            yield Pairs(x[i], x[i + 1 :][different], apart[different], moved[different])


def _input_slope(inputs: tuple[Array, Array], outputs: tuple[Array, Array], output_error: float) -> Interval:
    """The largest |f(x) - f(x')|/|x - x'| over the pairs, an interval of shape (1,)."""
    relative = 8 * (inputs[0].shape[1] + outputs[0].shape[1] + 4) * UNIT_ROUNDOFF
    low, high = 0.0, 0.0
    for pair in pairs(inputs, outputs):
        moved, apart = pair.moved, pair.apart
        low = np.maximum(low, np.max((moved * (1 - relative) - 2 * output_error) / apart))  # NaN stays NaN: undecided
        high = np.maximum(high, np.max((moved + 2 * output_error) / apart) * (1 + 2 * relative))
    return Interval(np.array([low]), np.array([high]))
