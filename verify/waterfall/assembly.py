"""The waterfall of a certified run: every chain, the ball's quantities and the terms of beta."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import FLOAT
from theorems.ball import BallBounds, ball_bounds
from theorems.catalogue import THEOREMS
from theorems.records import Claim, Role, Theorem
from theorems.statements.network import THEOREM_E
from theorems.statements.notation import remaining, summed
from verify.certificate import Certificate
from verify.certified_constants import intervals
from verify.claims import LINEAR
from verify.generalization import Seen
from verify.implicit import ImplicitRegularization, limit_of_run
from verify.lazy import linear_sums
from verify.measured import MeasuredMarks, MeasuredSteps, measured_marks, measured_steps
from verify.point import Point
from verify.result import Verification
from verify.run import MeasuredRun
from verify.setup import Setup, Theta
from verify.unseen import Unseen
from verify.verdict import CheckedClaim
from verify.waterfall.descent import descent_chain
from verify.waterfall.limits import Checked, change_chain, linearized_chain, neuron_chain, numbers, outside_chain, sum_chain
from verify.waterfall.marks import (
    AtMarks,
    ForwardDrifts,
    eigenvalue_chain,
    forward_chain,
    jacobian_chain,
    kernel_chain,
)
from verify.waterfall.network import ball_rows, beta_terms, curvature_at
from verify.waterfall.optimum import (
    deviation_chain,
    excess_chain,
    quotient_chain,
    second_excess_chain,
    second_quotient_chain,
    unique_chain,
)
from verify.waterfall.optimum_points import OptimumPoints, optimum_points
from verify.waterfall.paths import conserved_chain, conserved_claim, path_chain, remaining_chain
from verify.waterfall.records import Chain, Constants, NoChain, Waterfall
from verify.waterfall.steps import Along, along, path_claim, rate_chain, summed_chain
from verify.waterfall.unseen import risk_chain, slope_chain, transport_chain

Array = NDArray[np.float64]
Make = Callable[[], Chain]


@dataclass(frozen=True, kw_only=True)
class CertifiedRun:
    """A run with a certificate, as the chains take it.

    claims: as they were checked, against steps and marks. theta, end: the weights at the certification step and at the end of the
    run. limit: where the run ends. unseen: the run judged on other points, if it was.
    """

    setup: Setup
    certificate: Certificate
    point: Point
    bounds: BallBounds
    theorem: Theorem
    run: MeasuredRun
    claims: Sequence[CheckedClaim]
    steps: MeasuredSteps
    marks: MeasuredMarks
    theta: Theta
    end: Theta
    limit: ImplicitRegularization
    unseen: Unseen | None

    @cached_property
    def constants(self) -> Constants:
        """Those of the certificate."""
        return constants_of(self.certificate)

    @cached_property
    def checked(self) -> Checked:
        """The claims by name."""
        return {claim.id: claim for claim in self.claims}

    @cached_property
    def along(self) -> Along:
        """What the chains need at every step."""
        return along(self.steps, self.marks, self.constants, self.point.lambda_min)

    @cached_property
    def at_marks(self) -> AtMarks:
        """What the chains need at the marks. Raises NoChain where there is none."""
        if not len(self.marks.steps):
            raise NoChain("there is no mark after the certification")
        return _at_marks(self)


def waterfall(run: CertifiedRun) -> Waterfall:
    """Draw up every chain of a certified run.

    Everything is floating point with estimated errors; a claim's verdict does not depend on it.
    """
    makers = _along_the_steps(run) | _at_the_marks(run) | _at_the_limit(run) | _on_unseen_points(run)
    chains: list[Chain] = []
    omitted: list[tuple[str, str]] = []
    for title, make in makers.items():
        try:
            chains.append(make())
        except NoChain as reason:
            omitted.append((title, str(reason)))
    signals = run.point.signals
    terms = beta_terms(run.bounds, ball_bounds(signals, 0.0, FLOAT), signals.trained)
    return Waterfall(tuple(chains), ball_rows(run.setup, run.certificate, run.run, run.theta, run.end), terms, tuple(omitted))


def _along_the_steps(run: CertifiedRun) -> dict[str, Make]:
    """The chains that need what was measured at every step, by title."""
    theorem, constants, checked = run.theorem, run.constants, run.checked
    path, total = path_claim(theorem), theorem.claim_about(summed)

    def of(claim: Claim | None) -> CheckedClaim | None:
        return None if claim is None else checked.get(claim.id)

    def sums() -> Array:
        return linear_sums(intervals(run.certificate), run.steps).upper

    return {
        "path length": lambda: path_chain(theorem, constants, run.along),
        "decrease per step": lambda: rate_chain(theorem, constants, run.along),
        "conserved inequality": lambda: conserved_chain(theorem, constants, run.along, of(conserved_claim(theorem))),
        "rest of the path": lambda: remaining_chain(theorem, constants, run.along, of(theorem.claim_about(remaining))),
        "A0-descent": lambda: descent_chain(checked, constants, run.steps, run.along, run.at_marks),
        "summed residuals": lambda: summed_chain(theorem, constants, run.along),
        "C2": lambda: change_chain("C2", checked, constants, run.along, path),
        "C2-layers": lambda: change_chain("C2-layers", checked, constants, run.along, path),
        "C2-neurons": lambda: neuron_chain(checked, constants, run.along, "" if total is None else total.id),
        "C3": lambda: linearized_chain(checked, run.along, sums()),
        "C3-sum": lambda: sum_chain(checked, constants, run.along),
    }


def _at_the_marks(run: CertifiedRun) -> dict[str, Make]:
    """The chains that need what was measured at the marks, by title."""

    def bent(make: Callable[[Constants, AtMarks], Chain]) -> Make:
        def made() -> Chain:
            if run.certificate.is_linear:
                raise NoChain(LINEAR)
            return make(run.constants, run.at_marks)

        return made

    return {
        "forward drift": lambda: forward_chain(run.point.signals, _forward(run), run.at_marks),
        "smallest eigenvalue": bent(eigenvalue_chain),
        "Jacobian drift": bent(jacobian_chain),
        "kernel drift": bent(kernel_chain),
    }


def _at_the_limit(run: CertifiedRun) -> dict[str, Make]:
    """The chains of B1 to B5, by claim."""
    constants, path, checked = run.constants, path_claim(run.theorem), run.checked

    @cache
    def points() -> OptimumPoints:
        return optimum_points(run.setup, run.limit, run.theta)

    def of(name: str, make: Callable[[OptimumPoints], Chain]) -> Make:
        def made() -> Chain:
            numbers(checked, name)  # nothing is measured for a claim that was not checked
            return make(points())

        return made

    return {
        "B1": lambda: outside_chain(checked, constants, run.along, path),
        "B2": of("B2", lambda at: excess_chain(checked, constants, at, path)),
        "B2-second": of("B2-second", lambda at: second_excess_chain(checked, constants, at)),
        "B3": of("B3", lambda at: deviation_chain(checked, constants, at, path)),
        "B4": of("B4", lambda at: quotient_chain(checked, constants, at, run.along, path)),
        "B4-second": of("B4-second", lambda at: second_quotient_chain(checked, constants, at)),
        "B5": of("B5", lambda at: unique_chain(checked, constants, at)),
    }


def _on_unseen_points(run: CertifiedRun) -> dict[str, Make]:
    """The chains of H1 and H2, by claim; none where the run was not judged."""
    if run.unseen is None or run.unseen.found is None or run.unseen.judge is None:
        return {}
    found, judge, checked = run.unseen.found, run.unseen.judge, run.checked

    @cache
    def seen() -> Seen:
        return judge.seen(run.end)

    return {
        "H1-risk": lambda: risk_chain(checked, found, judge.start.sample.kernel),
        "H2-lipschitz": lambda: slope_chain(checked, run.setup, judge, seen(), run.end),
        "H2-risk": lambda: transport_chain(checked, found, judge, seen()),
    }


def constants_of(certificate: Certificate) -> Constants:
    """The constants as the chains take them. A double that is subtracted from another, as the rate from 1, errs by its rounding."""
    given = certificate.constants.items()
    widths = {name: float(item.upper - item.lower) / 2 + np.finfo(np.float64).eps * abs(item.value) for name, item in given}
    return Constants({name: item.value for name, item in given}, widths)


def _at_marks(one: CertifiedRun) -> AtMarks:
    point, steps, marks, run = one.point, one.steps, one.marks, one.run
    center = ball_bounds(point.signals, 0.0, FLOAT)
    path = np.concatenate([[0.0], np.cumsum(steps.length[:-1])])
    largest = {mark.step: mark.lambda_max for mark in run.marks}
    searched = None
    if center.beta > 0:
        searched = curvature_at(one.setup, point.signals, one.theta, one.end, run.trajectory.steps)
    return AtMarks(
        marks=marks,
        path=path[marks.steps - steps.first],
        path_error=float(steps.length_error[:-1].sum()) / float(path[-1]),
        lambda_max=np.array([largest[int(step)] for step in marks.steps]),
        lambda_max_start=float(point.lambda_max),
        lambda_error=float(np.max([mark.eigenvalue_error for mark in run.marks])),
        curvature=(searched.value, searched.error) if searched is not None else None,
        beta_center=float(center.beta),
        path_claim=path_claim(one.theorem),
    )


def _forward(one: CertifiedRun) -> ForwardDrifts:
    run = one.run
    norms = {mark.step: mark.operator_norms for mark in run.marks}
    drifts = [found for _, found in run.drifts]
    return ForwardDrifts(
        moved=np.array([found.forward for found in drifts]),
        errors=np.array([found.errors.forward for found in drifts]),
        layers=np.array([found.layer_displacements for found in drifts]),
        operator_norms=np.array([norms[step] for step, _ in run.drifts]),
        bound=np.asarray(one.bounds.forward_drift),
    )


def waterfall_of(verification: Verification) -> Waterfall | None:
    """The waterfall of a verification; None without a certificate, a run after it, or the weights at its end."""
    setup, certificate, run = verification.setup, verification.certificate, verification.run
    theta, end = verification.certified_theta, run.final_theta if run is not None else None
    if run is None or not certificate.certified or theta is None or end is None or verification.step_size is None:
        return None
    limit = verification.limit if verification.limit is not None else limit_of_run(setup, certificate, run)
    assert limit is not None
    assert certificate.point is not None
    assert certificate.bounds is not None
    assert certificate.theorem is not None
    found = waterfall(
        CertifiedRun(
            setup=setup,
            certificate=certificate,
            point=certificate.point,
            bounds=certificate.bounds,
            theorem=certificate.theorem,
            run=run,
            claims=verification.claims,
            steps=measured_steps(setup, certificate, run, verification.step_size),
            marks=measured_marks(setup, certificate, run),
            theta=theta,
            end=end,
            limit=limit,
            unseen=verification.unseen,
        )
    )
    return dataclasses.replace(found, omitted=(*found.omitted, *_without(verification, found)))


def _without(verification: Verification, found: Waterfall) -> list[tuple[str, str]]:
    """The claims that have no chain of their own, and why."""
    theorem = verification.certificate.theorem
    told = {chain.claim for chain in found.chains} | {what for what, _ in found.omitted}
    assert theorem is not None
    own = {claim.id for claim in theorem.claims}
    reasons = []
    for claim in verification.claims:
        if claim.id in told:
            continue
        reason = "no chain is drawn up for this statement"
        if claim.id in own or claim.theorem == THEOREM_E.id:
            reason = "see above"
        elif claim.measured is None and THEOREMS[claim.theorem].role is not Role.CONVERGENCE:
            reason = claim.reason
        elif THEOREMS[claim.theorem].role is Role.CONVERGENCE:
            reason = f"another certificate from the same step: the links of Theorem {theorem.id} with its constants"
        if reason != "see above":
            reasons.append((claim.id, reason))
    return reasons
