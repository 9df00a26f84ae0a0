"""The result of a verification as one JSON document, and the weights and data behind its certificate beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import platform
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics.network import Architecture
from theorems.catalogue import THEOREMS
from verify.certificate import Attempt, Certificate, Enclosed
from verify.certificate_arrays import START
from verify.certificate_fields import outward
from verify.floating_run import NotCovered
from verify.implicit import ImplicitRegularization
from verify.rigor import float_above
from verify.run import MeasuredRun
from verify.run_guarantee import RunGuarantee
from verify.setup import Setup, Theta
from verify.unseen import Unseen, unseen_json
from verify.verdict import CheckedClaim, Verdict, counted
from verify.waterfall.document import waterfall_json
from verify.waterfall.records import Waterfall

if TYPE_CHECKING:
    from verify.consequences import CertifiedConsequences

SCHEMA = "overparam-result-1"
LIBRARIES = ("sympy", "mpmath", "numpy", "scipy", "numba", "python-flint", "scikit-learn")
# The names under which results speak of the symbols; docs/notation.md lists them.
PUBLIC_NAMES = {"rbar": "radius", "eta": "step_size", "L": "smoothness", "R": "ball_radius", "s0": "residual"}


@dataclass(frozen=True, repr=False, kw_only=True)
class Verification:
    """Everything ``overparam verify`` found out.

    guarantee: what a rigorous certificate says about the float64 run. unseen: the run judged on points it was not trained on.
    initial_theta: the weights with which the run began, None for weights from elsewhere. limit: where the certified run ends, None
    without a certificate or where it was not kept.
    """

    setup: Setup
    start: Certificate
    certificate: Certificate
    run: MeasuredRun | None
    step_size: float | None
    claims: tuple[CheckedClaim, ...]
    timing: dict[str, float]
    guarantee: RunGuarantee | None = None
    certified_theta: Theta | None = None
    unseen: Unseen | None = None
    initial_theta: Theta | None = None
    limit: ImplicitRegularization | None = None

    @cached_property
    def consequences(self) -> CertifiedConsequences | None:
        """What follows from the certificate by B, C and H; None without one. Evaluated when first asked for."""
        from verify.consequences import consequences

        if not self.certificate.certified or self.certified_theta is None:
            return None
        return consequences(self.setup, self.certificate, self.certified_theta, self.initial_theta)

    @cached_property
    def waterfall(self) -> Waterfall | None:
        """Where each claim loses its slack; None without a certified run. Measured when first asked for, in a second or so."""
        from verify.waterfall.assembly import waterfall_of

        return waterfall_of(self)

    @property
    def counts(self) -> dict[Verdict, int]:
        """The number of checks by verdict, over all claims and steps."""
        return {verdict: sum(claim.counts[verdict] for claim in self.claims) for verdict in counted()}

    @property
    def status(self) -> int:
        """The exit status: 1 violated, 3 no certificate or something undecided, 0 otherwise."""
        counts = self.counts
        if counts[Verdict.VIOLATED]:
            return 1
        return 0 if self.certificate.certified and not counts[Verdict.UNDECIDED] else 3

    def __repr__(self) -> str:
        """One line; the fields are arrays and long tables."""
        from verify.page.page import headline

        return f"Verification({headline(self)})"

    def _repr_html_(self) -> str:
        """For notebooks."""
        from verify.page.fragments import verification_html

        return verification_html(self)


def constant_json(constant: Enclosed) -> dict[str, Any]:
    """value, lower and upper as decimal strings rounded outward, and whether the ends are proved."""
    return {
        "value": constant.value,
        "lower": outward(constant.lower, ROUND_FLOOR),
        "upper": outward(constant.upper, ROUND_CEILING),
        "rigor": constant.rigor.value,
    }


def certificate_json(certificate: Certificate, at_initialization: bool) -> dict[str, Any]:
    """The certificate's entry in result.json."""
    theorem = certificate.theorem
    kind = "a posteriori, along the run" if certificate.step else "a posteriori, at the given weights"
    if at_initialization and certificate.step == 0:
        kind = "at the initialization"
    document: dict[str, Any] = {
        "certified": certificate.certified,
        "theorem": theorem.id if theorem is not None else None,
        "rigor": certificate.rigor.value,
        "kind": kind,
        "step": certificate.step if certificate.certified else None,
        "residual": certificate.point.residual if certificate.point is not None else None,
        "constants": {PUBLIC_NAMES.get(name, name): constant_json(value) for name, value in certificate.constants.items()},
        "statement": theorem.statement if theorem is not None else None,
    }
    failure = certificate.failure
    if failure is not None:
        document["failure"] = {
            "theorem": failure.theorem or None,
            "hypothesis": failure.hypothesis,
            "statement": failure.statement,
            "margin": failure.margin,
            "detail": failure.detail,
            "tried_at_step": certificate.step,
            "would_satisfy": dict(failure.remedies),
        }
    document["attempts"] = [_attempt_json(attempt) for attempt in certificate.attempts]
    return document


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    finite = {PUBLIC_NAMES.get(k, k): float(v) for k, v in attempt.constants.items() if np.isfinite(float(v))}
    return {
        "theorem": attempt.theorem.id,
        "certified": attempt.failure is None,
        "constants": finite,
        "detail": attempt.failure.detail if attempt.failure is not None else None,
    }


