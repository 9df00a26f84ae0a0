"""What follows from a certificate by B, C and H: bounds for the limit of exact gradient descent, evaluated where the theorem was.

theta_inf is that limit, v = theta_inf - theta_N, u = theta* - theta_N for a nearest solution theta*. Certified are |u| <= |v| <=
rbar, and lambda0, lambda_max and s_0 from one side. Every bound below increases with |u|, which is therefore replaced by rbar, and
with s_0: rbar/s_0 does too, because a larger s_0 only lowers its denominator, through q and through k0 and sigma~.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from numerics.errors import NumericsError
from numerics.roundoff import norm_between
from theorems.arithmetic import BALL, ball, exactly, lower, upper, working_precision
from theorems.neurons import neuron_constants
from theorems.records import Claim, Theorem, evaluate_expression
from theorems.statements.implicit import THEOREM_B1, THEOREM_B2, THEOREM_B3, THEOREM_B4, THEOREM_B5
from theorems.statements.lazy import THEOREM_C2, THEOREM_C3
from theorems.statements.network import THEOREM_E
from verify.certificate_consequences import Consequences, Implicit, Lazy
from verify.certificate_record import Certificate
from verify.certified_risk import CertifiedRisk, certified_risk
from verify.errors import ProblemError
from verify.fields import one_line
from verify.point import Point
from verify.rigor import Rigor
from verify.setup import Setup, Theta


@dataclass(frozen=True)
class CertifiedConsequences:
    """implicit, lazy: upper bounds, None where nothing is claimed; 0 for changes of a layer that is not trained. risk: H1 at the
    limit, or why there is none. rigor: of the certificate.
    """

    rigor: Rigor
    implicit: Implicit
    lazy: Lazy
    risk: CertifiedRisk | str

    @property
    def stated(self) -> Consequences[Decimal]:
        """What a certificate says of it."""
        return Consequences(self.implicit, self.lazy, None if isinstance(self.risk, str) else self.risk.stated)


def consequences(setup: Setup, certificate: Certificate, theta: Theta, theta0: Theta | None) -> CertifiedConsequences:
    """Evaluate B, C and H at the certificate.

    certificate: one that certifies, at ``theta``. theta0: the weights where the run began, drawn without the data, about which H1
    holds; None where they are not known.
    """
    assert certificate.certified
    assert certificate.point is not None
    with working_precision():
        known = {name: ball(value.lower, value.upper) for name, value in certificate.constants.items()}
        known["nearest"] = known["rho"] = BALL.constant(upper(known["rbar"]))
        return CertifiedConsequences(
            rigor=certificate.rigor,
            implicit=_implicit(known),
            lazy=_lazy(setup, certificate.point, theta, known),
            risk=_risk(setup, certificate, theta, theta0),
        )


def _implicit(known: Mapping[str, Any]) -> Implicit:
    """B1 to B3 are finite where Tbar is: 1 - t is positive for all values within the enclosures."""
    return Implicit(
        outside_range=upper(_evaluated(THEOREM_B1, "B1", known)),
        excess=upper(_evaluated(THEOREM_B2, "B2", known)),
        distance_to_nearest=upper(_evaluated(THEOREM_B3, "B3", known)),
        distance_quotient=_bound(THEOREM_B4, "B4", known) if upper(known["s0"]) > 0 else None,
        nearest_is_unique=_is_unique(known),
    )


def _lazy(setup: Setup, point: Point, theta: Theta, known: Mapping[str, Any]) -> Lazy:
    layers = [setup.architecture.layer(theta, layer) for layer in range(1, setup.architecture.layers + 1)]
    norms = [BALL.constant(exactly(norm_between(layer)[0])) for layer in layers]
    trained = setup.architecture.trained
    total = BALL.sqrt(sum((norm**2 for norm, moves in zip(norms, trained, strict=True) if moves), BALL.constant(Fraction(0))))
    reach = neuron_constants(point.signals_in_balls(), known["R"], BALL)
    moved = _evaluated(THEOREM_C2, "C2-neurons", known)
    return Lazy(
        kernel_change=upper(_evaluated(THEOREM_E, "C1", known)),
        relative_change=_relative(known, total),
        relative_layer_changes=tuple(
            _relative(known, norm) if moves else Fraction(0) for norm, moves in zip(norms, trained, strict=True)
        ),
        neuron_changes=tuple(
            upper(constant * moved) if moves else Fraction(0) for constant, moves in zip(reach, trained, strict=True)
        ),
        linearized_distance=_linearized(setup, known),
    )


def _claim(record: Theorem, name: str) -> Claim:
    return next(claim for claim in record.claims if claim.id == name)


def _evaluated(record: Theorem, name: str, known: Mapping[str, Any]) -> Any:
    """The claim's bound in balls."""
    values = record.evaluate_constants(known, BALL)
    return evaluate_expression(_claim(record, name).bound, values, BALL)


def _bound(record: Theorem, name: str, known: Mapping[str, Any]) -> Fraction | None:
    found = _evaluated(record, name, known)
    return upper(found) if found.is_finite() else None


def _is_unique(known: Mapping[str, Any]) -> bool:
    """Whether B5's t_u < 1/2 holds for every u of at most rbar."""
    values = THEOREM_B5.evaluate_constants(known, BALL)
    return bool(lower(THEOREM_B5.margins(values, BALL)["half"]) > 0)


def _linearized(setup: Setup, known: Mapping[str, Any]) -> Fraction | None:
    """C3, for the square loss and steps that its hypothesis allows."""
    if not setup.loss.is_square:
        return None
    values = THEOREM_C3.evaluate_constants(known, BALL)
    contraction = THEOREM_C3.margins(values, BALL)["contraction"]
    return _bound(THEOREM_C3, "C3", known) if lower(contraction) >= 0 else None


def _relative(known: Mapping[str, Any], norm: Any) -> Fraction | None:
    """C2 for weights of that norm."""
    return _bound(THEOREM_C2, "C2", {**known, "theta_norm": norm}) if lower(norm) > 0 else None


def _risk(setup: Setup, certificate: Certificate, theta: Theta, theta0: Theta | None) -> CertifiedRisk | str:
    if certificate.rigor is not Rigor.RIGOROUS:
        return "floating point certificates bound the loss on unseen data beside the held-out points"
    if theta0 is None:
        return "the weights that the run began with are not known"
    try:
        return certified_risk(setup, certificate, theta, theta0)
    except (ProblemError, NumericsError) as error:
        return one_line(error)
