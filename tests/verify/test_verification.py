"""The main job on real data: what a certificate says is re-derived by plain NumPy, and false runs are caught."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from numerics.network import Architecture
from theorems.catalogue import THEOREMS
from theorems.records import Role
from verify.problem import built_in_problem, problem_from_mapping
from verify.result import Verification, certificate_arrays
from verify.setup import prepare
from verify.verdict import Verdict
from verify.verification import certify_only, check_run, verify

CLAIMS = ["A-a", "A-b", "A-c", "A-d", "A-e", "A0-descent", "E-forward", "E-jacobian", "E-kernel", "C1"]
CLAIMS += ["B1", "B2", "B2-second", "B3", "B4", "B4-second", "B5"]
CLAIMS += ["C2", "C2-layers", "C2-neurons", "C3", "C3-sum", "H1-risk", "H2-lipschitz", "H2-risk"]
WITHOUT_CERTIFICATE = ("H1", "H2")


def problem(**sections: dict[str, Any]) -> Any:
    base: dict[str, Any] = {"data": {"source": "digits", "classes": [3, 8], "points": 8}, "network": {"hidden": [32]}}
    return problem_from_mapping({**base, **sections}, Path())


@pytest.fixture(scope="module")
def built_in() -> Verification:
    return verify(built_in_problem())


def test_built_in_problem_is_certified_along_the_run(built_in: Verification) -> None:
    assert built_in.run is not None
    assert built_in.status == 0
    assert 0 < built_in.certificate.step < built_in.run.trajectory.steps / 5
    assert built_in.counts[Verdict.VIOLATED] == built_in.counts[Verdict.UNDECIDED] == 0
    assert [claim.id for claim in built_in.claims] == CLAIMS
    assert all(claim.slack is not None and claim.slack >= 1 for claim in built_in.claims)


def test_rounding_of_the_subtracted_offset_is_charged() -> None:
    """f - offset is rounded at the size of the target, however small the network's own rounding is (found by a colleague's
    proof)."""
    setup, theta = prepare(problem(network={"hidden": [32], "output_scale": 1e-12}))
    point = setup.point(theta, 0, setup.snapshot(theta))
    moved = dataclasses.replace(setup, offsets=setup.offsets + 1 / 3, minimizers=setup.minimizers)
    data = setup.dataset
    with mp.workdps(40):
        outputs = setup.snapshot(theta).outputs
        total = mp.mpf(0)
        for i in range(data.points):
            e = mp.mpf(float(outputs[i, 0])) - mp.mpf(float(moved.offsets[i, 0])) - mp.mpf(float(data.targets[i, 0]))
            total += mp.mpf(float(data.sample_weights[i])) * e**2
        exact = mp.sqrt(total)
        found = moved.point(theta, 0, moved.snapshot(theta))
        assert abs(mp.mpf(found.residual) - exact) <= found.residual_error
    # Without the term the bound would be the network's own rounding, times 1e-12.
    assert found.residual_error >= 2.0**-53
    assert point.residual_error >= 2.0**-53


def forward(architecture: Architecture, theta: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """The network with one hidden tanh layer, by the definition."""
    first, second = architecture.weight(theta, 1), architecture.weight(theta, 2)
    hidden = np.tanh(inputs @ first.T / np.sqrt(inputs.shape[1]))
    return hidden @ second.T / np.sqrt(hidden.shape[1])


def test_the_run_is_gradient_descent(built_in: Verification) -> None:
    """Residuals and gradient norms of the first steps, by NumPy from the definition."""
    run, setup = built_in.run, built_in.setup
    assert run is not None
    _, theta = prepare(built_in_problem())
    data, architecture = setup.dataset, setup.architecture
    start = forward(architecture, theta, data.inputs)
    theta = theta.copy()
    n, d = data.inputs.shape
    for step in range(5):
        first, second = architecture.weight(theta, 1), architecture.weight(theta, 2)
        hidden = np.tanh(data.inputs @ first.T / np.sqrt(d))
        error = hidden @ second.T / np.sqrt(64) - start - data.targets
        gradient_second = error.T @ hidden / np.sqrt(64) / n
        gradient_first = ((error @ second / np.sqrt(64)) * (1 - hidden**2)).T @ data.inputs / np.sqrt(d) / n
        # n and the widths are below 100 and every factor is of order 1: 1e-12 is far above the rounding of either side.
        assert run.trajectory.residual[step] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
        norm = np.sqrt(np.sum(gradient_first**2) + np.sum(gradient_second**2))
        assert run.trajectory.gradient_norm[step] == pytest.approx(norm, rel=1e-12)
        first -= built_in.step_size * gradient_first
        second -= built_in.step_size * gradient_second


def test_certified_constants_follow_from_the_certified_weights(built_in: Verification) -> None:
    """lambda0, lambda_max and the residual at the certified weights, from an explicit Jacobian."""
    arrays, certificate = certificate_arrays(built_in), built_in.certificate
    x, (w1, w2) = arrays["X"], (arrays["W1"], arrays["W2"])
    n, d = x.shape
    hidden = np.tanh(x @ w1.T / np.sqrt(d))
    slope = (1 - hidden**2) * w2 / np.sqrt(64)
    jacobian = np.hstack([(slope[:, :, None] * x[:, None, :] / np.sqrt(d)).reshape(n, -1), hidden / np.sqrt(64)])
    eigenvalues = np.linalg.eigvalsh(jacobian @ jacobian.T / n)
    for name, value in (("lambda0", eigenvalues[0]), ("lambda_max", eigenvalues[-1])):
        constant = certificate.constants[name]
        assert float(constant.lower) - 1e-14 <= value <= float(constant.upper) + 1e-14  # 16 u lambda_max of this eigvalsh
    residual = np.sqrt(np.mean((hidden @ w2.T / np.sqrt(64) - arrays["offsets"] - arrays["y"]) ** 2))
    assert certificate.point is not None
    assert residual == pytest.approx(certificate.point.residual, abs=2 * certificate.point.residual_error)
    value = {name: constant.value for name, constant in certificate.constants.items()}
    assert value["q"] == pytest.approx(2 * value["beta"] * value["s0"] / value["lambda0"], rel=1e-12)
    assert value["rate"] == pytest.approx(1 - value["eta"] * value["lambda0"] * (1 - value["q"]), rel=1e-12)
    assert value["rbar"] == pytest.approx(np.sqrt(value["lambda0"]) / value["beta"] * (1 - np.sqrt(1 - value["q"])), rel=1e-10)


def test_certification_step_is_found_to_the_step(built_in: Verification) -> None:
    """The certificate holds at N and fails at N - 1, on a run made anew."""
    setup, step = built_in.setup, built_in.certificate.step
    _, theta = prepare(built_in_problem())
    descent = setup.descent(built_in.step_size)
    reference = theta.copy()
    descent.advance(theta, step - 1, 0.0, reference)
    assert not setup.certify(theta, step - 1, built_in.step_size).certified
    descent.advance(theta, 1, 0.0, reference)
    assert setup.certify(theta, step, built_in.step_size).certified
    assert built_in.run is not None
    np.testing.assert_array_equal(theta, built_in.run.certified_theta)


@pytest.mark.parametrize(("name", "claim"), [("residual", "A-b"), ("residual", "A-c"), ("gradient_norm", "A0-descent")])
def test_a_run_that_breaks_the_theorem_is_caught(built_in: Verification, name: str, claim: str) -> None:
    """One residual that rises, or one gradient larger than the decrease of the loss allows: VIOLATED, and exit status 1."""
    run, certificate = built_in.run, built_in.certificate
    assert run is not None
    assert built_in.step_size is not None
    values = getattr(run.trajectory, name).copy()
    values[certificate.step + 5] *= 1.6
    bad = dataclasses.replace(run, trajectory=dataclasses.replace(run.trajectory, **{name: values}))
    claims = check_run(built_in.setup, certificate, bad, built_in.step_size)
    assert next(c for c in claims if c.id == claim).verdict is Verdict.VIOLATED
    assert dataclasses.replace(built_in, claims=tuple(claims)).status == 1


def test_a_run_too_noisy_to_tell_is_undecided(built_in: Verification) -> None:
    run, certificate = built_in.run, built_in.certificate
    assert run is not None
    assert built_in.step_size is not None
    noisy = tuple(dataclasses.replace(mark, residual_error=1.0) for mark in run.marks)
    claims = check_run(built_in.setup, certificate, dataclasses.replace(run, marks=noisy), built_in.step_size)
    assert next(c for c in claims if c.id == "A-b").verdict is Verdict.UNDECIDED
    assert dataclasses.replace(built_in, claims=tuple(claims)).status == 3


def test_wrong_constants_are_caught() -> None:
    """Half the Jacobian's Lipschitz constant, or none of the first step's length: the drift claims or the path claim fail."""
    found = verify(problem(network={"hidden": [20000], "activation": "softplus", "trained": [1]}, training={"steps": 400}))
    assert found.status == 0
    assert found.run is not None
    assert found.step_size is not None
    for name, factor, claim in (("beta", 0.1, "E-jacobian"), ("rbar", 0.1, "A-a"), ("Tbar", 0.01, "A-e")):
        constants = dict(found.certificate.constants)
        old = constants[name]
        constants[name] = dataclasses.replace(
            old, lower=old.lower * type(old.lower)(factor), upper=old.upper * type(old.upper)(factor)
        )
        wrong = dataclasses.replace(found.certificate, constants=constants)
        claims = check_run(found.setup, wrong, found.run, found.step_size)
        assert next(c for c in claims if c.id == claim).verdict is Verdict.VIOLATED, name


def test_runs_repeat_to_the_bit(built_in: Verification) -> None:
    again = verify(built_in_problem())
    assert again.run is not None
    assert built_in.run is not None
    np.testing.assert_array_equal(again.run.trajectory.residual, built_in.run.trajectory.residual)
    assert again.certificate.constants == built_in.certificate.constants
    assert again.claims == built_in.claims


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"network": {"hidden": [16], "activation": "relu"}}, "not differentiable"),
        ({"loss": {"name": "logistic", "ridge": 0}}, "ridge"),
        (
            {"data": {"source": "digits", "classes": [3, 8], "points": 40}, "network": {"hidden": [30], "trained": [2]}},
            "parameters",
        ),
    ],
)
def test_refused_with_the_reason_and_measured_all_the_same(sections: dict[str, Any], reason: str) -> None:
    found = verify(problem(**sections, training={"steps": 20}))
    assert found.status == 3
    assert found.run is not None
    assert found.run.trajectory.residual[-1] < found.run.trajectory.residual[0]
    assert found.certificate.failure is not None
    assert reason in found.certificate.failure.detail
    assert {claim.verdict for claim in found.claims if claim.theorem not in WITHOUT_CERTIFICATE} == {Verdict.NOT_APPLICABLE}


def test_equal_points_refuse_the_certificate(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((6, 5))
    x[4] = x[1]
    np.savez(tmp_path / "points.npz", X=x, y=np.array([1.0, -1, 1, -1, -1, 1]))
    data = {"source": str(tmp_path / "points.npz"), "points": 6, "normalize": "none"}
    found = verify(problem(data=data, training={"steps": 5}))
    assert found.status == 3
    assert found.certificate.failure is not None
    assert "equal" in found.certificate.failure.detail


def test_a_failed_certificate_says_what_would_satisfy_it() -> None:
    """The output scale it names certifies at the start; a little less does not."""
    failed = certify_only(problem()).certificate
    assert not failed.certified
    assert failed.failure is not None
    assert failed.failure.hypothesis == "q"
    scale = failed.failure.remedies["output_scale"]
    for factor, certified in ((1.01, True), (0.98, False)):
        network = {"hidden": [32], "output_scale": scale * factor}
        assert certify_only(problem(network=network)).certificate.certified is certified


def test_weights_of_a_certified_run_are_certified_again(built_in: Verification, tmp_path: Path) -> None:
    """The file certificate.npz is a weights file: the same weights, step and data give the same constants."""
    np.savez(tmp_path / "certificate.npz", **certificate_arrays(built_in))
    again = built_in_problem()
    again = dataclasses.replace(again, training=dataclasses.replace(again.training, step_size=built_in.step_size))
    found = certify_only(again, tmp_path / "certificate.npz").certificate
    assert found.certified
    assert found.constants["q"] == built_in.certificate.constants["q"]


@pytest.mark.parametrize(
    "sections",
    [
        {"data": {"source": "digits", "classes": [3, 8, 5], "points": 8}},
        {"data": {"source": "diabetes", "points": 6}},
        {"loss": {"name": "pseudo_huber"}},
        {
            "loss": {"name": "logistic"},
            "network": {"hidden": [64], "bias_scale": 0.5, "output_layer": "gaussian", "centered": False},
        },
        {"network": {"hidden": [32, 32], "activation": "s*exp(-s**2/2)", "trained": [1, 3]}},
        {
            "loss": {"name": "weighted_square", "weights": [1, 2, 3, 4, 5, 6, 7, 8]},
            "network": {"hidden": [48], "activation": "erf"},
        },
    ],
    ids=["three classes", "regression", "pseudo-Huber", "logistic, biases, not centered", "user activation, depth 3", "weighted"],
)
def test_every_kind_of_problem_is_certified_and_no_claim_is_violated(sections: dict[str, Any]) -> None:
    found = verify(problem(**sections, training={"steps": 6000, "stop_residual": 1e-7}))
    assert found.certificate.certified, found.certificate.failure
    assert found.counts[Verdict.VIOLATED] == 0
    assert found.counts[Verdict.HOLDS] > 0


def points_file(folder: Path, x: Any, y: Any) -> dict[str, Any]:
    np.savez(folder / "points.npz", X=np.asarray(x, dtype=float), y=np.asarray(y))
    return {"source": str(folder / "points.npz"), "points": len(x), "normalize": "none"}


def test_a_loss_with_narrow_peaks_of_curvature_does_not_fool_the_residual(tmp_path: Path) -> None:
    """l'' has peaks of width 1/1000 that quadrature misses; the residual at a point comes from balls. Oracle: mpmath."""
    name = "(y-t)**2/2+(log(cosh(1000*(y-t-1/2)))+log(cosh(1000*(y-t+1/2))))/1000"
    data = points_file(tmp_path, np.eye(4, 6), [0, 1, 0, 1]) | {"classes": [0, 1]}
    setup, theta = prepare(problem(data=data, network={"hidden": [16]}, loss={"name": name}))
    point = setup.point(theta, 0, setup.snapshot(theta))

    def value(u: float) -> Any:
        return u**2 / mp.mpf(2) + (mp.log(mp.cosh(1000 * (u - 0.5))) + mp.log(mp.cosh(1000 * (u + 0.5)))) / 1000

    mu = setup.loss_constants.mu.lower if setup.loss_constants is not None else 0
    exact = mp.sqrt(2 * (value(1) - value(0)) / mp.mpf(mu.numerator) * mu.denominator)
    assert abs(point.residual - float(exact)) <= point.residual_error


def test_an_activation_that_cancels_is_refused(tmp_path: Path) -> None:
    """sqrt(1+s^2) - 1 at s = 1e-7 is rounding noise; so would be the kernel's eigenvalues."""
    data = points_file(tmp_path, [[1e-7], [2.1e-7]], [-1.0, 1.0])
    for expression in ("sqrt(1+s**2)-1", "1-cos(s)", "sin(s+10000000000000)"):
        found = certify_only(problem(data=data, network={"hidden": [16], "activation": expression, "trained": [2]})).certificate
        assert not found.certified
        assert found.failure is not None
        assert "cancellation" in found.failure.detail


