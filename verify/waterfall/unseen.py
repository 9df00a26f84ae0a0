"""Chains of H1 and H2: from what the held-out points show to the bounds.

H1 bounds a supremum over a ball that holds for a radius fixed beforehand: what would be said at the measured distance in place of
r_j, or with beta_i at theta0, is no bound of the expected loss, so neither is a link. The terms of the bound are told in words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.activations import evaluate
from numerics.roundoff import UNIT_ROUNDOFF
from numerics.signals import preactivation
from verify.generalization import Generalization, Judge, Seen, pairs
from verify.risk_bound import RiskBound
from verify.setup import Setup, Theta
from verify.transport import coupling, ground_cost
from verify.waterfall.limits import Checked, bound_error, measured_error, numbers
from verify.waterfall.records import Chain, NoChain, Stage, chain_of

Array = NDArray[np.float64]

SIGNS = 1024  # draws of the signs of a Rademacher average
DEVIATIONS = 4  # standard errors of their mean that count as its error


def rademacher_share(kernel: Array, draws: int = SIGNS) -> tuple[float, float]:
    """E|sum_i sign_i df_i| over (sum_i |df_i|^2)^{1/2} for vectors with this Gram matrix, from drawn signs, and its error."""
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], (draws, len(kernel)))
    squares = np.maximum(np.einsum("si,si->s", signs @ kernel, signs), 0.0)
    lengths = np.sqrt(squares / float(np.trace(kernel)))
    return float(lengths.mean()), DEVIATIONS * float(lengths.std()) / draws**0.5


def risk_chain(claims: Checked, found: Generalization, kernel: Array) -> Chain:
    """H1-risk: from the expected loss, as far as the held-out points tell it, to the mean loss and the gap of H1.

    kernel: the tangent kernel at theta0, with the weights of the points, which are uniform.
    """
    claim, measured, bound = numbers(claims, "H1-risk")
    at = found.measured
    if not np.trace(kernel) > 0:
        raise NoChain("the tangent kernel at theta0 is 0")
    share, error = rademacher_share(kernel)
    averaged = found.train_loss + at.linear * share + at.curvature + at.deviation
    stages = [
        Stage(measured, measured_error(claim)),
        Stage(
            averaged,
            at.linear * error + found.loss_error,
            "worst weights of the ball",
            f"as if theta were the worst of B(r_{at.index}), r_{at.index} = {_times(at.radius, at.distance)} |theta - theta0|: "
            f"bounded differences, symmetrization, contraction, remainders at their largest",
            statement="H1",
        ),
        Stage(
            bound,
            found.loss_error,
            "root of the trace",
            f"E|sum_i sign_i df(x_i)| <= (sum_i |df(x_i)|^2)^(1/2), Cauchy-Schwarz; the bound is {_terms(found.train_loss, at)}",
            statement="H1",
        ),
    ]
    where = f"{_where(claim.step)}, at the measured radius; the expected loss at most, from the held-out points"
    return chain_of("H1-risk", "expected loss", "loss", False, where, (measured, bound), stages)


def _times(radius: float, distance: float) -> str:
    return f"{radius / distance:.3g} times" if distance > 0 else "any multiple of"


def _terms(train_loss: float, at: RiskBound) -> str:
    terms = {"mean loss": train_loss, "linear term": at.linear, "curvature": at.curvature, "deviation": at.deviation}
    total = sum(terms.values())
    return ", ".join(f"{value / total:.0%} {name}" for name, value in terms.items())


@dataclass(frozen=True)
class _Layer:
    """What two points of distance 1 become in a layer: |z_l - z_l'|, |h_l - h_l'| and their errors; c_l |W_l|."""

    z: float
    z_error: float
    h: float
    h_error: float
    norm: float


def slope_chain(claims: Checked, setup: Setup, judge: Judge, seen: Seen, theta: Theta) -> Chain:
    """H2-lipschitz: from the largest difference quotient in the input to Lip, a layer at a time from the last."""
    claim, measured, bound = numbers(claims, "H2-lipschitz")
    assert setup.bounds is not None
    x, other = _steepest(judge, seen)
    centered = setup.problem.network.centered
    alpha, slope = setup.architecture.output_scale, float(setup.bounds.slope)
    maps = [_layers(setup, theta, seen, x, other)]
    maps += [_layers(setup, judge.theta0, judge.start, x, other)] if centered else []
    gains, stages = [alpha] * len(maps), [Stage(measured, measured_error(claim))]

    def replaced(values: list[tuple[float, float]], name: str, meaning: str) -> None:
        total, error = (sum(gain * pair[i] for gain, pair in zip(gains, values, strict=True)) for i in (0, 1))
        stages.append(Stage(total, error, name, meaning, statement="H2"))

    if centered:
        last = [(layers[-1].z, layers[-1].z_error) for layers in maps]
        replaced(last, "centering", "f_theta and f_theta0 as if their slopes had opposite signs")
    for layer in range(setup.architecture.layers, 0, -1):
        if layer < setup.architecture.layers:
            gains = [gain * slope for gain in gains]
            moved = [(layers[layer - 1].z, layers[layer - 1].z_error) for layers in maps]
            replaced(moved, f"activation {layer}", f"|h_{layer} - h_{layer}'| <= sup|phi'| |z_{layer} - z_{layer}'|")
        gains = [gain * layers[layer - 1].norm for gain, layers in zip(gains, maps, strict=True)]
        below = [(layers[layer - 2].h, layers[layer - 2].h_error) if layer > 1 else (1.0, 0.0) for layers in maps]
        replaced(
            below, f"norm of W_{layer}", f"as if the difference of the signals pointed in the strongest direction of W_{layer}"
        )
    last_stage = stages.pop()
    stages.append(Stage(bound, bound_error(claim), last_stage.name, last_stage.meaning, statement="H2"))
    where = f"{_where(claim.step)}, the pair with the largest quotient"
    return chain_of("H2-lipschitz", "slope in the input", "slope", False, where, (measured, bound), stages)


def _layers(setup: Setup, theta: Theta, seen: Seen, x: Array, other: Array) -> list[_Layer]:
    """The difference of the signals of two inputs through the network, over |x - x'|."""
    a, apart = setup.architecture, float(np.linalg.norm(x - other))
    assert setup.bounds is not None
    h, error, found, slope = np.column_stack([x, other]), 0.0, [], float(setup.bounds.slope)
    for layer in range(1, a.layers + 1):
        norm = a.fan_in_scales[layer - 1] * float(seen.sample.operator_norms[layer - 1])
        z = preactivation(a, theta, layer, h, slice(None))
        size = a.fan_in_scales[layer - 1] * float(np.linalg.norm(a.weight(theta, layer))) * float(np.linalg.norm(h))
        z_error = norm * error + 2 * (a.sizes[layer - 1] + 2) * UNIT_ROUNDOFF * (size + float(np.linalg.norm(z)))
        h = evaluate(setup.activation_kernel, z)[0] if layer < a.layers else z
        error = slope * z_error + setup.bounds.ulps * 2 * UNIT_ROUNDOFF * float(np.linalg.norm(h))
        moved = (float(np.linalg.norm(signal[:, 0] - signal[:, 1])) for signal in (z, h))
        found.append(_Layer(next(moved) / apart, 2 * z_error / apart, next(moved) / apart, 2 * error / apart, norm))
    return found


