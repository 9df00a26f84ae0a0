"""H1 at the limit of a run, with every number enclosed: what a rigorous certificate says of the loss on unseen data.

The ball is about theta0, the weights drawn without the data, and contains theta_inf: |theta_N - theta0| + rbar <= r_j. At theta_inf
the outputs less the offsets are the loss's minimizers, so the mean loss on the sample is known as well. H2's Lipschitz constant is
stated for inputs of bounded norm, on the certificate's ball about theta_N.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.enclosed import EnclosedSnapshot
from numerics.errors import NumericsError
from numerics.midrad import MidRad
from numerics.roundoff import norm_between
from theorems.arithmetic import BALL, exactly, upper, working_precision
from theorems.ball import SignalsAtPoint
from theorems.errors import InputError
from theorems.pointwise import input_gain, pointwise_betas
from theorems.records import evaluate_expression
from theorems.statements.generalization import THEOREM_H1, THEOREM_H2
from verify.certificate_consequences import MOST_RADII, RiskChoices
from verify.certificate_record import Certificate
from verify.enclosed_point import NORM_DIGITS, norm_decimals
from verify.errors import ProblemError
from verify.held_out import held_out
from verify.point import as_balls
from verify.rigor import decimal_above
from verify.setup import Setup, Theta

Array = NDArray[np.float64]

# sup |phi'| is stated so much larger for H2: a checker looks at a long interval and not at the line, and should find it easily also
# where the supremum is approached at infinity.
SLOPE_ROOM = Fraction(1, 1000)


@dataclass(frozen=True)
class CertifiedRisk:
    """What H1 says of theta_inf, and H2 of its slope; decimals that a certificate can state.

    start: norms at theta0, None where theta0 is theta_N;
    initial: its weights. curvatures: beta_i on B(r_j). assumption: what the law's side rests on. terms: the bounds, under the keys
    of certificate.json.
    """

    choices: RiskChoices
    start: Mapping[str, Any] | None
    initial: Theta
    curvatures: tuple[Decimal, ...]
    assumption: str
    terms: Mapping[str, Decimal]

    @property
    def vacuous(self) -> bool:
        """Whether the bound says no more than that the loss is at most b."""
        return not Fraction(self.terms["expected_loss_at_most"]) < exactly(self.largest)

    @property
    def largest(self) -> float:
        """b."""
        return 1.0 if self.choices.loss == "ramp" else self.choices.parameter


def certified_risk(setup: Setup, certificate: Certificate, theta: Theta, theta0: Theta) -> CertifiedRisk:
    """Evaluate H1 for the limit of the run that the certificate, a rigorous one at ``theta``, certifies.

    Raises ProblemError where H1 does not apply, and NumericsError where theta0 cannot be enclosed.
    """
    options, problem = setup.problem.generalization, setup.problem
    assumption = _require(setup)
    assert certificate.point is not None
    assert certificate.witness is not None
    own = np.array_equal(theta, theta0)
    found = setup.enclosed(theta0)
    with working_precision():
        here = certificate.point.signals_in_balls()
        norms = None if own else norm_decimals(found)
        start = here if norms is None else _signals(here, norms)
        distance = _above(exactly(norm_between(theta - theta0)[1]) + certificate.constants["rbar"].upper)
        first = 1 / setup.architecture.output_scale if options.first_radius == "1/output_scale" else float(options.first_radius)
        index = _index(exactly(first), Fraction(distance))
        parameter = options.clip if options.loss == "clipped" else options.margin
        assert parameter is not None
        choices = RiskChoices(
            loss=options.loss,
            parameter=parameter,
            failure_probability=problem.certificate.failure_probability,
            first_radius=first,
            index=index,
            centered=problem.network.centered,
        )
        risk = CertifiedRisk(
            choices=choices,
            start=norms,
            initial=theta0,
            curvatures=tuple(
                _ball_above(beta) for beta in pointwise_betas(start, BALL.constant(exactly(first) * 2 ** (index - 1)), BALL)
            ),
            assumption=assumption,
            terms={"distance_at_most": distance},
        )
        terms = _terms(risk, setup, found, certificate.witness.given["L"])
        return dataclasses.replace(risk, terms=terms | _slope(risk, setup, here, start, certificate.witness.given["R"]))


def _require(setup: Setup) -> str:
    """What it takes to read the points as independent draws from one law. Raises ProblemError where H1 does not apply.

    A problem that takes every row is refused, because the scaling would be computed from the sample alone.
    """
    data, options = setup.dataset, setup.problem.generalization
    if not options.held_out:
        raise ProblemError("the problem asks for no judgment on unseen data")
    if not setup.at_initialization:
        raise ProblemError("theta0 must be drawn without the data for H1, but the weights of this problem were loaded from a file")
    if not np.all(data.sample_weights == data.sample_weights[0]):
        raise ProblemError("loss.weights must be uniform for H1: the mean over the sample is the plain one")
    if options.loss == "ramp" and (data.targets.shape[1] != 1 or not data.targets.all()):
        raise ProblemError("the ramp loss wants one output and targets of two signs")
    return held_out(setup.problem.data, setup.problem.loss, fresh=1).assumption


def _terms(risk: CertifiedRisk, setup: Setup, found: EnclosedSnapshot, smoothness: Fraction) -> dict[str, Decimal]:
    """H1 at the stated decimals."""
    n, k, b = setup.dataset.points, setup.dataset.targets.shape[1], BALL.constant(exactly(risk.largest))
    parameter = BALL.constant(exactly(risk.choices.parameter))
    rho = 1 / parameter if risk.choices.loss == "ramp" else BALL.sqrt(2 * BALL.constant(smoothness) * b)
    terms = dict(risk.terms) | {"loss_slope_at_most": _ball_above(rho), "kernel_mean_at_most": _kernel_mean(setup, found)}
    stated = {
        "n": Fraction(n),
        "b": exactly(risk.largest),
        "rho_loss": Fraction(terms["loss_slope_at_most"]),
        "k0_mean": Fraction(terms["kernel_mean_at_most"]),
        "beta_mean": sum((Fraction(beta) for beta in risk.curvatures), Fraction(0)) / n,
        "r_1": exactly(risk.choices.first_radius),
        "j": Fraction(risk.choices.index),
        "delta": exactly(risk.choices.failure_probability),
        "distance": Fraction(terms["distance_at_most"]),
    }
    values = {name: BALL.constant(value) for name, value in stated.items()}
    values["contraction"] = BALL.sqrt(BALL.constant(Fraction(1 if k == 1 else 2)))
    known = THEOREM_H1.evaluate_constants(values, BALL)
    for name in ("linear_term", "curvature_term", "deviation_term"):
        terms[f"{name}_at_most"] = _ball_above(known[name])
    gap = sum((Fraction(terms[f"{name}_at_most"]) for name in ("linear_term", "curvature_term", "deviation_term")), Fraction(0))
    terms["gap_at_most"] = _above(gap)
    terms["empirical_loss_at_most"] = _above(_loss_at_limit(risk, setup, found, Fraction(terms["loss_slope_at_most"])))
    terms["expected_loss_at_most"] = _above(Fraction(terms["empirical_loss_at_most"]) + Fraction(terms["gap_at_most"]))
    return terms


def _kernel_mean(setup: Setup, found: EnclosedSnapshot) -> Decimal:
    """The mean of |df(x_i)|_F^2 from the diagonal of the kernel, which carries the weights of the points."""
    outputs, weights = setup.architecture.outputs, setup.dataset.sample_weights
    middles, radii = (np.diagonal(part) for part in (found.kernel.mid, found.kernel.radius))
    entries = enumerate(zip(middles.tolist(), radii.tolist(), strict=True))
    terms = ((exactly(m) + exactly(r)) / exactly(float(weights[at // outputs])) for at, (m, r) in entries)
    total = sum(terms, Fraction(0))
    return _above(total / setup.dataset.points)


def _loss_at_limit(risk: CertifiedRisk, setup: Setup, found: EnclosedSnapshot, slope: Fraction) -> Fraction:
    """The mean loss on the sample where the outputs less the offsets are the minimizers.

    The outputs that are judged differ from that by what the offsets differ from f_theta0, or from 0. A clipped loss, less its
    infimum, is 0 at a minimizer; the ramp is 1 - |minimizer|/margin or 0, and minimizers are known to a relative 2^-52.
    """
    initial = found.outputs if risk.choices.centered else MidRad(np.zeros_like(setup.offsets))
    total = Fraction(0)
    for i in range(setup.dataset.points):
        entries = zip(setup.offsets[i].tolist(), initial.mid[i].tolist(), initial.radius[i].tolist(), strict=True)
        squares = sum(((abs(exactly(o) - exactly(m)) + exactly(r)) ** 2 for o, m, r in entries), Fraction(0))
        total += slope * upper(BALL.sqrt(BALL.constant(squares)))
        if risk.choices.loss == "ramp":
            size = abs(exactly(float(setup.minimizers[i, 0]))) * (1 - Fraction(1, 2**50))
            total += max(1 - size / exactly(risk.choices.parameter), Fraction(0))
    return total / setup.dataset.points


def _slope(risk: CertifiedRisk, setup: Setup, here: SignalsAtPoint, start: SignalsAtPoint, radius: Fraction) -> dict[str, Decimal]:
    """H2's Lip for theta in B(R) about theta_N; the inputs may be as large as those of the sample."""
    assert setup.bounds is not None
    steepest = _above(setup.bounds.slope * (1 + SLOPE_ROOM))
    here, start = (dataclasses.replace(found, slope=BALL.constant(Fraction(steepest))) for found in (here, start))
    known = {
        "alpha": BALL.constant(abs(exactly(setup.architecture.output_scale))),
        "gain": input_gain(here, BALL.constant(radius), BALL),
        "gain_0": input_gain(start, BALL.constant(Fraction(0)), BALL) if risk.choices.centered else BALL.constant(Fraction(0)),
    }
    lipschitz = next(constant for constant in THEOREM_H2.constants if constant.name == "Lip")
    value = evaluate_expression(lipschitz.expression, known, BALL)
    farthest = max(exactly(norm_between(row)[1]) for row in setup.dataset.inputs)
    return {
        "input_radius": _above(farthest),
        "activation_slope_at_most": steepest,
        "input_slope_at_most": _ball_above(value),
    }


def _signals(here: SignalsAtPoint, norms: Mapping[str, Any]) -> SignalsAtPoint:
    """The signals at theta0: scales and suprema are those at theta. What depends on nu is not read at single points."""
    return dataclasses.replace(here, **{name: as_balls(values) for name, values in norms.items()})


def _index(first: Fraction, distance: Fraction) -> int:
    index = 1
    while first * 2 ** (index - 1) < distance:
        index += 1
        if index > MOST_RADII:
            raise ProblemError(f"the distance from theta0 must be at most 2^{MOST_RADII - 1} first_radius, got {float(distance)!r}")
    return index


def _ball_above(value: Any) -> Decimal:
    if not value.is_finite():
        raise NumericsError("a number of H1 at these weights is not finite")
    return _above(upper(value))


def _above(value: Fraction) -> Decimal:
    try:
        return decimal_above(value, NORM_DIGITS)
    except InputError as error:  # beyond what a certificate can state
        raise NumericsError(f"H1 has a number that cannot be stated: {error}") from None
