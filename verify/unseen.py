"""A finished run judged on points that it was not trained on, as the section [generalization] of the problem asks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from theorems.statements.generalization import THEOREM_H1, THEOREM_H2
from verify.certified_constants import raised, remaining_path
from verify.claims import not_applicable
from verify.errors import ProblemError
from verify.evaluated_losses import EvaluatedLoss, clipped_loss, ramp_loss
from verify.generalization import Generalization, Judge, certified_distance
from verify.held_out import held_out
from verify.limits import certificates_of_the_rest
from verify.measured import MeasuredSteps
from verify.run import MeasuredRun
from verify.setup import Setup, Theta
from verify.verdict import CheckedClaim


@dataclass(frozen=True)
class Unseen:
    """found: what H1 and H2 say of the run, or None with the reason. claims: H1-risk, H2-lipschitz and H2-risk, checked or not.
    judge: who found it, None with a reason."""

    found: Generalization | None
    reason: str
    claims: tuple[CheckedClaim, ...]
    judge: Judge | None = None


def judge_run(setup: Setup, theta0: Theta, run: MeasuredRun, certified: MeasuredSteps | None) -> Unseen | None:
    """Check H1 and H2 at the end of the run; None where the problem asks for no judgment.

    theta0: the drawn weights, where the run began. certified: the steps from the certified weights on, None without a certificate.
    Where the statements do not apply (no rows left, weights of the points that are not uniform, an activation without bounds, a run
    that diverged) their claims are NOT_APPLICABLE, with the reason.
    """
    options = setup.problem.generalization
    if not options.held_out:
        return None
    try:
        found, judge = _judged(setup, theta0, run, certified)
    except ProblemError as error:
        claims = [claim for theorem in (THEOREM_H1, THEOREM_H2) for claim in not_applicable(theorem, str(error))]
        return Unseen(None, str(error), tuple(claims))
    return Unseen(found, "", found.claims, judge)


def _judged(setup: Setup, theta0: Theta, run: MeasuredRun, certified: MeasuredSteps | None) -> tuple[Generalization, Judge]:
    problem, certificate = setup.problem, run.certificate
    if run.final_theta is None or run.trajectory.stopped == "not finite":
        raise ProblemError("the run must end with finite weights to be judged on unseen data, but it diverged")
    first = problem.generalization.first_radius
    judge = Judge(
        setup,
        theta0,
        held_out(problem.data, problem.loss),
        evaluated_loss(setup),
        problem.certificate.failure_probability,
        first if isinstance(first, float) else None,
    )
    radius = remaining = None
    if certificate.certified and certified is not None:
        assert run.certified_theta is not None
        radius = certified_distance(certificate, run.certified_theta, theta0)
        remaining = remaining_way(setup, run, certified)
    return judge.judge(run.final_theta, radius, run.trajectory.steps, remaining), judge


def evaluated_loss(setup: Setup) -> EvaluatedLoss:
    """The loss by which the problem asks to be judged. Raises ProblemError for a training loss that cannot be clipped."""
    options = setup.problem.generalization
    if options.loss == "ramp":
        assert options.margin is not None
        return ramp_loss(options.margin)
    assert options.clip is not None
    return clipped_loss(setup, options.clip)


def remaining_way(setup: Setup, run: MeasuredRun, certified: MeasuredSteps) -> float | None:
    """How far exact gradient descent goes from the end of the run, at most (claim A-d); None where nothing finite is known.

    The rounding of the steps since the certified weights raises s_0, as Theorem A1 says.
    """
    certificate, theta = run.certificate, run.final_theta
    assert certificate.theorem is not None
    assert theta is not None
    rounding = float(certified.step_error[:-1].sum())
    constants = raised(certificate, rounding)
    rest = certificates_of_the_rest(setup, certificate, constants, theta, run.trajectory.steps, setup.snapshot(theta))
    residual = float(certified.residual[-1] + certified.residual_error[-1])
    way = min((remaining_path(theorem, known, residual) for theorem, known in rest), default=math.inf)
    return way if math.isfinite(way) else None


def unseen_json(unseen: Unseen | None) -> dict[str, Any] | None:
    """The entry "generalization" of result.json; None (null) where no judgment was asked for."""
    if unseen is None:
        return None
    if unseen.found is None:
        return {"applies": False, "reason": unseen.reason}
    found = unseen.found
    bounds = {"measured": found.measured, "limit": found.limit, "certified": found.certified}
    return {
        "applies": True,
        "loss": found.loss.name,
        "largest_loss": found.loss.largest,
        "loss_slope": found.loss.slope,
        "points": found.points,
        "held_out_points": found.held_out_points,
        "failure_probability": found.failure_probability,
        "train_loss": found.train_loss,
        "held_out_loss": found.test_loss,
        "held_out_loss_at_start": found.start_loss,
        "gap": found.gap,
        "loss_error": found.loss_error,
        "sampling_error": found.sampling_error,
        "bounds": {name: None if bound is None else vars(bound) for name, bound in bounds.items()},
        "lipschitz_in_the_input": found.lipschitz,
        "transport": found.transport,
        "transport_vacuous": found.transport_vacuous,
        "assumptions": list(found.assumptions),
    }
