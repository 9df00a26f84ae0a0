"""H1 at the limit of a run, with every number enclosed: what a rigorous certificate says of the loss on unseen data.

The ball is about theta0, the weights drawn without the data, and contains theta_inf: |theta_N - theta0| + rbar <= r_j. At theta_inf
the outputs less the offsets are the loss's minimizers, so the mean loss on the sample is known as well. H2's Lipschitz constant is
stated for inputs of bounded norm, on the certificate's ball about theta_N.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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
from theorems.statements.generalization import THEOREM_H2
from verify.certificate_consequences import NormBounds, RiskChoices, StatedRisk
from verify.certificate_record import Certificate
from verify.enclosed_point import NORM_DIGITS, norm_decimals
from verify.errors import ProblemError
from verify.held_out import held_out
from verify.point import as_balls
from verify.rigor import decimal_above
from verify.risk_bound import constants_of_h1, first_radius_of, radius_index, require_h1
from verify.setup import Setup, Theta

Array = NDArray[np.float64]

# sup |phi'| is stated so much larger for H2: a checker looks at a long interval and not at the line, and should find it easily also
# where the supremum is approached at infinity.
SLOPE_ROOM = Fraction(1, 1000)


@dataclass(frozen=True)
class CertifiedRisk:
    """stated: what H1 says of theta_inf, and H2 of its slope, in decimals. initial: the weights theta0. assumption: what the law's
    side rests on."""

    stated: StatedRisk[Decimal]
    initial: Theta
    assumption: str


def certified_risk(setup: Setup, certificate: Certificate, theta: Theta, theta0: Theta) -> CertifiedRisk:
    """Evaluate H1 for the limit of the run that the certificate, a rigorous one at ``theta``, certifies.

    Raises ProblemError where H1 does not apply, and NumericsError where theta0 cannot be enclosed.
    """
    assumption = _assumption(setup)
    assert certificate.point is not None
    assert certificate.witness is not None
    given = certificate.witness.given
    own = np.array_equal(theta, theta0)
    found = setup.enclosed(theta0)
    with working_precision():
        here = certificate.point.signals_in_balls()
        norms = None if own else NormBounds[Decimal](**norm_decimals(found))
        start = here if norms is None else _signals(here, norms)
        distance = _above(exactly(norm_between(theta - theta0)[1]) + certificate.constants["rbar"].upper)
        choices = _choices(setup, Fraction(distance))
        radius = exactly(choices.first_radius) * 2 ** (choices.index - 1)
        curvatures = tuple(_ball_above(beta) for beta in pointwise_betas(start, BALL.constant(radius), BALL))
        terms = {
            "distance_at_most": distance,
            **_h1(setup, choices, found, distance, curvatures, given["L"]),
            **_h2(setup, choices.centered, here, start, given["R"]),
        }
        return CertifiedRisk(StatedRisk(choices, norms, curvatures, terms), theta0, assumption)


def _assumption(setup: Setup) -> str:
    """What it takes to read the points as independent draws from one law. Raises ProblemError where H1 does not apply.

    A problem that takes every row is refused, because the scaling would be computed from the sample alone.
    """
    data, options = setup.dataset, setup.problem.generalization
    if not options.held_out:
        raise ProblemError("the problem asks for no judgment on unseen data")
    require_h1(setup)
    if options.loss == "ramp" and (data.targets.shape[1] != 1 or not data.targets.all()):
        raise ProblemError("the ramp loss wants one output and targets of two signs")
    return held_out(setup.problem.data, setup.problem.loss, fresh=1).assumption


def _choices(setup: Setup, distance: Fraction) -> RiskChoices:
    """What the problem chooses, and the first radius that is not below the distance."""
    options, problem = setup.problem.generalization, setup.problem
    first = first_radius_of(setup, options.first_radius)
    index = radius_index(exactly(first), distance)
    parameter = options.clip if options.loss == "clipped" else options.margin
    assert parameter is not None
    return RiskChoices(
        loss=options.loss,
        parameter=parameter,
        failure_probability=problem.certificate.failure_probability,
        first_radius=first,
        index=index,
        centered=problem.network.centered,
    )


def _h1(
    setup: Setup,
    choices: RiskChoices,
    found: EnclosedSnapshot,
    distance: Decimal,
    curvatures: Sequence[Decimal],
    smoothness: Fraction,
) -> dict[str, Decimal]:
    """H1 at the stated decimals. found: theta0. curvatures: beta_i."""
    n, k = setup.dataset.targets.shape
    slope, kernel_mean = _ball_above(_loss_slope(choices, smoothness)), _kernel_mean(setup, found)
    exact = {
        "n": n,
        "b": choices.largest,
        "rho_loss": Fraction(slope),
        "beta_mean": sum((Fraction(beta) for beta in curvatures), Fraction(0)) / n,
        "r_1": choices.first_radius,
        "j": choices.index,
        "delta": choices.failure_probability,
        "distance": Fraction(distance),
    }
    known = constants_of_h1(exact, BALL.constant(Fraction(kernel_mean)), k, BALL)
    split = {f"{name}_at_most": _ball_above(known[name]) for name in ("linear_term", "curvature_term", "deviation_term")}
    gap = _above(sum(map(Fraction, split.values()), Fraction(0)))
    loss = _above(_loss_at_limit(setup, choices, found, Fraction(slope)))
    return {
        "loss_slope_at_most": slope,
        "kernel_mean_at_most": kernel_mean,
        **split,
        "gap_at_most": gap,
        "empirical_loss_at_most": loss,
        "expected_loss_at_most": _above(Fraction(loss) + Fraction(gap)),
    }


def _loss_slope(choices: RiskChoices, smoothness: Fraction) -> Any:
    """The Lipschitz constant of the loss in the output, a ball."""
    parameter = BALL.constant(exactly(choices.parameter))
    return 1 / parameter if choices.loss == "ramp" else BALL.sqrt(2 * BALL.constant(smoothness) * parameter)


def _kernel_mean(setup: Setup, found: EnclosedSnapshot) -> Decimal:
    """The mean of |df(x_i)|_F^2 from the diagonal of the kernel, which carries the weights of the points."""
    outputs, weights = setup.architecture.outputs, setup.dataset.sample_weights
    middles, radii = (np.diagonal(part) for part in (found.kernel.mid, found.kernel.radius))
    entries = enumerate(zip(middles.tolist(), radii.tolist(), strict=True))
    terms = ((exactly(m) + exactly(r)) / exactly(float(weights[at // outputs])) for at, (m, r) in entries)
    total = sum(terms, Fraction(0))
    return _above(total / setup.dataset.points)


def _loss_at_limit(setup: Setup, choices: RiskChoices, found: EnclosedSnapshot, slope: Fraction) -> Fraction:
    """The mean loss on the sample where the outputs less the offsets are the minimizers.

    The outputs that are judged differ from that by what the offsets differ from f_theta0, or from 0. A clipped loss, less its
    infimum, is 0 at a minimizer; the ramp is 1 less what the minimizer is on the target's side, over the margin, within [0, 1].
    """
    initial = found.outputs if choices.centered else MidRad(np.zeros_like(setup.offsets))
    total = Fraction(0)
    for i in range(setup.dataset.points):
        entries = zip(setup.offsets[i].tolist(), initial.mid[i].tolist(), initial.radius[i].tolist(), strict=True)
        squares = sum(((abs(exactly(o) - exactly(m)) + exactly(r)) ** 2 for o, m, r in entries), Fraction(0))
        total += slope * upper(BALL.sqrt(BALL.constant(squares)))
        if choices.loss == "ramp":
            target = float(setup.dataset.targets[i, 0])
            place = setup.loss.minimizer(target)
            aligned = place.lower if target > 0 else -place.upper
            total += min(max(1 - aligned / exactly(choices.parameter), Fraction(0)), Fraction(1))
    return total / setup.dataset.points


def _h2(setup: Setup, centered: bool, here: SignalsAtPoint, start: SignalsAtPoint, radius: Fraction) -> dict[str, Decimal]:
    """H2's Lip for theta in B(R) about theta_N; the inputs may be as large as those of the sample."""
    assert setup.bounds is not None
    steepest = _above(setup.bounds.slope * (1 + SLOPE_ROOM))
    here, start = (dataclasses.replace(found, slope=BALL.constant(Fraction(steepest))) for found in (here, start))
    known = {
        "alpha": BALL.constant(abs(exactly(setup.architecture.output_scale))),
        "gain": input_gain(here, BALL.constant(radius), BALL),
        "gain_0": input_gain(start, BALL.constant(Fraction(0)), BALL) if centered else BALL.constant(Fraction(0)),
    }
    lipschitz = next(constant for constant in THEOREM_H2.constants if constant.name == "Lip")
    value = evaluate_expression(lipschitz.expression, known, BALL)
    farthest = max(exactly(norm_between(row)[1]) for row in setup.dataset.inputs)
    return {
        "input_radius": _above(farthest),
        "activation_slope_at_most": steepest,
        "input_slope_at_most": _ball_above(value),
    }


def _signals(here: SignalsAtPoint, norms: NormBounds[Decimal]) -> SignalsAtPoint:
    """The signals at theta0: scales and suprema are those at theta. What depends on nu is not read at single points."""
    return dataclasses.replace(here, **{name: as_balls(values) for name, values in vars(norms).items()})


def _ball_above(value: Any) -> Decimal:
    if not value.is_finite():
        raise NumericsError("a number of H1 at these weights is not finite")
    return _above(upper(value))


def _above(value: Fraction) -> Decimal:
    try:
        return decimal_above(value, NORM_DIGITS)
    except InputError as error:  # beyond what a certificate can state
        raise NumericsError(f"H1 has a number that cannot be stated: {error}") from None
