"""The main job: certify at the start, train, find the certification step, check every claim against the run."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from theorems.catalogue import THEOREMS
from theorems.records import Role, Theorem
from verify.certificate import Certificate, convergence_theorems, refused
from verify.claims import check_along, check_certificate, not_applicable
from verify.errors import ProblemError
from verify.implicit import ImplicitRegularization, limit_of_run
from verify.lazy import lazy_training
from verify.measured import measured_marks, measured_steps
from verify.problem import Problem
from verify.remedies import with_remedies
from verify.result import Verification
from verify.run import MeasuredRun, Progress, measure_run
from verify.run_guarantee import run_guarantee
from verify.setup import Setup, Theta, prepare
from verify.unseen import judge_run
from verify.verdict import CheckedClaim

# Where the start is not certified the step is chosen by a pilot: this many steps (but at most this part of the steps asked for)
# from theta_0 with PILOT_SHARE/(L lambda_max(K_0)). The step is then STEP_SHARE/(L Lambda) with Lambda = (sqrt(lambda_max) +
# sqrt(lambda_min))^2 and the largest lambda_max seen: at the certification step Theorem A needs eta <= 1/(L Lambda) with this
# Lambda (beta R is at most sigma_0 there), and the pilot sees how much the kernel grows in the first phase of training, when it
# grows most. Should it outgrow the step later, Theorem A0 still certifies steps up to almost 2/(L Lambda).
PILOT_STEPS = 256
PILOT_PART = 50
PILOT_SHARE = 0.5
STEP_SHARE = 0.9


def silent(step: int, steps: int, residual: float) -> None:
    """A progress callback that shows nothing."""


def verify(problem: Problem, progress: Progress = silent) -> Verification:
    """Certify and check a training run.

    problem: what to train. progress: called with (step, steps, residual). Returns a Verification. Raises ProblemError or InputError
    for bad input.
    """
    clock = time.perf_counter()
    setup, theta0 = prepare(problem)
    start, step_size = start_certificate(setup, theta0)
    prepared = time.perf_counter()
    run = measure_run(setup, theta0, start, step_size, progress)
    trained = time.perf_counter()
    certificate = run.certificate if run.certificate.certified else explain(setup, run.certificate)
    start = explain(setup, start) if not start.certified else start
    limit = limit_of_run(setup, certificate, run)
    claims = check_run(setup, certificate, run, step_size, limit)
    steps = measured_steps(setup, certificate, run, step_size) if certificate.certified else None
    unseen = judge_run(setup, theta0, run, steps)
    claims += unseen.claims if unseen is not None else ()
    covered = run_guarantee(setup, run.certified_theta, certificate) if run.certified_theta is not None else None
    timing = {"prepare": prepared - clock, "train": trained - prepared, "check": time.perf_counter() - trained}
    return Verification(
        setup=setup,
        start=start,
        certificate=certificate,
        run=run,
        step_size=step_size,
        claims=tuple(claims),
        timing=timing,
        guarantee=covered,
        certified_theta=run.certified_theta,
        unseen=unseen,
        initial_theta=theta0,
        limit=limit,
    )


def certify_only(problem: Problem, weights: Path | None = None) -> Verification:
    """Certify without training: at the drawn weights, or at those of an .npz file (see ``prepare``)."""
    clock = time.perf_counter()
    setup, theta0 = prepare(problem, weights)
    start, step_size = start_certificate(setup, theta0)
    start = start if start.certified else explain(setup, start)
    covered = run_guarantee(setup, theta0, start) if start.certified else None
    return Verification(
        setup=setup,
        start=start,
        certificate=start,
        run=None,
        step_size=step_size,
        claims=(),
        timing={"certify": time.perf_counter() - clock},
        guarantee=covered,
        certified_theta=theta0 if start.certified else None,
        initial_theta=theta0 if setup.at_initialization else None,
    )


def start_certificate(setup: Setup, theta0: Theta) -> tuple[Certificate, float]:
    """The certificate at theta0 and the step size that the problem asks for.

    "certified" asks for the largest step the theorems allow at theta0, and where they allow none, for that of ``pilot_step``.
    """
    asked = setup.problem.training.step_size
    snapshot = setup.finite_snapshot(theta0)
    if snapshot is None:
        raise ProblemError(
            "the network's outputs or kernel at these weights exceed double precision; look at the size of data, weights and scales"
        )

    def tried(step_size: float | None) -> Certificate:
        if setup.refusal is not None:
            return refused(None, step_size, *setup.refusal)
        return setup.certify_at(theta0, point, step_size)

    if setup.certifiable:
        point = setup.point(theta0, 0, snapshot)
    if asked != "certified":
        return tried(float(asked)), float(asked)
    start = tried(None)
    if start.certified and start.step_size is not None:
        return start, start.step_size
    step_size = pilot_step(setup, theta0, float(snapshot.eigenvalues[-1]))
    return start, step_size


def pilot_step(setup: Setup, theta0: Theta, lambda_max: float) -> float:
    """The step size where the theorems allow none at the start; see PILOT_STEPS. theta0 is not changed."""
    if not (np.isfinite(lambda_max) and lambda_max > 0):
        raise ProblemError(f"the tangent kernel at the start has largest eigenvalue {lambda_max}, so no step size can be chosen")
    descent = setup.descent(PILOT_SHARE / (setup.smoothness * lambda_max))
    theta, done, largest, smallest = theta0.copy(), 0, lambda_max, 0.0
    steps = min(PILOT_STEPS, max(setup.problem.training.steps // PILOT_PART, 1))
    while done < steps:
        ahead = min(max(done, 1), steps - done)
        if descent.advance(theta, ahead, setup.problem.training.stop_residual, theta0).stopped != "steps":
            break
        done += ahead
        measured = setup.finite_snapshot(theta)
        if measured is None:
            break
        eigenvalues = measured.eigenvalues
        largest, smallest = max(largest, float(eigenvalues[-1])), max(float(eigenvalues[0]), 0.0)
    return float(STEP_SHARE / (setup.smoothness * (largest**0.5 + smallest**0.5) ** 2))


def explain(setup: Setup, certificate: Certificate) -> Certificate:
    """Add to a failed certificate what would satisfy it."""
    if setup.loss_constants is None:
        return certificate
    # Scaling outputs or labels scales the residual only where the function is still the initial one.
    exact = setup.problem.network.centered and setup.loss.is_square and setup.at_initialization and certificate.step == 0
    return with_remedies(certificate, setup.loss_constants, setup.problem.network.hidden, exact)


def check_run(
    setup: Setup, certificate: Certificate, run: MeasuredRun, step_size: float, limit: ImplicitRegularization | None = None
) -> list[CheckedClaim]:
    """Check all claims: those of the certifying theorem and of every other that certifies there too, the drifts, then where the run
    ends and how far it is from its linearization.

    limit: as ``limit_of_run`` finds it, to spare a search.
    """
    along, at_limit, lazy = (
        [theorem for theorem in THEOREMS.values() if theorem.role is role] for role in (Role.ALONG, Role.LIMIT, Role.LAZY)
    )
    if not certificate.certified:
        assert certificate.failure is not None
        reason = f"no certificate: {certificate.failure.detail}"
        return [claim for theorem in [*_primary(setup), *along, *at_limit, *lazy] for claim in not_applicable(theorem, reason)]
    steps, marks = measured_steps(setup, certificate, run, step_size), measured_marks(setup, certificate, run)
    claims = [claim for one in (certificate, *certificate.others) for claim in check_certificate(one, steps)]
    claims += [claim for theorem in along for claim in check_along(theorem, certificate, steps, marks)]
    assert run.certified_theta is not None
    limit = limit_of_run(setup, certificate, run) if limit is None else limit
    assert limit is not None
    claims += limit.claims
    at = [step for step, _ in run.drifts]
    return claims + list(lazy_training(setup, certificate, run.certified_theta, steps, at, lazy, run.lazy).claims)


def _primary(setup: Setup) -> list[Theorem]:
    """The theorem whose claims are listed where none certifies."""
    if setup.loss_constants is not None:
        return list(convergence_theorems(setup.loss_constants))[:1]
    return [next(t for t in THEOREMS.values() if t.role is Role.CONVERGENCE)]
