"""Chains of B2 to B5: from where the run ends and the nearest optimum, as measured, to the bounds.

Each replaces what the proof reads at the two points (``optimum_points``) by its bound, one after the other. Letters as in
docs/theory.md: u = theta* - theta_N, v = theta_inf - theta_N, t = beta rbar/sigma0, t_u = beta |u|/sigma0, P projects on range
DF_N^*.
"""

from __future__ import annotations

import math

from verify.waterfall.limits import Checked, bound_error, measured_error, numbers
from verify.waterfall.optimum_points import Measured, OptimumPoints
from verify.waterfall.records import Chain, Constants, Stage, chain_of
from verify.waterfall.steps import Along

WHERE = "at the limit of the run"


def excess_chain(claims: Checked, constants: Constants, points: OptimumPoints, path: str) -> Chain:
    """B2: from |v| - |u| to (sigma0/beta)(t^2 - ln(1 - t) - t). path: the id of the claim about the path."""
    claim, measured, bound = numbers(claims, "B2")
    beta, sigma0 = constants["beta"], constants["lambda0"] ** 0.5
    outside, outside_error = points.outside_limit
    (u, u_error), (v, v_error) = points.shortest, points.travelled

    def added(inside: float, error: float, name: str, meaning: str, statement: str = "B2", explained_by: str = "") -> Stage:
        total = inside + outside
        return Stage(total, error + outside_error + _rounding(constants) * total, name, meaning, True, statement, explained_by)

    stages = [
        Stage(measured, measured_error(claim)),
        added(*points.inside, "triangle inequality", "|v| <= |P u| + |P (v - u)| + |(I - P) v| and |P u| <= |u|"),
        added(*_scaled(points.moved, 1 / sigma0), "weakest direction", "sigma0 |P (v - u)| <= |DF_N (v - u)|"),
        added(
            *_scaled(points.remainders, 1 / sigma0),
            "opposite remainders",
            "DF_N (v - u) is the difference of the remainders of F at theta* and theta_inf: as if they pointed apart",
        ),
        added(
            beta * (u**2 + v**2) / (2 * sigma0),
            beta * (u * u_error + v * v_error) / sigma0,
            "beta",
            "a remainder is at most beta |x|^2/2",
            "E4",
            "E-jacobian",
        ),
        added(beta * constants["rbar"] ** 2 / sigma0, 0.0, "path length", "|u| <= |v| <= rbar", "A-a", path),
        Stage(bound, bound_error(claim), "part outside the range", "|(I - P) v| by its bound", True, "B1", "B1"),
    ]
    return chain_of("B2", "excess over the shortest distance", "length", False, WHERE, (measured, bound), stages)


def second_excess_chain(claims: Checked, constants: Constants, points: OptimumPoints) -> Chain:
    """B2-second: from |v| - |u| to |v - u|^2/((1 - t_u)(|u| + |v|))."""
    claim, measured, bound = numbers(claims, "B2-second")
    scale = 1 / (points.shortest[0] + points.travelled[0])
    stages = [
        Stage(measured, measured_error(claim)),
        *_second_order(constants, points, scale),
        Stage(bound, bound_error(claim), *_WEYL),
    ]
    return chain_of("B2-second", "excess, second order", "length", False, WHERE, (measured, bound), stages)


