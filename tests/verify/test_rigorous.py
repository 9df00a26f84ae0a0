"""Rigorous certificates: what is stated is true, rigor can only get worse, and whatever goes wrong ends in "not certified"."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import verify.setup as preparation
from numerics.errors import NumericsError
from numerics.midrad import MidRad
from theorems.activations import activation
from theorems.arithmetic import BALL, lower, upper, working_precision
from theorems.catalogue import THEOREMS
from theorems.errors import InputError
from verify.certificate_document import certificate_document
from verify.certificate_file import CONCLUSIONS
from verify.commands import cli
from verify.enclosed_point import enclosed_activation, residual_above, stated_supremum
from verify.enclosure import constant_rigors
from verify.errors import ProblemError
from verify.problem import problem_from_mapping, rigorously
from verify.result import Verification
from verify.rigor import Rigor, decimal_above, decimal_below, worst
from verify.setup import prepare
from verify.verdict import Verdict
from verify.verification import certify_only, verify


def problem(**sections: dict[str, Any]) -> Any:
    base: dict[str, Any] = {"data": {"source": "digits", "classes": [3, 8], "points": 8}, "network": {"hidden": [32]}}
    return rigorously(problem_from_mapping({**base, **sections}, Path()))


@pytest.fixture(scope="module")
def certified() -> Verification:
    return verify(problem())


def test_a_run_is_certified_with_every_number_enclosed(certified: Verification) -> None:
    certificate = certified.certificate
    assert certified.status == 0
    assert certificate.rigor is Rigor.RIGOROUS
    assert certificate.witness is not None
    assert all(constant.rigor is Rigor.RIGOROUS for constant in certificate.constants.values())
    assert certified.counts[Verdict.VIOLATED] == certified.counts[Verdict.UNDECIDED] == 0
    # What a run measured is not enclosed, and taints what it is compared with.
    assert all(claim.rigor is Rigor.FLOATING_POINT for claim in certified.claims)


def test_the_stated_numbers_bound_an_independent_evaluation(certified: Verification) -> None:
    """lambda_min, lambda_max and residual from an explicit Jacobian in plain NumPy; its rounding is far below 1e-10."""
    assert certified.certificate.witness is not None
    assert certified.run is not None
    assert certified.run.certified_theta is not None
    bounds, setup, theta = certified.certificate.witness.bounds, certified.setup, certified.run.certified_theta
    x, w1, w2 = setup.dataset.inputs, setup.architecture.weight(theta, 1), setup.architecture.weight(theta, 2)
    n, d = x.shape
    hidden = np.tanh(x @ w1.T / np.sqrt(d))
    slope = (1 - hidden**2) * w2 / np.sqrt(32)
    jacobian = np.hstack([(slope[:, :, None] * x[:, None, :] / np.sqrt(d)).reshape(n, -1), hidden / np.sqrt(32)])
    eigenvalues = np.linalg.eigvalsh(jacobian @ jacobian.T / n)
    error = hidden @ w2.T / np.sqrt(32) - setup.offsets - setup.dataset.targets
    residual = np.sqrt(np.mean(error**2))
    assert float(bounds.lambda0) <= eigenvalues[0] * (1 + 1e-10)
    assert float(bounds.lambda0) >= eigenvalues[0] * (1 - 1e-6)
    assert float(bounds.lambda_max) >= eigenvalues[-1] * (1 - 1e-10)
    assert float(bounds.residual) == pytest.approx(residual, rel=1e-9)
    assert float(bounds.residual) >= residual * (1 - 1e-10)
    for layer, weight in enumerate((w1, w2)):
        assert float(bounds.operator_norms[layer]) == pytest.approx(np.linalg.norm(weight, 2), rel=1e-10)


def test_rigorous_and_floating_point_certificates_agree(certified: Verification) -> None:
    ordinary = verify(dataclasses.replace(problem(), certificate=problem_from_mapping({}).certificate))
    assert ordinary.certificate.rigor is Rigor.FLOATING_POINT
    assert ordinary.certificate.step == certified.certificate.step
    for name, constant in ordinary.certificate.constants.items():
        # sup|phi'| and sup|phi''| are stated 1e-6 larger, and q near 1 magnifies that.
        assert certified.certificate.constants[name].value == pytest.approx(constant.value, rel=1e-3), name


def test_the_document_follows_from_what_it_states(certified: Verification) -> None:
    """Every constant, margin and conclusion, evaluated again from the decimals of "given"."""
    document = certificate_document(certified.setup, certified.certificate, certified.consequences, "0" * 64)
    assert document is not None
    record = THEOREMS[document["theorem"]]
    names = {"smoothness": "L", "residual": "s0", "ball_radius": "R", "step_size": "eta"}
    given_ = {names.get(key, key): Fraction(Decimal(str(value))) for key, value in document["given"].items() if key != "step_size"}
    given_["eta"] = Fraction(document["given"]["step_size"])
    with working_precision(192):
        values = {name: BALL.constant(value) for name, value in given_.items()}
        constants = record.evaluate_constants(values, BALL)
        margins = record.margins(constants, BALL)
        for name, ends in document["constants"].items():
            assert (
                Fraction(Decimal(ends["lower"]))
                <= lower(constants[name])
                <= upper(constants[name])
                <= Fraction(Decimal(ends["upper"]))
            )
        for item in document["hypotheses"]:
            assert Fraction(Decimal(item["margin"]["lower"])) <= lower(margins[item["id"]])
            assert upper(margins[item["id"]]) <= Fraction(Decimal(item["margin"]["upper"]))
            assert Fraction(Decimal(item["margin"]["lower"])) > 0 or not item["strict"]
        for key, name in CONCLUSIONS.items():
            stated = Fraction(Decimal(document["conclusions"][key]))
            assert stated >= upper(constants[name]) if key.endswith("_at_most") else stated <= lower(constants[name])


def test_rigor_is_a_taint() -> None:
    record = THEOREMS["A"]
    given_ = {str(q.symbol): Rigor.RIGOROUS for q in record.quantities}
    assert worst(constant_rigors(record, given_).values()) is Rigor.RIGOROUS
    touched = constant_rigors(record, given_ | {"lambda_max": Rigor.FLOATING_POINT})
    # lambda_max enters Lambda alone; lambda0 enters nearly everything.
    assert [c.name for c in record.constants if touched[c.name] is Rigor.FLOATING_POINT] == ["Lambda"]
    touched = constant_rigors(record, given_ | {"lambda0": Rigor.FLOATING_POINT})
    assert {c.name for c in record.constants if touched[c.name] is Rigor.RIGOROUS} == {"Lambda"}


def not_a_number(*arguments: Any) -> Any:
    found = original(*arguments)
    return dataclasses.replace(found, lambda_min=float("nan"))


def infinite(*arguments: Any) -> Any:
    found = original(*arguments)
    return dataclasses.replace(found, forward_norms=np.full_like(found.forward_norms, np.inf))


def unbounded_outputs(*arguments: Any) -> Any:
    found = original(*arguments)
    return dataclasses.replace(found, outputs=MidRad(found.outputs.mid, np.full_like(found.outputs.mid, np.inf)))


def broken(*arguments: Any) -> Any:
    raise ZeroDivisionError("a mistake of ours")


original = preparation.enclosed_snapshot


@pytest.mark.parametrize("fault", [not_a_number, infinite, unbounded_outputs, broken])
def test_nan_infinity_or_an_exception_ends_in_not_certified(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "enclosed_snapshot", fault)
    found = verify(problem())
    assert found.certificate.certified is False
    assert found.certificate.failure is not None
    assert found.certificate.failure.hypothesis == "enclosure"
    assert found.status == 3
    assert certificate_document(found.setup, found.certificate, found.consequences, "0" * 64) is None


def test_cancellation_that_hides_from_probes_does_not_hide_from_enclosures() -> None:
    """10^14 log(1 + b/10^14) is b to 14 digits, but in doubles it is rubbish wherever b is small."""
    text = "10**14*log(1 + exp(-s**2/2)/10**14)"
    phi, bump = activation(text), activation("gaussian_bump")
    suprema = (Fraction(1), Fraction(2))
    z = MidRad(np.linspace(-6, 6, 1001))
    found, slope = enclosed_activation(phi, suprema)(z)
    exact, exact_slope = enclosed_activation(bump, suprema)(z)
    # |log(1 + x) - x| <= x^2/2: the two functions differ by at most 1e-14/2, their slopes by at most 1e-14.
    assert (np.abs(found.mid - exact.mid) <= found.radius + exact.radius + 1e-14).all()
    assert (np.abs(slope.mid - exact_slope.mid) <= slope.radius + exact_slope.radius + 1e-14).all()
    assert found.radius.max() < 1e-14


def test_a_rapidly_varying_activation_gets_narrower_cells() -> None:
    phi = activation("sin(50*s)")
    z = MidRad(np.linspace(-1, 1, 101))
    found, slope = enclosed_activation(phi, (Fraction(50), Fraction(2500)))(z)
    assert (np.abs(found.mid - np.sin(50 * z.mid)) <= found.radius + 1e-14).all()  # 50 z is rounded by NumPy's side: 50 u
    assert found.radius.max() < 1e-13
    assert slope.radius.max() < 1e-11


def test_preactivations_that_fill_too_many_cells_are_refused() -> None:
    phi = activation("tanh")
    with pytest.raises(NumericsError, match="cells"):
        enclosed_activation(phi, (Fraction(1), Fraction(1)))(MidRad(np.linspace(-1e6, 1e6, 40000)))


@pytest.mark.parametrize("name", ["log_cosh", "pseudo_huber", "logistic", "square"])
def test_residuals_of_other_losses_are_bounded(name: str) -> None:
    """Against the floating-point residual, whose error is measured, at drawn weights."""
    setup, theta = prepare(problem(loss={"name": name}))
    found = setup.exact_point(theta, 0)
    measured = setup.point(theta, 0, setup.snapshot(theta))
    assert measured.residual - measured.residual_error <= found.residual * (1 + 1e-11)
    assert found.residual <= (measured.residual + measured.residual_error) * (1 + 1e-9)


def test_a_residual_that_is_not_enclosed_is_refused() -> None:
    setup, _ = prepare(problem())
    shape = setup.dataset.targets.shape
    wild = MidRad(np.zeros(shape), np.full(shape, np.inf))
    with pytest.raises(NumericsError):
        residual_above(setup.loss, wild, setup.offsets, setup.dataset.targets, setup.dataset.sample_weights, Decimal(1))


@given(st.fractions(), st.integers(1, 20))
def test_decimals_round_to_their_side(value: Fraction, digits: int) -> None:
    above, below = decimal_above(value, digits), decimal_below(value, digits)
    assert Fraction(below) <= value <= Fraction(above)
    assert len(above.as_tuple().digits) <= digits
    gap = Fraction(above) - Fraction(below)
    assert gap == 0 or gap <= abs(value) * Fraction(10) ** (1 - digits) * (1 + Fraction(1, 10**6)) or digits == 1


def test_decimals_out_of_any_range_are_refused() -> None:
    with pytest.raises(InputError):
        decimal_above(Fraction(1, 10**5000), 5)


@given(st.fractions(min_value=0, max_value=1000))
def test_stated_suprema_exceed_what_is_proved(value: Fraction) -> None:
    stated = Fraction(stated_supremum(value))
    assert stated > value
    assert stated <= value * (1 + Fraction(3, 10**6)) + Fraction(2, 10**30)


def test_command_line_writes_a_certificate(tmp_path: Path) -> None:
    file = tmp_path / "problem.toml"
    file.write_text('[data]\nsource = "digits"\nclasses = [3, 8]\npoints = 8\n[network]\nhidden = [32]\n')
    done = CliRunner().invoke(cli, ["verify", str(file), "--rigorous", "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "rigorous: every number of this certificate is enclosed" in done.output
    assert "floating point: the run as it was measured" in done.output
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["certificate"]["rigor"] == "rigorous"
    assert set(result["files"]) >= {"certificate.npz", "certificate.json"}
    assert {claim["rigor"] for claim in result["claims"]} == {"floating point"}
    assert all(constant["rigor"] == "rigorous" for constant in result["certificate"]["constants"].values())
    document = json.loads((tmp_path / "run/certificate.json").read_text())
    assert document["arrays"]["sha256"] == result["files"]["certificate.npz"]


def test_a_floating_point_run_writes_no_certificate_of_proof(tmp_path: Path) -> None:
    file = tmp_path / "problem.toml"
    file.write_text('[data]\nsource = "digits"\nclasses = [3, 8]\npoints = 4\n[network]\nhidden = [16]\n')
    (tmp_path / "certificate.json").write_text("{}")  # of an earlier run: it must not stand beside other weights
    CliRunner().invoke(cli, ["verify", str(file), "--out", str(tmp_path)])
    assert (tmp_path / "result.json").exists()
    assert not (tmp_path / "certificate.json").exists()


def test_a_wide_network_is_certified_at_the_start() -> None:
    found = certify_only(problem(network={"hidden": [32768], "activation": "softplus", "trained": [1]}))
    assert found.certificate.certified
    assert found.certificate.rigor is Rigor.RIGOROUS
    assert found.certificate.step == 0
    # "certified" asks for the largest step that the enclosed constants allow, not for that of the floating-point ones.
    constants = found.certificate.constants
    assert 1 - 1e-8 < float(constants["eta"].upper * constants["Lambda"].upper) <= 1


def test_existence_is_proved_too(certified: Verification) -> None:
    """Theorem N at an earlier step than the certificate, from enclosed numbers; as in floating point, a little weaker."""
    assert certified.run is not None
    found = certified.run.existence
    assert found is not None
    assert found.bound.rigor is Rigor.RIGOROUS
    assert found.step <= certified.certificate.step
    assert 0 < found.bound.quotient <= 1
    setup = certified.setup
    point = setup.exact_point(prepare(problem())[1], 0)
    assert point.newton_step is not None
    measured = setup.point(prepare(problem())[1], 0, setup.snapshot(prepare(problem())[1]))
    assert point.newton_step == pytest.approx(measured.newton_step, rel=1e-8)


def test_an_activation_that_no_certificate_can_state_is_refused_at_the_door() -> None:
    """The checker's parser is narrower than the problem file's grammar; better now than after the run."""
    nested = "tanh(" * 70 + "s" + ")" * 70
    with pytest.raises((ProblemError, InputError)):
        prepare(problem(network={"hidden": [8], "activation": nested}))
