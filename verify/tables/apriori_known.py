"""What a case of kind apriori knows: its prior, the constants on B(R*), and the certificate that they give."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from theorems.activations import Activation, activation
from theorems.apriori.blueprint import Blueprint, blueprint
from theorems.apriori.constants import Prior, contradiction, initial, jacobian_square, path_radius, quantities
from theorems.apriori.eigenvalue import Chernoff, Granted
from theorems.arithmetic import BALL, exactly, working_precision
from theorems.catalogue import theorem
from theorems.errors import InputError
from theorems.infinite_kernel import Normalization, wide_network
from theorems.laws import Law
from verify.apriori.certificate import AprioriCertificate, certificate_of
from verify.apriori.prior import points_of, prior_of_law, value_at_zero
from verify.data import Dataset
from verify.infinite_width import LimitEigenvalue, limit_spectrum
from verify.rigor import decimal_below
from verify.tables import losses, shapes
from verify.tables.keys import moves
from verify.tables.statements import applies


@dataclass(frozen=True)
class Known:
    """A prior, and what follows from it on B(R*), in balls. applies: whether a convergence theorem does there: with the step of
    ``values`` for the square loss, and at every small enough step for any other (``theorems.apriori.constants``). reason: why there
    are no other values."""

    prior: Prior
    values: Mapping[str, Any]
    applies: str
    reason: str = ""


def _phi(case: Mapping[str, Any]) -> Activation:
    return activation(case["activation"])


def _plan(case: Mapping[str, Any], dimension: Any, outputs: int, points: int, width: Any) -> Blueprint:
    phi = _phi(case)
    return blueprint(
        (dimension, *shapes.widths(case, width), outputs),
        slope=phi.slope_bound().upper,
        curvature=phi.curvature_bound().upper,
        at_zero=value_at_zero(phi),
        points=points,
        weight_scale=case["weight_scale"],
        bias_scale=case["bias_scale"],
        output_scale=case["output_scale"],
        trained=moves("trained", case["trained"], case["layers"]),
        output_layer=case["output_layer"],
    )


def prior_at(case: Mapping[str, Any], width: int, data: Dataset | None) -> Prior:
    """What is known at this multiple of the hidden layers' ratios, from the case's law or from ``data``."""
    if data is not None:
        return _prior_of_data(case, width, data)
    law: Law = case["_law"]
    plan = _plan(case, law.known_dimension("an a-priori constant"), case["outputs"], case["points"], width)
    known: dict[str, Any] = case["_loss_numbers"]
    prior = prior_of_law(
        plan,
        law,
        label_norm=known["label_norm"],
        lambda0=case["lambda0"],
        failure_probability=case["failure_probability"],
        centered=case["centered"],
        certain=case["certain"],
        method=case["method"],
    )
    return replace(prior, **known)


def _prior_of_data(case: Mapping[str, Any], width: int, data: Dataset) -> Prior:
    plan = _plan(case, data.dimension, data.outputs, data.points, width)
    points = points_of(plan, data.inputs, data.sample_weights)
    granted = case.get("lambda0")
    return Prior(
        plan=plan,
        data=points,
        eigenvalue=_chernoff(case, data, points.gram_norm) if granted is None else Granted(granted),
        failure_probability=case["failure_probability"],
        centered=case["centered"],
        certain=case["certain"],
        **losses.numbers_on_data(case["_loss"], data),
    )


def _chernoff(case: Mapping[str, Any], data: Dataset, gram_norm: Any) -> Chernoff:
    scales = (case["weight_scale"], case["bias_scale"], case["output_scale"])
    found = _limit(case["activation"], scales, data.inputs.tobytes(), data.inputs.shape, data.sample_weights.tobytes())
    if found.lower <= 0:
        raise InputError(f"the infinite-width kernel of the first layer must be positive definite, lambda_min is {found}")
    return Chernoff(found.lower, gram_norm**2)


@functools.lru_cache(maxsize=4)  # rows that differ in the probability alone stand together
def _limit(
    name: str, scales: tuple[Fraction, Fraction, Fraction], inputs: bytes, shape: tuple[int, int], weights: bytes
) -> LimitEigenvalue:
    """The smallest eigenvalue of the infinite-width kernel of the first layer, on points and weights given as bytes of doubles."""
    sigma_w, sigma_b, alpha = scales
    network = wide_network(name, 1, weight_scale=sigma_w, bias_scale=sigma_b, output_scale=alpha, trained=(True, False))
    points = np.frombuffer(inputs).reshape(shape)
    shares = [exactly(float(x)) for x in np.frombuffer(weights)]
    return limit_spectrum(network, points, normalization=Normalization.MEAN, sample_weights=shares).tangent


def known_of(case: Mapping[str, Any], prior: Prior) -> Known:
    """The numbers of Theorem F on B(R*), for the square loss with Theorem A-square's step just below 1/Lambda."""
    with working_precision():
        at = initial(prior, BALL)
        numbers = {"L": BALL.numbers(prior.smoothness), "mu": BALL.numbers(prior.mu)}
        start = {**numbers, "lambda_max": at.lambda_max, "s0": at.s0, "lambda0": at.lambda0}
        if not at.lambda0 > 0:
            return Known(prior, start, "no: H3", "lambda0 is not positive at this width")
        reason = contradiction(prior)
        if reason:
            return Known(prior, start, "no: spectrum", reason)
        values = quantities(prior, path_radius(at, case["target"], BALL), BALL, at)
        square = case["_loss"].is_square
        record = theorem("A-square" if square else "F")
        if square:
            values["eta"] = BALL.numbers((1 / jacobian_square(values, BALL)).lower() * (1 - BALL.numbers(Fraction(1, 1 << 60))))
        else:
            values["q_target"] = BALL.numbers(case["target"])
        found = record.evaluate_constants({str(item.symbol): values[str(item.symbol)] for item in record.quantities}, BALL)
        return Known(prior, numbers | found, applies(record, found))


def certified(case: Mapping[str, Any], prior: Prior, digits: int = 12) -> tuple[AprioriCertificate, Fraction | None]:
    """The certificate with the best rate found, and its step, of so many digits: the one found, cut off, and judged again."""
    first = certificate_of(prior, target=case["target"])
    if not first.certified:
        return first, None
    step = Fraction(decimal_below(first.constants["eta"][0], digits))
    again = certificate_of(prior, step_size=step, target=case["target"])
    return (again, step) if again.certified else (first, None)