def test_remedies_that_scale_are_named_only_where_they_are_exact(tmp_path: Path) -> None:
    """Away from the initial function the residual does not scale with outputs or labels."""
    setup, theta = prepare(problem())
    setup.descent(1.0).advance(theta, 3, 0.0, theta.copy())
    arrays = {"W1": setup.architecture.weight(theta, 1), "W2": setup.architecture.weight(theta, 2)}
    np.savez(tmp_path / "weights.npz", **arrays)
    failure = certify_only(problem(), tmp_path / "weights.npz").certificate.failure
    assert failure is not None
    assert "residual" in failure.remedies
    assert not {"output_scale", "label_scale"} & set(failure.remedies)


def test_a_run_certified_at_its_last_step_has_nothing_to_check_before_its_limit() -> None:
    """To know its limit it is continued by as many steps again."""
    longer = verify(problem())
    found = verify(problem(training={"steps": longer.certificate.step, "step_size": longer.step_size}))
    assert found.certificate.certified
    assert found.certificate.step == longer.certificate.step
    along = [claim for claim in found.claims if THEOREMS[claim.theorem].role in (Role.CONVERGENCE, Role.ALONG, Role.LAZY)]
    assert {claim.verdict for claim in along} == {Verdict.NOT_APPLICABLE}
    limit = {claim.id: claim.verdict for claim in found.claims if THEOREMS[claim.theorem].role is Role.LIMIT}
    assert set(limit.values()) <= {Verdict.HOLDS, Verdict.NOT_APPLICABLE}