def claim_json(claim: CheckedClaim) -> dict[str, Any]:
    """A claim's entry in result.json."""
    return {
        "id": claim.id,
        "theorem": claim.theorem,
        "statement": claim.statement,
        **{name: _finite_or_none(getattr(claim, name)) for name in ("bound", "measured", "error", "slack")},
        "step": claim.step,
        "verdict": claim.verdict.name,
        "vacuous": claim.vacuous,
        "rigor": claim.rigor.value,
        "counts": {verdict.name: count for verdict, count in claim.counts.items()},
        "reason": claim.reason,
    }


def _finite_or_none(value: float | None) -> float | None:
    return None if value is None else finite(value)


def statements_used(verification: Verification) -> list[str]:
    """The identifiers of exactly the statements that certify or are checked, in the catalogue's order."""
    used = {claim.theorem for claim in verification.claims}
    used |= {found.theorem.id for found in (verification.start, verification.certificate) if found.certified and found.theorem}
    if verification.run is not None and verification.run.existence is not None:
        used.add("N")
    return [name for name in THEOREMS if name in used]


def sources(verification: Verification) -> list[str]:
    """The sources of exactly the statements used."""
    return [f"{name}: {THEOREMS[name].source}" for name in statements_used(verification)]


def result_json(verification: Verification, files: dict[str, str], waterfall: bool = True) -> dict[str, Any]:
    """The whole document. files: name to SHA-256 of what lies beside it. waterfall: whether to measure where claims lose slack."""
    setup, run = verification.setup, verification.run
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "problem": setup.problem.to_mapping(),
        "data": {"description": setup.dataset.description, "notes": list(setup.notes)},
        "versions": versions(),
        "certificate": certificate_json(verification.certificate, setup.at_initialization),
        "consequences": _consequences_json(verification),
        "certificate_at_start": certificate_json(verification.start, setup.at_initialization),
        "existence": existence_json(run),
        "floating_point_run": guarantee_json(verification.guarantee),
        "generalization": unseen_json(verification.unseen),
        "claims": [claim_json(claim) for claim in verification.claims],
        "waterfall": waterfall_json(verification.waterfall) if waterfall else None,
        "counts": {verdict.name: count for verdict, count in verification.counts.items()},
        "status": verification.status,
        "step_size": verification.step_size,
        "run": run_json(run) if run is not None else None,
        "timing": verification.timing,
        "sources": sources(verification),
        "files": files,
    }
    return document


def _consequences_json(verification: Verification) -> dict[str, Any] | None:
    """What follows from the certificate, as in certificate.json; ``risk``: the bound of the expected loss, or why there is none."""
    from verify.certificate_consequences import consequences_json

    follows = verification.consequences
    if follows is None:
        return None
    stated = consequences_json(follows.stated)
    judged = stated["generalization"]
    if judged is not None:  # norms and beta_i of every point stand in certificate.json
        judged = {name: value for name, value in judged.items() if name not in ("start", "curvatures_at_most")}
    reason = follows.risk if isinstance(follows.risk, str) else None
    return {"rigor": follows.rigor.value, **stated, "generalization": judged, "reason": reason}


def finite(value: float) -> float | None:
    """The number, or None (null) for one that is not finite: unknown, as errors are for activations without bounds."""
    return float(value) if np.isfinite(value) else None


def existence_json(run: MeasuredRun | None) -> dict[str, Any] | None:
    """Theorem N's entry, or None where it never applied."""
    if run is None or run.existence is None:
        return None
    found = run.existence
    return {
        "theorem": "N",
        "rigor": found.bound.rigor.value,
        "step": found.step,
        "quotient": float_above(found.bound.quotient),
        "distance": float_above(found.bound.distance),
    }


