"""Theorem A1 for the float64 run of this program: how many steps of ``numerics.training`` follow the envelope, and to which floor.

With eps_k := (theta_k - theta_{k+1})/eta - grad J(theta_k) any run is an inexact gradient descent. ``gradient_rounding`` bounds
|eps_k| by an eps for all theta in B(R) about theta_N with residual at most S. Take S so that Theorem A with S in the place of s_0
stays within R: S = kappa Phi(r), r just below R and sigma0/beta'. By induction over k, A1 with the errors so far gives s_k <= S_k
<= S and theta_k in B(R), so that the next error is at most eps too, as long as S_N = s_0 + N eta kappa c1 eps <= S. A larger R
buys more steps until beta(R) or Lambda(R) has grown too much: R is chosen to cover most steps. (The ball of the certificate
itself exceeds the path only by ``enclosure.BALL_ROOM``, where such a ball passes.)

What is trusted besides: IEEE arithmetic, LLVM compiling what is written, BLAS products that are sums of products in some order.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from theorems.arithmetic import BALL, exactly, lower, upper, working_precision
from theorems.catalogue import theorem
from theorems.records import Theorem, evaluate_expression, is_met
from verify.gradient_rounding import SQUARE, OnBall, RunStart, gradient_error, kernel_ulps, on_ball
from verify.kernel_accuracy import proved_accuracy
from verify.rigor import Rigor, float_above

CANDIDATES = 64  # radii tried
BELOW = 2.0**-20  # relative distance kept from the ends of open conditions
MOST_STEPS = 10**18


@dataclass(frozen=True)
class Envelope:
    """s_k <= rate^k s_0 + floor for all k <= steps, counted from theta_N."""

    steps: int
    rate: float
    floor: float


@dataclass(frozen=True)
class FloatingRun:
    """The guarantee. gradient_error: eps, for every gradient of the steps covered. steps: N, how many steps from theta_N on are
    covered.

    lasting: the envelope of the first N/2 steps (over all N its rate would be nearly 1). settling: the envelope of only as many
    steps as it takes to fall to twice its floor; None when N/2 are not enough. residual_bound: s_k <= residual_bound for all k
    <= N. ball_radius: the R that was used. rigor: floating point when taints names something that is not enclosed.
    """

    gradient_error: float
    steps: int
    settling: Envelope | None
    lasting: Envelope
    residual_bound: float
    ball_radius: float
    rigor: Rigor
    taints: tuple[str, ...]


@dataclass(frozen=True)
class NotCovered:
    """Why not even one step is covered: the hypothesis' id (or "error", when one step's error is already too much) and a
    sentence."""

    hypothesis: str
    reason: str


def guarantee(start: RunStart, radius: float | None = None) -> FloatingRun | NotCovered:
    """How many steps of the float64 run from theta_N follow the envelope of Theorem A1, and to which floor; or why none does.

    radius: R; None picks the one that covers most steps. Source: docs/theory.md, A1.
    """
    ulps, taint = kernel_ulps(start)
    taints = list(start.taints) + ([taint] if taint else [])
    if start.loss not in SQUARE:
        taints.append(f"rounding of the derivative of the loss {start.loss!r}")
    ball = on_ball(start, _best_radius(start, ulps) if radius is None else radius)
    found = _covered(start, ball, ulps)
    if isinstance(found, NotCovered):
        return found
    accuracy = proved_accuracy(start.activation)
    largest = 2 * float(ball.preactivation[:-1].max(initial=0.0))
    if accuracy is not None and not largest <= accuracy.largest:
        taints.append(f"activation kernel of {start.activation!r} beyond |z| = {accuracy.largest:g}")
    return dataclasses.replace(found, rigor=Rigor.FLOATING_POINT if taints else Rigor.RIGOROUS, taints=tuple(taints))


def _best_radius(start: RunStart, ulps: float) -> float:
    """The radius that covers most steps, or, where none covers any, the one with most room in q; a search in floats.

    Candidates grow from the path of exact gradient descent to twice sigma0/beta(0), beyond which Phi decreases.
    """
    beta = on_ball(start, 0.0, exact=False).beta
    sigma0 = math.sqrt(float(start.lambda0))
    path = float(start.residual) / sigma0 * math.sqrt(float(start.mu / start.smoothness))
    best, most = path, 0
    elsewhere: float | None = None  # the smallest radius on which q leaves room and something else does not
    for radius in np.geomspace(max(path / 2, 1e-12 * sigma0 / beta), 2 * sigma0 / beta, CANDIDATES).tolist():
        found = _covered(start, on_ball(start, radius, exact=False), ulps)
        if isinstance(found, FloatingRun) and found.steps > most:
            best, most = radius, found.steps
        elif isinstance(found, NotCovered) and found.hypothesis not in ("q", "radius") and elsewhere is None:
            elsewhere = radius
    return best if most or elsewhere is None else elsewhere


def _covered(start: RunStart, ball: OnBall, ulps: float) -> FloatingRun | NotCovered:
    """Theorem A1 on the ball, in balls of numbers; rigor and taints are still to be filled in."""
    with working_precision():
        values: dict[str, Fraction | float] = {
            "L": start.smoothness, "mu": start.mu, "lambda0": start.lambda0, "lambda_max": start.lambda_max,
            "eta": start.step_size, "R": ball.radius, "beta": ball.beta,
        }  # fmt: skip
        if not all(math.isfinite(value) for value in values.values()):
            return NotCovered("radius", f"the constants on the ball of radius {ball.radius:.3g} have no bound")
        known = {name: BALL.constant(exactly(value)) for name, value in values.items()}
        s0 = exactly(start.residual)
        cap = _residual_cap(start, known)
        if cap is None:
            return NotCovered("kappa", f"eta L lambda0 must be below 1 with the step {start.step_size:.6g}")
        if not cap > s0:
            detail = f"the residual {float(s0):.3g} must be below {float(cap):.3g} on the ball of radius {ball.radius:.3g}"
            return NotCovered("q", detail)
        eps = gradient_error(start, ball, float_above(cap), ulps)
        if not eps < math.inf:
            return NotCovered("error", "the rounding error of the gradient has no bound")
        known["epsilon"] = BALL.constant(exactly(eps))
        # What one step can add to the residual does not depend on s_0.
        constants = _constants(theorem("A1"), start, {**known, "s0": BALL.constant(cap), "steps": BALL.constant(Fraction(1))})
        per_step = known["eta"] * constants["kappa"] * constants["c1"] * known["epsilon"]
        if not per_step.is_finite():
            return NotCovered("step", f"the constants of Theorem A1 do not exist with the step {start.step_size:.6g}")
        steps = min(int((cap - s0) / upper(per_step)), MOST_STEPS)
        failed = _failed(start, known, s0 + steps * upper(per_step))
        if failed is not None:
            return failed
        if steps < 1:
            return NotCovered("error", f"the error {eps:.3g} of one gradient is more than the room of the theorem")

        def over(count: int) -> Envelope:
            return _envelope(start, known, s0, count)

        settling = _settling(over, float(s0), steps // 2)
        return FloatingRun(eps, steps, settling, over(steps // 2), float_above(cap), ball.radius, Rigor.FLOATING_POINT, ())


def _envelope(start: RunStart, known: dict[str, Any], s0: Fraction, steps: int) -> Envelope:
    """A1-f over so many steps: the record's rate and floor with all errors up to the last of them."""
    values = {**known, "s0": BALL.constant(s0), "steps": BALL.constant(Fraction(steps))}
    constants = _constants(theorem("A1"), start, values)
    return Envelope(steps, float_above(upper(constants["rate_k"])), float_above(upper(constants["floor_k"])))