def deviation_chain(claims: Checked, constants: Constants, points: OptimumPoints, path: str) -> Chain:
    """B3: from |v - u| to (sigma0/beta)(-ln(1 - t) - t + t_u^2/(1 - t_u))/sqrt(1 - t^2). path: as in ``excess_chain``."""
    claim, measured, bound = numbers(claims, "B3")
    beta, sigma0 = constants["beta"], constants["lambda0"] ** 0.5
    (u, u_error), (v, v_error), (apart, apart_error) = points.shortest, points.travelled, points.deviation
    (w, w_error), limit, nearest = points.multiplier, points.outside_limit, points.outside_nearest
    turn, turn_nearest, turn_path = (beta * length / sigma0 for length in (max(u, v), u, constants["rbar"]))
    seen = points.moved[0] / (sigma0 * apart)
    by_multiplier = sigma0 / beta * turn_nearest**2 / (1 - turn_nearest)
    multiplier_error = 2 * beta * u_error * turn_nearest / (beta * (1 - turn_nearest) ** 2)
    lost = sigma0 / beta * (-math.log1p(-turn_path) - turn_path)

    def stretched(
        outside: Measured, share: Measured, name: str, meaning: str, statement: str = "B3", explained_by: str = ""
    ) -> Stage:
        """The part outside the range over sqrt(1 - share^2)."""
        (across, across_error), (inside, inside_error) = outside, share
        root = math.sqrt(max(1 - inside**2, 0.0))
        value = across / root if root > 0 else math.inf
        error = across_error / root + value * inside * inside_error / root**2 if root > 0 else math.inf
        return Stage(value, error + _rounding(constants) * value, name, meaning, True, statement, explained_by)

    by_distance = (turn, beta * max(u_error, v_error) / sigma0)
    stages = [
        Stage(measured, measured_error(claim)),
        stretched(
            points.outside,
            (seen, points.moved[1] / (sigma0 * apart) + seen * apart_error / apart),
            "weakest direction",
            "sigma0 |P (v - u)| <= |DF_N (v - u)|, with |v - u|^2 = |P (v - u)|^2 + |(I - P)(v - u)|^2",
        ),
        stretched(points.outside, by_distance, "beta", "|DF_N (v - u)| <= beta max(|u|, |v|)|v - u|", "E4", "E-jacobian"),
        stretched(
            (limit[0] + nearest[0], limit[1] + nearest[1]),
            by_distance,
            "triangle inequality",
            "|(I - P)(v - u)| <= |(I - P) v| + |(I - P) u|",
        ),
        stretched(
            (limit[0] + beta * u * w, limit[1] + beta * (u_error * w + u * w_error)),
            by_distance,
            "beta at the nearest optimum",
            "|(I - P) u| <= beta |u||w|, u = DF(theta*)^* w",
            "E4",
            "E-jacobian",
        ),
        stretched(
            (limit[0] + by_multiplier, limit[1] + multiplier_error),
            by_distance,
            "multiplier",
            "|w| <= |u|/(sigma0 - beta |u|): u in the weakest direction, Weyl and beta",
        ),
        stretched(
            (lost + by_multiplier, multiplier_error), by_distance, "part outside the range", "|(I - P) v| by its bound", "B1", "B1"
        ),
        Stage(bound, bound_error(claim), "path length", "|u| <= |v| <= rbar", True, "A-a", path),
    ]
    return chain_of("B3", "distance to the nearest optimum", "length", False, WHERE, (measured, bound), stages)


def quotient_chain(claims: Checked, constants: Constants, points: OptimumPoints, run: Along, path: str) -> Chain:
    """B4: from |v|/|u| to rbar sqrt(Lambda L/mu)/s_0. path: as in ``excess_chain``."""
    claim, measured, bound = numbers(claims, "B4")
    beta, largest, rbar, start = (constants[name] for name in ("beta", "lambda_max", "rbar", "s0"))
    (u, u_error), (length, length_error) = points.shortest, run.path
    rest = run.last[0] / constants["lambda_floor"] ** 0.5  # of the path, beyond the run's end
    scale = rbar * (constants["L"] / constants["mu"]) ** 0.5 / start
    relative = u_error / u + _rounding(constants) + constants.errors["s0"] / start + constants.errors["rbar"] / rbar
    first, first_error = points.start
    moved, moved_error = points.moved_nearest
    by_beta, by_norm = scale * (moved / u + beta * u / 2), scale * (largest**0.5 + beta * u / 2)
    stages = [
        Stage(measured, measured_error(claim)),
        Stage(
            length / u,
            (length_error * length + rest) / u + relative * length / u,
            "bent path",
            "|v| is at most the length of the path",
            statement="A",
        ),
        Stage(rbar / u, relative * rbar / u, "path length", "the path is at most rbar", statement="A-a", explained_by=path),
        Stage(
            scale * first / u,
            scale * (first_error / u + relative * first / u),
            "condition of the loss",
            "s_0 <= sqrt(L/mu) |F(theta_N) - y*|; 1 for the square loss",
            statement="B4",
        ),
        Stage(
            by_beta,
            scale * moved_error / u + relative * by_beta,
            "beta",
            "|F(theta_N) - y*| <= |DF_N u| + beta |u|^2/2",
            statement="E4",
            explained_by="E-jacobian",
        ),
        Stage(
            by_norm,
            relative * by_norm,
            "strongest direction",
            "|DF_N u| <= sqrt(lambda_max) |u|, as if u pointed in the strongest direction",
            statement="B4",
        ),
        Stage(bound, bound_error(claim), "growth on the ball", "|DF|^2 <= Lambda = (sqrt(lambda_max) + beta R)^2", statement="E5"),
    ]
    return chain_of("B4", "quotient of distances", "quotient", False, WHERE, (measured, bound), stages)