def _steepest(judge: Judge, seen: Seen) -> tuple[Array, Array]:
    """The two inputs between which the outputs change most per distance, among those that the claim is checked on."""
    best, found = 0.0, None
    for pair in pairs((judge.setup.dataset.inputs, judge.held.inputs), judge.outputs(seen)):
        quotients = pair.moved / pair.apart
        j = int(np.argmax(quotients))
        if quotients[j] > best:
            best, found = float(quotients[j]), (pair.point, pair.others[j])
    if found is None:
        raise NoChain("the outputs do not depend on the input")
    return found


def transport_chain(claims: Checked, found: Generalization, judge: Judge, seen: Seen) -> Chain:
    """H2-risk: from the difference of the mean losses to the cost of the coupling, through its means of finer costs."""
    claim, measured, bound = numbers(claims, "H2-risk")
    if abs(found.gap) <= 2 * found.loss_error:
        raise NoChain("the difference of the mean losses cannot be told from its error")
    loss, outputs, targets = judge.loss, judge.outputs(seen), (judge.setup.dataset.targets, judge.held.targets)
    plan = coupling(judge.costs(found.lipschitz))
    here, there = (loss.values(values, t) for values, t in zip(outputs, targets, strict=True))
    apart = float(np.sum(plan * np.abs(here[:, None] - there[None, :])))
    by_loss = float(np.sum(plan * ground_cost(outputs, targets, loss.slope, loss.label_slope, loss.largest)))
    stages = [
        Stage(measured, measured_error(claim)),
        Stage(apart, 2 * found.loss_error, "cancellation", "the mean of |loss - loss'| over the coupling", statement="H2"),
        Stage(
            by_loss,
            2 * found.loss_error,
            "slope of the loss",
            "|loss - loss'| <= min(b, rho |f(x) - f(x')| + rho_label |t - t'|)",
            statement="H2",
        ),
        Stage(
            bound,
            bound_error(claim),
            "slope in the input",
            "|f(x) - f(x')| <= Lip |x - x'|; no cost exceeds b",
            statement="H2",
            explained_by="H2-lipschitz",
        ),
    ]
    return chain_of("H2-risk", "change of the mean loss", "loss", False, _where(claim.step), (measured, bound), stages)


def _where(step: int | None) -> str:
    return f"step {step}"