def guarantee_json(guarantee: RunGuarantee | None) -> dict[str, Any] | None:
    """Theorem A1's entry: for how many steps the float64 run follows the envelope, and to which floor; or why for none."""
    if guarantee is None:
        return None
    found = guarantee.best
    if isinstance(found, NotCovered):
        return {"theorem": "A1", "covered": False, "hypothesis": found.hypothesis, "reason": found.reason}
    envelopes = {"lasting": found.lasting, "settling": found.settling}
    return {
        "theorem": "A1",
        "covered": True,
        "rigor": found.rigor.value,
        "not_enclosed": list(found.taints),
        "gradient_error": found.gradient_error,
        "steps": found.steps,
        "residual_at_most": found.residual_bound,
        "ball_radius": found.ball_radius,
        **{name: None if item is None else dataclasses.asdict(item) for name, item in envelopes.items()},
    }


def run_json(run: MeasuredRun) -> dict[str, Any]:
    """Summary of the run, and the marks."""
    trajectory = run.trajectory
    return {
        "steps": trajectory.steps,
        "stopped": trajectory.stopped,
        "residual_at_start": finite(trajectory.residual[0]),
        "residual_at_end": finite(trajectory.residual[-1]),
        "path_length": finite(trajectory.path[-1]),
        "displacement": finite(trajectory.displacement[-1, 0]),
        "displacement_by_layer": [finite(value) for value in trajectory.displacement[-1, 1:]],
        "marks": [
            {
                "step": mark.step,
                "lambda_min": finite(mark.lambda_min),
                "lambda_max": finite(mark.lambda_max),
                "kernel_drift": finite(mark.kernel_drift),
                "operator_norms": mark.operator_norms.tolist(),
                "residual": finite(trajectory.residual[mark.step]),
                "residual_error": finite(mark.residual_error),
            }
            for mark in run.marks
        ],
    }


def versions() -> dict[str, str]:
    """The versions that produced a result."""
    found = {"overparam": importlib.metadata.version("overparam"), "python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in LIBRARIES}


def certificate_arrays(verification: Verification) -> dict[str, np.ndarray[Any, Any]]:
    """What lies behind the certificate, exactly: weights at the certification step, data, weights of the points, offsets; and where
    a rigorous one bounds the loss on unseen data about other weights theta0, those.
    """
    setup, theta = verification.setup, verification.certified_theta
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "X": setup.dataset.inputs,
        "y": setup.dataset.targets,
        "sample_weights": setup.dataset.sample_weights,
        "offsets": setup.offsets,
        "minimizers": setup.minimizers,
    }
    if theta is not None:
        arrays |= _weight_arrays(setup.architecture, theta, "")
    judged = verification.consequences.risk if verification.consequences is not None else ""
    if not isinstance(judged, str) and judged.stated.start is not None:
        arrays |= _weight_arrays(setup.architecture, judged.initial, START)
    return arrays


def _weight_arrays(architecture: Architecture, theta: Theta, prefix: str) -> dict[str, np.ndarray[Any, Any]]:
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for index in range(1, architecture.layers + 1):
        arrays[f"{prefix}W{index}"] = architecture.weight(theta, index)
        if architecture.has_bias:
            arrays[f"{prefix}b{index}"] = architecture.bias(theta, index)
    return arrays


def run_arrays(run: MeasuredRun) -> dict[str, np.ndarray[Any, Any]]:
    """What was recorded: per step k = 0..end the residual, loss gap, gradient norm, path length, displacement from the start (total
    in column 0, then per layer); per mark its step, the extreme eigenvalues, |K_k - K_0| and the operator norms |W_l|. At the marks
    after the certification step: the relative change since then of each layer, and the largest of the weights into a neuron of it.
    """
    trajectory, marks = run.trajectory, run.marks
    return {
        "residual": trajectory.residual,
        "loss_gap": trajectory.gap,
        "gradient_norm": trajectory.gradient_norm,
        "path_length": trajectory.path,
        "displacement": trajectory.displacement,
        "mark_step": np.array([mark.step for mark in marks]),
        "lambda_min": np.array([mark.lambda_min for mark in marks]),
        "lambda_max": np.array([mark.lambda_max for mark in marks]),
        "kernel_drift": np.array([mark.kernel_drift for mark in marks]),
        "operator_norms": np.array([mark.operator_norms for mark in marks]),
        "lazy_step": np.array([step for step, _ in run.drifts], dtype=np.int64),
        "layer_change": np.array([look.change.layers_relative for look in run.lazy]),
        "neuron_change": np.array([[each.max() for each in look.change.neurons_relative] for look in run.lazy]),
    }


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()
