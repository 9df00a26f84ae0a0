"""What follows from a certificate, derived again by the checker: B1 to B5, C1 to C3, H1 and the slope of H2.

Letters as in docs/theory.md.

theta_inf is the limit of exact gradient descent from theta, v = theta_inf - theta, u = theta* - theta for a nearest solution
theta*, t = beta rbar/sigma0. |u| <= |v| <= rbar, and what bounds v - u increases with |u|, so |u| may be replaced by rbar.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat

import verify.checker_balls as balls
from verify.certificate_arrays import START, Doubles
from verify.certificate_consequences import StatedRisk
from verify.certificate_file import Certificate
from verify.checker_balls import Statement, ball, show
from verify.checker_network import Signals, at_points, certificate_on_ball, norms_of_points, on_ball, suprema

Values = dict[str, Any]


def implicit(certificate: Certificate, values: Values) -> Iterator[Statement]:
    """B1 to B5."""
    given, stated, name = certificate.given, certificate.consequences.implicit, "implicit"
    sigma, beta, rbar, s = ball(given.lambda0).sqrt(), ball(given.beta), values["rbar"], ball(given.residual)
    t = beta * rbar / sigma
    lost = -(-t).log1p() - t
    yield balls.at_most(f"{name}.outside_range_at_most", sigma / beta * lost, stated.outside_range, "it")
    yield balls.at_most(f"{name}.excess_at_most", sigma / beta * (t**2 + lost), stated.excess, "it")
    apart = sigma / beta * (lost + t**2 / (1 - t)) / (1 - t**2).sqrt()
    yield balls.at_most(f"{name}.distance_to_nearest_at_most", apart, stated.distance_to_nearest, "it")
    if stated.distance_quotient is not None:
        quotient = rbar * (values["Lambda"] * ball(given.smoothness) / ball(given.mu)).sqrt() / s
        yield balls.at_most(f"{name}.distance_quotient_at_most", quotient, stated.distance_quotient, "it")
    if stated.nearest_is_unique:
        yield f"{name}.nearest_is_unique", t < arb(1) / 2, f"t must be below 1/2, it is {show(t)}"


def lazy(certificate: Certificate, signals: Signals, values: Values, square: bool) -> Iterator[Statement]:
    """C1 to C3; square: whether the loss is, with mu = L = 1."""
    given, stated, network, name = certificate.given, certificate.consequences.lazy, certificate.network, "lazy"
    lam, top, beta, rbar, s = ball(given.lambda0), ball(given.lambda_max), ball(given.beta), values["rbar"], ball(given.residual)
    drift = 2 * values["Lambda"].sqrt() * beta * rbar
    yield balls.at_most(f"{name}.kernel_change_at_most", drift, stated.kernel_change, "it")
    squares = [squared_norm(signals.arrays, m, bool(network.bias_scale)) for m in range(len(network.trained))]
    moving = [square for square, moves in zip(squares, network.trained, strict=True) if moves]
    if stated.relative_change is not None:
        change = rbar / sum(moving, arb(0)).sqrt()
        yield balls.at_most(f"{name}.relative_change_at_most", change, stated.relative_change, "it")
    found, Lp = certificate_on_ball(certificate, signals.scales), ball(certificate.bounds.slope)
    for m, moves in enumerate(network.trained):
        layer = stated.relative_layer_changes[m]
        if layer is not None:
            change = rbar / squares[m].sqrt() if moves else arb(0)
            yield balls.at_most(f"{name}.relative_layer_changes_at_most[{m}]", change, layer, "it")
        C = abs(arb(network.output_scale)) * (ball(certificate.bounds.gram_norms[m]) + signals.scales[m] * Lp * found.moved_nu[m])
        if m < len(network.trained) - 1:
            C *= Lp * found.E[m]
        far = C * values["Tbar"] if moves else arb(0)
        yield balls.at_most(f"{name}.neuron_changes_at_most[{m}]", far, stated.neuron_changes[m], "it")
    if stated.linearized_distance is not None:
        steps = ball(given.step_size) * (lam + top)
        yield f"{name}.square", square, "the distance to the linearized run is bounded for the square loss with mu = L = 1 only"
        yield f"{name}.contraction", steps <= 2, f"eta (lambda0 + lambda_max) must be at most 2, it is {show(steps)}"
        t = beta * rbar / lam.sqrt()
        lost = lam.sqrt() / beta * (-(-t).log1p() - t)
        gap = top.sqrt() * (beta * rbar * s / lam).min(lost) + beta * rbar**2 / 2
        yield balls.at_most(f"{name}.linearized_distance_at_most", gap, stated.linearized_distance, "it")


def squared_norm(arrays: dict[str, Doubles], m: int, biases: bool, before: str | None = None) -> Any:
    """|theta^l|^2, or with ``before`` the squared distance from the weights under that prefix."""
    total = arb(0)
    for letter in ("W", "b") if biases else ("W",):
        own = arrays[f"{letter}{m + 1}"].values
        row = arb_mat(1, len(own), own)
        if before is not None:
            row -= arb_mat(1, len(own), arrays[f"{before}{letter}{m + 1}"].values)
        total += (row * row.transpose())[0, 0]
    return total


def generalization(certificate: Certificate, signals: Signals, values: Values) -> Iterator[Statement]:
    """H1 at the limit of the run, and the slope of H2. That theta0, loss and radii do not depend on the sample is assumed."""
    judged, network = certificate.consequences.generalization, certificate.network
    if judged is None:
        return
    start = signals if judged.start is None else Signals(network, signals.arrays, START)
    yield from _ball_about_start(certificate, judged, signals, start, values)
    yield from _risk(certificate, judged, start)
    yield from _input_slope(certificate, judged, signals, start)


def _ball_about_start(
    certificate: Certificate, judged: StatedRisk[Fraction], signals: Signals, start: Signals, values: Values
) -> Iterator[Statement]:
    """theta_inf lies in B(r_j) about theta0, and beta_i there."""
    network, bounds, name = certificate.network, certificate.bounds, "generalization"
    norms, moved, biases = bounds.norms, arb(0), bool(network.bias_scale)
    if judged.start is not None:
        norms = judged.start
        yield from norms_of_points(norms, start, f"{name}.start.")
        squares = [squared_norm(signals.arrays, m, biases, START) for m in range(len(network.trained))]
        still = all(square == 0 for square, moves in zip(squares, network.trained, strict=True) if not moves)
        yield f"{name}.start", still, "layers that are not trained must be those of theta0"
        moved = sum(squares, arb(0)).sqrt()
    distance, radius = judged.terms["distance_at_most"], ball(judged.choices.first_radius) * arb(2) ** (judged.choices.index - 1)
    yield balls.at_most(f"{name}.distance_at_most", moved + values["rbar"], distance, "|theta - theta0| + rbar")
    yield f"{name}.index", ball(distance) <= radius, f"r_j is {show(radius)}, and must be at least {show(distance)}"
    Lp, Lpp, far = ball(bounds.slope), ball(bounds.curvature), arb(0)
    points = at_points(norms, network, start.scales)
    found = [on_ball(network, start.scales, point, radius, Lp, Lpp) for point in points]
    for i, own in enumerate(found):
        far = balls.largest([far, *(start.highest[m][i] + own.moved[m + 1][0] for m in range(len(start.highest)))])
    yield from suprema(certificate, signals, far.upper(), f"{name}.")
    for i, own in enumerate(found):
        yield balls.eigenvalues_at_most(f"{name}.curvatures_at_most[{i}]", own.matrix, judged.curvatures[i], "beta_i", 1)


def _risk(certificate: Certificate, judged: StatedRisk[Fraction], start: Signals) -> Iterator[Statement]:
    """H1: its terms, the mean loss at the limit, and the bound of the expected loss."""
    k, n, wanted, choices, name = certificate.network.sizes[-1], start.points, judged.terms, judged.choices, "generalization"
    terms, ramp = {key: ball(value) for key, value in wanted.items()}, choices.loss == "ramp"
    kernel, parameter, rho = start.kernel, ball(choices.parameter), terms["loss_slope_at_most"]
    b = arb(1) if ramp else parameter
    slope = 1 / parameter if ramp else (2 * ball(certificate.given.smoothness) * b).sqrt()
    mean = sum((kernel[at, at] for at in range(n * k)), arb(0)) / n
    radius = ball(choices.first_radius) * arb(2) ** (choices.index - 1)
    delta = 6 * ball(choices.failure_probability) / (arb.pi() * choices.index) ** 2
    spread = sum((ball(curvature) for curvature in judged.curvatures), arb(0)) / n
    linear = 2 * rho * (1 if k == 1 else arb(2).sqrt()) * radius * (terms["kernel_mean_at_most"] / n).sqrt()
    for key, value in (
        ("loss_slope", slope),
        ("kernel_mean", mean),
        ("linear_term", linear),
        ("curvature_term", rho * radius**2 * spread),
        ("deviation_term", 3 * b * ((2 / delta).log() / (2 * n)).sqrt()),
        ("gap", sum((wanted[f"{term}_term_at_most"] for term in ("linear", "curvature", "deviation")), Fraction(0))),
        ("empirical_loss", _loss_at_limit(certificate, judged, start)),
        ("expected_loss", wanted["empirical_loss_at_most"] + wanted["gap_at_most"]),
    ):
        yield balls.at_most(f"{name}.{key}_at_most", value, wanted[f"{key}_at_most"], "it")


def _loss_at_limit(certificate: Certificate, judged: StatedRisk[Fraction], start: Signals) -> Any:
    """The mean loss on the sample of f_theta_inf, less f_theta0 if centered: the outputs less the offsets are the minimizers there.

    So the outputs that are judged differ from the minimizers by what the offsets differ from f_theta0, or from 0.
    """
    arrays, n, k = start.arrays, start.points, certificate.network.sizes[-1]
    y, offsets, total = arrays["y"].values, arrays["offsets"].values, arb(0)
    for i in range(n):
        initial = [
            start.outputs[o, i] * arb(certificate.network.output_scale) if judged.choices.centered else arb(0) for o in range(k)
        ]
        squares = [(arb(offsets[i * k + o]) - initial[o]) ** 2 for o in range(k)]
        total += ball(judged.terms["loss_slope_at_most"]) * sum(squares, arb(0)).sqrt()
        if judged.choices.loss == "ramp":
            logistic = certificate.loss == "logistic"
            size = balls.logistic_minimizer_at_least(arb(certificate.ridge or 0)) if logistic else abs(arb(y[i * k]))
            total += arb(0).max(1 - size / ball(judged.choices.parameter)) if k == 1 and y[i] != 0 else arb.nan()
    return total / n


def _input_slope(certificate: Certificate, judged: StatedRisk[Fraction], signals: Signals, start: Signals) -> Iterator[Statement]:
    """|f_theta(x) - f_theta(x')| <= Lip |x - x'| for |x|, |x'| <= input_radius and theta in B(R), less f_theta0 if centered."""
    network, name, R = certificate.network, "generalization", ball(certificate.given.ball_radius)
    own, Lp, farthest = certificate.bounds.norms, ball(judged.terms["activation_slope_at_most"]), ball(judged.terms["input_radius"])
    places = [(own, signals, R)]
    if judged.choices.centered:
        places.append((own if judged.start is None else judged.start, start, arb(0)))
    slope, far = arb(0), arb(0)
    for norms, found, room in places:
        gain, h = abs(arb(network.output_scale)), farthest
        for m, (c, W) in enumerate(zip(found.scales, norms.operator_norms, strict=True)):
            moving = room if network.trained[m] else arb(0)
            gain *= c * (ball(W) + moving) * (1 if m == 0 else Lp)
            z = c * ball(W) * h + moving * (c**2 * h**2 + arb(network.bias_scale) ** 2).sqrt() + _bias_norm(network, found, m)
            if m < len(found.scales) - 1:
                far = far.max(z)
                h = abs(balls.derivatives(found.phi, arb(0), 0)[0]) * arb(network.sizes[m + 1]).sqrt() + Lp * z
        slope += gain
    yield f"{name}.input_radius", farthest >= 0, f"it must not be negative, stated {show(farthest)}"
    steepest = judged.terms["activation_slope_at_most"]
    yield f"{name}.activation_slope_at_most", *balls.derivative_at_most(signals.phi, 1, steepest, far.upper())
    yield balls.at_most(f"{name}.input_slope_at_most", slope, judged.terms["input_slope_at_most"], "it")


def _bias_norm(network: Any, found: Signals, m: int) -> Any:
    """sigma_b |b_l|."""
    if not network.bias_scale:
        return arb(0)
    bias = found.arrays[f"{found.prefix}b{m + 1}"].values
    return arb(network.bias_scale) * sum((arb(x) ** 2 for x in bias), arb(0)).sqrt()