def second_quotient_chain(claims: Checked, constants: Constants, points: OptimumPoints) -> Chain:
    """B4-second: from (|v| - |u|)/|u| to |v - u|^2/(2 (1 - t_u)|u|^2)."""
    claim, measured, bound = numbers(claims, "B4-second")
    (u, u_error), v = points.shortest, points.travelled[0]
    weyl = bound * 2 * u / (u + v)
    stages = [
        Stage(measured, measured_error(claim)),
        *_second_order(constants, points, 1 / (u * (u + v))),
        Stage(weyl, bound_error(claim) + weyl * (u_error + points.travelled[1]) / u, *_WEYL),
        Stage(bound, bound_error(claim), "longer than the shortest", "|u| + |v| >= 2 |u|", statement="B4"),
    ]
    return chain_of("B4-second", "quotient of distances, less 1", "quotient", False, WHERE, (measured, bound), stages)


def unique_chain(claims: Checked, constants: Constants, points: OptimumPoints) -> Chain:
    """B5: from |v|^2 - |u|^2 down to ((1 - 2 t_u)/(1 - t_u))|v - u|^2."""
    claim, measured, bound = numbers(claims, "B5")
    stages = [
        Stage(measured, measured_error(claim)),
        *_second_order(constants, points, 1.0, -1),
        Stage(bound, bound_error(claim), *_WEYL),
    ]
    return chain_of("B5", "excess of squares", "length^2", True, WHERE, (measured, bound), stages)


_WEYL = ("Weyl and beta", "sigma_min(DF(theta*)) >= sigma0 - beta |u|", True, "E4", "E-kernel")


def _second_order(constants: Constants, points: OptimumPoints, scale: float, sign: int = 1) -> list[Stage]:
    """scale (|v - u|^2 + sign x) for three bounds x of |2 <v - u, u>|, each larger than the one before."""
    beta, (w, w_error), (sigma, sigma_error) = constants["beta"], points.multiplier, points.sigma
    (apart, apart_error), (tangent, tangent_error), (u, u_error) = points.deviation, points.tangent, points.shortest
    square = apart**2

    def stage(share: float, error: float, name: str, meaning: str, statement: str, explained_by: str = "") -> Stage:
        """share: x over |v - u|^2."""
        value = scale * square * (1 + sign * share)
        absolute = scale * square * error + abs(value) * (2 * apart_error / apart + _rounding(constants))
        return Stage(value, absolute, name, meaning, True, statement, explained_by)

    return [
        stage(
            2 * tangent * w / square,
            2 * (tangent_error * w + tangent * w_error) / square,
            "Cauchy-Schwarz",
            "|<v - u, u>| = |<DF(theta*)(v - u), w>| <= |DF(theta*)(v - u)||w|",
            "B2",
        ),
        stage(
            beta * w,
            beta * w_error,
            "beta",
            "|DF(theta*)(v - u)| <= beta |v - u|^2/2, as F(theta_inf) = F(theta*)",
            "E4",
            "E-jacobian",
        ),
        stage(
            beta * u / sigma,
            beta * u / sigma * (u_error / u + sigma_error / sigma),
            "weakest direction",
            "|w| <= |u|/sigma_min(DF(theta*)), as if u pointed in the weakest direction",
            "B2",
        ),
    ]


def _scaled(given: Measured, factor: float) -> Measured:
    return factor * given[0], factor * given[1]


def _rounding(constants: Constants) -> float:
    """The relative error of beta and lambda0 together."""
    return sum(constants.errors[name] / constants[name] for name in ("beta", "lambda0") if constants[name] > 0)