def _residual_cap(start: RunStart, known: dict[str, Any]) -> Fraction | None:
    """A residual S with q(S) < 1 and rbar(S) < R: kappa Phi(r) for r just below both R and sigma0/beta'."""
    sample = _constants(_convergence(start), start, {**known, "s0": BALL.constant(Fraction(1))})
    kappa, beta_prime, sigma0 = sample["kappa"], sample["beta_prime"], BALL.sqrt(known["lambda0"])
    if not (kappa.is_finite() and lower(kappa) > 0):
        return None
    r = min(lower(known["R"]), lower(sigma0 / beta_prime)) * (1 - exactly(BELOW))
    return lower(kappa * (sigma0 * BALL.constant(r) - beta_prime * BALL.constant(r) ** 2 / 2))


def _convergence(start: RunStart) -> Theorem:
    return theorem("A-square" if start.smoothness == start.mu == 1 else "A")


def _constants(statement: Theorem, start: RunStart, values: dict[str, Any]) -> dict[str, Any]:
    """The statement's constants in balls; kappa = 1 for L = mu, where its formula may be 0/0."""
    known = dict(values)
    for constant in statement.constants:
        if constant.name == "kappa" and start.smoothness == start.mu:
            known["kappa"] = BALL.constant(Fraction(1))
        else:
            known[constant.name] = evaluate_expression(constant.expression, known, BALL)
    return known


def _failed(start: RunStart, known: dict[str, Any], residual: Fraction) -> NotCovered | None:
    """The first hypothesis of Theorem A that is not proved with S_N for s_0 (q_N < 1, R > rbar_N, the step), or None."""
    statement = _convergence(start)
    constants = _constants(statement, start, {**known, "s0": BALL.constant(residual)})
    for hypothesis in statement.hypotheses:
        margin = evaluate_expression(hypothesis.margin, constants, BALL)
        if not margin.is_finite() or not is_met(lower(margin), hypothesis.strict):
            where = f"on the ball of radius {float(known['R']):.3g}"
            return NotCovered(hypothesis.id, f"{hypothesis.statement}: margin {float(margin):.3g} {where}")
    return None


def _settling(over: Callable[[int], Envelope], s0: float, steps: int) -> Envelope | None:
    """The envelope over the fewest steps after which rate^k s_0 is below its floor (to within 1%); None when ``steps`` are too few.

    Fewer steps have a better rate and a lower floor, so the count is found by doubling and bisection; what is returned is checked.
    """
    if steps < 1:
        return None
    count = 1
    while not _needed(over(count), s0) <= count:
        if count == steps:
            return None
        count = min(2 * count, steps)
    too_few = count // 2
    while count - too_few > max(1, count // 100):
        middle = (count + too_few) // 2
        if _needed(over(middle), s0) <= middle:
            count = middle
        else:
            too_few = middle
    return over(count)


def _needed(envelope: Envelope, residual: float) -> int:
    """The least k with rate^k residual <= floor, with one step to spare for rounding; MOST_STEPS + 1 when there is none."""
    if residual <= envelope.floor:
        return 0
    if not envelope.rate < 1:
        return MOST_STEPS + 1
    steps = math.log(residual / envelope.floor) / -math.log(envelope.rate)
    return min(math.ceil(steps * (1 + 1e-9)) + 1, MOST_STEPS + 1)