def test_a_diverging_run_is_no_bad_input() -> None:
    found = verify(problem(training={"step_size": 50.0, "steps": 1000}))
    assert found.run is not None
    assert found.run.trajectory.stopped == "not finite"
    assert found.status == 3


def test_a_movement_below_the_trained_layers_is_caught() -> None:
    """D_l = 0 where nothing may move."""
    found = verify(problem(network={"hidden": [32], "trained": [2]}, training={"steps": 30}))
    assert found.run is not None
    assert found.step_size is not None
    drifts = tuple(
        (step, dataclasses.replace(drift, forward=drift.forward + np.array([[1e-3], [0.0]]))) for step, drift in found.run.drifts
    )
    claims = check_run(found.setup, found.certificate, dataclasses.replace(found.run, drifts=drifts), found.step_size)
    assert next(claim for claim in claims if claim.id == "E-forward").verdict is Verdict.VIOLATED


def test_a_stalled_run_breaks_the_path_claims_whether_its_end_was_seen_or_not(built_in: Verification) -> None:
    run, certificate = built_in.run, built_in.certificate
    assert run is not None
    assert built_in.step_size is not None
    gradient = run.trajectory.gradient_norm.copy()
    gradient[-3:] += 100.0
    bad = dataclasses.replace(run, trajectory=dataclasses.replace(run.trajectory, gradient_norm=gradient))
    claims = {claim.id: claim.verdict for claim in check_run(built_in.setup, certificate, bad, built_in.step_size)}
    assert claims["A-a"] is claims["A-d"] is Verdict.VIOLATED


@pytest.mark.parametrize("expression", ["sin(3*s)", "sin(20*s)/20", "s*tanh(log(1+exp(s)))", "s + sin(3*s)/9"])
def test_an_expression_a_little_less_accurate_has_larger_error_bars(expression: str) -> None:
    setup, theta = prepare(problem(network={"hidden": [16], "activation": expression}))
    assert setup.bounds is not None
    assert setup.bounds.ulps > 16
    assert setup.snapshot(theta).errors.residual > 0


@pytest.mark.parametrize("loss", [{"name": "log_cosh"}, {"name": "square"}])
def test_diverging_runs_end_in_order_whatever_the_loss(loss: dict[str, str]) -> None:
    network = {"hidden": [16], "output_scale": 5.0}
    found = verify(problem(network=network, loss=loss, training={"step_size": 1000.0, "steps": 200}))
    assert found.status == 3
