"""The chain of the descent of J: what the steps of a run gain of eta |grad J|^2, down to the share k0 that is certified.

As with the rate, the mean over the run is taken apart; the claim is about each step.
"""

from __future__ import annotations

import numpy as np

from theorems.arithmetic import FLOAT
from theorems.statements.descent import DESCENT
from verify.measured import MeasuredSteps
from verify.waterfall.limits import Checked, numbers
from verify.waterfall.marks import AtMarks
from verify.waterfall.records import Chain, Constants, NoChain, Stage, chain_of
from verify.waterfall.steps import Along


def descent_chain(claims: Checked, constants: Constants, steps: MeasuredSteps, run: Along, at: AtMarks) -> Chain:
    """From (J_N - J_end)/sum eta |grad J|^2 to k0 = 1 - eta L_J/2."""
    numbers(claims, "A0-descent")
    beta, eta, mu, smoothness = (constants[name] for name in ("beta", "eta", "mu", "L"))
    squares, s, error = run.g**2, steps.residual, steps.residual_error
    total = eta * float(squares.sum())
    if not total > 0:
        raise NoChain("the gradient of the run is 0")
    gained = mu * float(s[0] - s[-1]) * float(s[0] + s[-1]) / 2
    with np.errstate(invalid="ignore"):
        relative = 2 * float(steps.gradient_error[:-1] @ run.g) / float(squares.sum()) + run.path[1]
    gained_error = mu * float(s[0] * error[0] + s[-1] * error[-1]) + float(run.g @ steps.step_error[:-1])
    path = np.concatenate([[0.0], np.cumsum(run.d)[:-1]])
    roots = np.interp(path, np.concatenate([[0.0], at.path]), np.sqrt(np.concatenate([[at.lambda_max_start], at.lambda_max])))
    norms = roots + beta * run.d  # of DF on the step's segment
    norm_error = beta * run.apart + at.lambda_error / (2 * float(roots.min()))

    def mean(values: np.ndarray) -> float:
        return float(squares @ values / squares.sum())

    turned = eta * smoothness / 2 * mean(norms**2)
    turned_error = eta * smoothness * mean(norms * norm_error) + relative * turned
    bent = [eta * beta / 2 * (smoothness * mu) ** 0.5 * value for value in (mean(run.s), constants["s0"])]
    wanted = {str(item.symbol) for item in DESCENT.quantities}
    own = DESCENT.evaluate_constants({name: constants[name] for name in wanted}, FLOAT)
    k0 = float(own["k0"])
    rounding = sum(constants.errors[name] / constants[name] for name in ("beta", "Lambda", "s0") if constants[name] > 0)
    stages = [
        Stage(gained / total, gained_error / total + relative * gained / total),
        Stage(
            1 - turned - bent[0],
            turned_error + relative * bent[0],
            "direction of the step",
            "grad J changes by L |DF|^2 d + beta sqrt(mu L) s_k d over a step at most, |DF| on its segment: as if the step pointed "
            "in the strongest direction",
            statement="A0",
        ),
        Stage(1 - turned - bent[1], turned_error, "fall of the residual", "s_k <= s_0", statement="A0"),
        Stage(k0, rounding * (1 - k0), "growth on the ball", "|DF|^2 <= Lambda = (sqrt(lambda_max) + beta R)^2", statement="E5"),
    ]
    where = f"mean over steps {run.first} to {run.first + len(run.d)}"
    ends = (stages[0].value, k0)
    return chain_of("A0-descent", "descent of the objective", "share of eta |grad J|^2", True, where, ends, stages)
