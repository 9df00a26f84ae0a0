"""What follows from a certificate as the maker states it: against measured values, where it states nothing, and in words.

The oracle is a network in plain NumPy, differentiated by complex steps; gradient descent and a SciPy search for the nearest
solution run on it. Nothing here reads a formula of the product but H1's, written out again in doubles.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.verify.plain_network import Measured, measured
from theorems.arithmetic import BALL, ball, upper, working_precision
from theorems.statements.composite import THEOREM_A_SQUARE
from verify.certificate_consequences import GENERALIZATION_KEYS, IMPLICIT, TERM_KEYS, consequences_json, parse_consequences
from verify.certificate_document import certificate_document
from verify.certified_risk import CertifiedRisk
from verify.consequence_lines import consequence_lines
from verify.consequences import CertifiedConsequences, consequences
from verify.enclosure import enclosed_constant
from verify.problem import problem_from_mapping, rigorously
from verify.result import Verification, certificate_arrays, result_json
from verify.rigor import Rigor
from verify.verification import certify_only, verify

Array = NDArray[Any]
ROOM = 1e-9  # relative, of the comparison of a measured value with its bound; far above the rounding of either
ROUNDING = 1e-11  # absolute, of what is measured: weights are of order 1

LAW = {"source": "gaussian", "points": 3, "dimension": 4}
CHANGES = ("kernel_change", "relative_change", "linearized_distance")
PROBLEMS: dict[str, dict[str, Any]] = {
    "square, all trained": {"data": LAW, "network": {"hidden": [5], "output_scale": 30.0}},
    "biases, two hidden layers, one not trained": {
        "data": {**LAW, "points": 2},
        "network": {
            "hidden": [2, 3],
            "activation": "softplus",
            "bias_scale": 0.5,
            "output_scale": 3000.0,
            "trained": [1, 3],
            "seed": 5,
        },
        "generalization": {"loss": "ramp", "margin": 2.0, "first_radius": 0.001},
    },
    "logistic, not centered, another theta0": {
        "data": {**LAW, "seed": 1},
        "network": {"hidden": [5], "activation": "sin", "centered": False, "output_scale": 3.0, "seed": 3},
        "loss": {"name": "logistic", "ridge": 1.0},
        "training": {"steps": 200},
        "generalization": {"loss": "ramp", "margin": 2.0},
    },
    "log cosh, several outputs, another theta0": {
        "data": {"source": "iris", "classes": [0, 1, 2], "points": 2, "normalize": "standard"},
        "network": {"hidden": [4], "output_scale": 5.0, "seed": 3},
        "loss": {"name": "log_cosh", "ridge": 0.5},
        "training": {"steps": 200},
        "generalization": {"clip": 0.25},
    },
}


def made(sections: dict[str, Any]) -> Verification:
    """Certified at the start, or along a run where the number of its steps is given."""
    problem = rigorously(problem_from_mapping(sections, Path()))
    return verify(problem) if "steps" in sections.get("training", {}) else certify_only(problem)


@cache
def plain() -> Verification:
    """One that several tests look at."""
    return made(PROBLEMS["square, all trained"])


@pytest.fixture(scope="module", params=PROBLEMS)
def case(request: pytest.FixtureRequest) -> tuple[Verification, CertifiedConsequences, Measured]:
    found = plain() if request.param == "square, all trained" else made(PROBLEMS[request.param])
    assert found.certificate.rigor is Rigor.RIGOROUS
    assert found.consequences is not None
    assert (found.certificate.step > 0) == ("another theta0" in request.param)
    return found, found.consequences, measured(found)


def holds(value: float, bound: Any) -> None:
    assert bound is not None
    assert value <= float(bound) * (1 + ROOM) + ROUNDING


def test_the_limit_is_as_near_the_nearest_solution_as_stated(case: tuple[Verification, CertifiedConsequences, Measured]) -> None:
    found, follows, seen = case
    far, nearest = np.linalg.norm(seen.v), np.linalg.norm(seen.u)
    assert nearest <= far * (1 + ROOM)
    holds(seen.path, found.certificate.constants["rbar"].upper)
    holds(float(np.linalg.norm(seen.v - seen.range_basis @ (seen.range_basis.T @ seen.v))), bound_of(follows, "outside_range"))
    holds(float(far - nearest), bound_of(follows, "excess"))
    holds(float(np.linalg.norm(seen.v - seen.u)), bound_of(follows, "distance_to_nearest"))
    holds(float(far / nearest), bound_of(follows, "distance_quotient"))


def bound_of(follows: CertifiedConsequences, name: str) -> Fraction:
    value = getattr(follows.implicit if hasattr(follows.implicit, name) else follows.lazy, name)
    assert value is not None
    return value


def test_kernel_and_weights_move_as_little_as_stated(case: tuple[Verification, CertifiedConsequences, Measured]) -> None:
    found, follows, seen = case
    setup, theta = found.setup, found.certified_theta
    assert theta is not None
    holds(seen.kernel, bound_of(follows, "kernel_change"))
    moved = np.linalg.norm(seen.steps, axis=1).max() / np.linalg.norm(theta[seen.network.moves])
    holds(float(moved), bound_of(follows, "relative_change"))
    assert float(bound_of(follows, "relative_change")) < 20 * moved
    for m, layer in enumerate(seen.network.layers):
        change = np.linalg.norm(seen.steps[:, layer], axis=1).max() / np.linalg.norm(theta[layer])
        holds(float(change), follows.lazy.relative_layer_changes[m])
        holds(max(seen.network.neurons(step, m).max() for step in seen.steps), follows.lazy.neuron_changes[m])
        if not setup.architecture.trained[m]:
            assert follows.lazy.relative_layer_changes[m] == follows.lazy.neuron_changes[m] == change == 0
    if setup.loss.is_square:
        holds(seen.linearized, bound_of(follows, "linearized_distance"))
    else:
        assert follows.lazy.linearized_distance is None


def test_every_term_of_h1_is_that_of_the_record(case: tuple[Verification, CertifiedConsequences, Measured]) -> None:
    """Written out in doubles from an explicit Jacobian at theta0; the mean loss at the limit from the oracle's own limit."""
    found, follows, seen = case
    setup, start, network = found.setup, found.initial_theta, seen.network
    assert isinstance(follows.risk, CertifiedRisk)
    risk = follows.risk.stated
    assert start is not None
    terms = {name: float(value) for name, value in risk.terms.items()}
    x, t = setup.dataset.inputs, setup.dataset.targets
    n, k = t.shape
    holds(float(np.linalg.norm(seen.limit - start)), terms["distance_at_most"])
    radius = risk.choices.first_radius * 2 ** (risk.choices.index - 1)
    assert terms["distance_at_most"] <= radius
    assert risk.choices.index == 1 or terms["distance_at_most"] > radius / 2
    mean = float((network.jacobian(start, x) ** 2).sum() / n)
    assert terms["kernel_mean_at_most"] == pytest.approx(mean, rel=1e-9)
    smoothness = {"square": 1.0, "log_cosh": 1.5, "logistic": 1.25}[setup.loss.name]
    slope, b = (
        (1 / risk.choices.parameter, 1.0)
        if risk.choices.loss == "ramp"
        else (math.sqrt(2 * smoothness * risk.choices.parameter), risk.choices.parameter)
    )
    assert terms["loss_slope_at_most"] == pytest.approx(slope, rel=1e-9)
    share = 6 * risk.choices.failure_probability / (math.pi * risk.choices.index) ** 2
    expected = {
        "linear_term": 2 * slope * math.sqrt(2 if k > 1 else 1) * radius * math.sqrt(mean / n),
        "curvature_term": slope * radius**2 * sum(map(float, risk.curvatures)) / n,
        "deviation_term": 3 * b * math.sqrt(math.log(2 / share) / (2 * n)),
    }
    for name, value in expected.items():
        assert terms[f"{name}_at_most"] == pytest.approx(value, rel=1e-8)
    judged = network(seen.limit, x) - (network(start, x) if risk.choices.centered else 0)
    loss = np.clip(1 - (np.sign(t) * judged)[:, 0] / risk.choices.parameter, 0, 1) if risk.choices.loss == "ramp" else np.zeros(n)
    assert terms["empirical_loss_at_most"] == pytest.approx(loss.mean(), abs=1e-9)
    holds(float(loss.mean()) + sum(expected.values()), terms["expected_loss_at_most"])


def test_jacobians_turn_and_outputs_rise_no_faster_than_stated(case: tuple[Verification, CertifiedConsequences, Measured]) -> None:
    """beta_i on the ball about theta0, and H2's slope on that about theta_N, at random weights and inputs of the largest norm."""
    found, follows, seen = case
    network, start, theta = seen.network, found.initial_theta, found.certified_theta
    assert isinstance(follows.risk, CertifiedRisk)
    risk = follows.risk.stated
    assert start is not None
    assert theta is not None
    assert found.certificate.witness is not None
    generator, x = np.random.default_rng(5), found.setup.dataset.inputs
    radius = risk.choices.first_radius * 2 ** (risk.choices.index - 1)

    def within(center: Array, room: float) -> Array:
        step = generator.standard_normal(len(center)) * network.moves
        return np.asarray(center + room * step / np.linalg.norm(step))

    for _ in range(5):
        a, b = within(start, radius), within(start, radius)
        turned = np.linalg.norm(network.jacobian(a, x) - network.jacobian(b, x), ord=2, axis=(1, 2))
        for seen_at, bound in zip(turned / np.linalg.norm(a - b), risk.curvatures, strict=True):
            holds(float(seen_at), bound)
    room, largest = float(found.certificate.witness.given["R"]), float(risk.terms["input_radius"])
    assert largest >= np.linalg.norm(x, axis=1).max() * (1 - 1e-15)
    for _ in range(20):
        at, direction = within(theta, room), generator.standard_normal(x.shape[1])
        point = direction * (largest / float(np.linalg.norm(direction)))
        slope = network.input_slope(at, point) - (network.input_slope(start, point) if risk.choices.centered else 0)
        holds(float(np.linalg.norm(slope, 2)), risk.terms["input_slope_at_most"])


def clause(lines: list[str], name: str) -> str:
    """Everything that is said under the name of a statement, whatever the words."""
    found = [part for line in lines for part in re.split(r"; |^ +[a-z ]+: |, (?!vacuous)", line) if re.search(rf"\({name}\b", part)]
    return " ".join(found)


def numbers(lines: list[str], name: str) -> list[Fraction]:
    """The numbers that are stated under the name of a statement."""
    return [Fraction(text) for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])", clause(lines, name))]


def named_only(lines: list[str], name: str) -> bool:
    """Whether a statement is among those that say no more than the path bound."""
    return any(re.search(rf"\b{name}\b[^;()]* no more than the path bound", line) for line in lines)


def test_words_and_result_say_what_is_stated(case: tuple[Verification, CertifiedConsequences, Measured]) -> None:
    """Numbers in words are rounded up, by less than a thousandth; result.json repeats certificate.json, less the lists of norms."""
    found, follows, _ = case
    path = found.certificate.constants["rbar"].upper
    assert isinstance(follows.risk, CertifiedRisk)
    risk = follows.risk.stated
    told = consequence_lines(follows, path)
    kept = {**vars(follows.implicit), **vars(follows.lazy)}
    for name, value in (
        ("B1", kept["outside_range"]),
        ("B2", kept["excess"]),
        ("B3", kept["distance_to_nearest"]),
        ("B4", kept["distance_quotient"]),
        ("C1", kept["kernel_change"]),
        ("C2", 100 * bound_of(follows, "relative_change")),
        ("C2", max(follows.lazy.neuron_changes)),
        ("C3", kept["linearized_distance"]),
        ("H1", Fraction(risk.terms["expected_loss_at_most"])),
        ("H2", Fraction(risk.terms["input_slope_at_most"])),
    ):
        shown = numbers(told, name)
        if value is None:
            assert not shown
        elif shown and not (name == "C2" and value >= path):
            assert any(value <= number <= value * Fraction(1002, 1000) for number in shown), (name, float(value), shown)
        else:
            assert value >= path
            assert named_only(told, name)
    assert risk.vacuous
    assert "vacuous" in clause(told, "H1")
    assert ("not" in clause(told, "B5")) is not follows.implicit.nearest_is_unique
    entry = json.loads(json.dumps(result_json(found, {}, waterfall=False)["consequences"]))
    document = certificate_document(found.setup, found.certificate, follows, "0" * 64)
    assert document is not None
    stated = document["consequences"]
    assert entry["rigor"] == "rigorous"
    assert entry["reason"] is None
    assert entry["implicit"] == stated["implicit"]
    assert entry["lazy"] == stated["lazy"]
    assert set(TERM_KEYS) < set(entry["generalization"])
    assert entry["generalization"] == {key: stated["generalization"][key] for key in entry["generalization"]}
    own = found.certificate.step == 0
    assert (stated["generalization"]["start"] is None) is own
    assert ("start_W1" in certificate_arrays(found)) is not own


UNJUDGED: dict[str, tuple[dict[str, Any], str]] = {
    "not asked": ({"generalization": {"held_out": False}}, "no judgment"),
    "weights": ({"loss": {"name": "weighted_square", "weights": [1, 2, 3]}}, "loss.weights must be uniform"),
    "radii": ({"generalization": {"first_radius": 1e-320}}, "first_radius"),
}


@pytest.mark.parametrize("name", UNJUDGED)
def test_where_h1_does_not_apply_the_reason_is_told(name: str) -> None:
    sections, words = UNJUDGED[name]
    found = made({"data": LAW, "network": {"hidden": [5], "output_scale": 300.0}, **sections})
    unjudged(found, words)


def test_the_ramp_costs_all_where_the_loss_pulls_to_the_wrong_side() -> None:
    """(y + t)^2/2 is least at -t: every point of the limit is on the wrong side, and the mean ramp loss there is 1."""
    sections = {
        "data": LAW,
        "network": {"hidden": [5], "output_scale": 30.0},
        "loss": {"name": "(y+t)^2/2"},
        "generalization": {"loss": "ramp"},
    }
    follows = made(sections).consequences
    assert follows is not None
    assert isinstance(follows.risk, CertifiedRisk)
    assert follows.risk.stated.terms["empirical_loss_at_most"] >= 1


def test_the_ramp_is_for_one_output(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "two.npz", X=generator.standard_normal((9, 4)), y=generator.standard_normal((9, 2)))
    sections = {"data": {"source": str(tmp_path / "two.npz"), "points": 2}, "generalization": {"loss": "ramp"}}
    unjudged(made({**sections, "network": {"hidden": [5], "output_scale": 300.0}}), "one output")


def test_weights_from_elsewhere_are_no_theta0(tmp_path: Path) -> None:
    first = plain()
    np.savez(tmp_path / "weights.npz", **certificate_arrays(first))
    unjudged(certify_only(first.setup.problem, tmp_path / "weights.npz"), "weights")


def unjudged(found: Verification, words: str) -> None:
    follows = found.consequences
    assert follows is not None
    assert isinstance(follows.risk, str)
    assert words in follows.risk
    assert consequence_lines(follows, Fraction(1))[-1] == f"  unseen data: nothing is certified: {follows.risk}"
    entry = result_json(found, {}, waterfall=False)["consequences"]
    assert entry["generalization"] is None
    assert entry["reason"] == follows.risk
    document = certificate_document(found.setup, found.certificate, follows, "0" * 64)
    assert document is not None
    assert document["consequences"]["generalization"] is None
    assert "start_W1" not in certificate_arrays(found)


def test_what_is_measured_is_not_called_rigorous() -> None:
    """A floating point certificate has the same bounds of B and C, nearly, and says nothing of H1 here."""
    ordinary, proved = certify_only(problem_from_mapping(PROBLEMS["square, all trained"], Path())), plain()
    follows, other = ordinary.consequences, proved.consequences
    assert follows is not None
    assert other is not None
    assert follows.rigor is Rigor.FLOATING_POINT
    assert isinstance(follows.risk, str)
    for name in ("outside_range", "excess", "distance_to_nearest", "distance_quotient", *CHANGES):
        assert float(bound_of(follows, name)) == pytest.approx(float(bound_of(other, name)), rel=1e-3), name
    lines = consequence_lines(follows, Fraction(1))
    assert "floating point" in lines[0]
    assert not any("unseen data" in line for line in lines)
    assert result_json(ordinary, {}, waterfall=False)["consequences"]["rigor"] == "floating point"


def test_steps_too_long_for_c3_are_not_told_of_it() -> None:
    """One point: lambda0 = lambda_max, and A0 certifies steps up to nearly 2/lambda_max, C3 is for at most 1/lambda_max."""
    base = {"data": {**LAW, "points": 1}, "network": {"hidden": [5], "output_scale": 1000.0, "trained": [2]}}
    lam = made(base).certificate.constants["lambda_max"].upper
    for share, stated in ((0.9, True), (1.5, False)):
        found = made({**base, "training": {"step_size": float(share / lam)}})
        assert found.consequences is not None
        assert found.certificate.certified
        assert (found.consequences.lazy.linearized_distance is not None) is stated
        assert any("(C3)" in line for line in consequence_lines(found.consequences, Fraction(1))) is stated


def test_nothing_follows_from_no_certificate() -> None:
    found = made({"data": LAW, "network": {"hidden": [4]}})
    assert found.consequences is None
    assert consequence_lines(None, Fraction(0)) == []
    assert result_json(found, {}, waterfall=False)["consequences"] is None


def test_bounds_that_the_path_bound_implies_are_named_and_not_shown() -> None:
    follows = plain().consequences
    assert follows is not None
    distance = bound_of(follows, "distance_to_nearest")
    weak = dataclasses.replace(
        follows,
        lazy=dataclasses.replace(follows.lazy, neuron_changes=(Fraction(1),)),
        implicit=dataclasses.replace(follows.implicit, nearest_is_unique=False),
    )
    lines = consequence_lines(weak, distance / 2)
    assert not numbers(lines, "B3")
    assert named_only(lines, "B3")
    assert "not" in clause(lines, "B5")
    assert len(numbers(lines, "C2")) == 1  # of all weights
    assert named_only(lines, "C2")
    assert numbers(consequence_lines(weak, distance), "B3")
    assert not named_only(consequence_lines(weak, distance), "B3")


@pytest.mark.parametrize("width", [0, 20, 12])
def test_what_the_format_wants_is_bounded_by_every_certificate(width: int) -> None:
    """The nearer q is to 1, the nearer is t, at which B1 to B3 end; as long as the certificate's own constants are finite they are
    stated. beta is known to a relative 10^-width, or exactly."""
    found = certify_only(problem_from_mapping(PROBLEMS["square, all trained"], Path()))
    certificate, theta, passed = found.certificate, found.certified_theta, []
    assert theta is not None
    assert certificate.theorem is THEOREM_A_SQUARE
    middle = {name: constant.lower for name, constant in certificate.constants.items()}
    for digits in range(1, 39):
        beta = (1 - Fraction(1, 10**digits)) * middle["lambda0"] / (2 * middle["s0"])
        with working_precision():
            room = Fraction(1, 10**width) if width else Fraction(0)
            values = {name: BALL.constant(value) for name, value in middle.items()}
            values |= {"beta": ball(beta * (1 - room), beta * (1 + room))}
            constants = THEOREM_A_SQUARE.evaluate_constants(values, BALL)
            if not all(value.is_finite() for value in constants.values()) or not upper(constants["q"]) < 1:
                continue
            changed = {name: enclosed_constant(value, Rigor.FLOATING_POINT) for name, value in constants.items()}
        follows = consequences(found.setup, dataclasses.replace(certificate, constants=changed), theta, found.initial_theta)
        assert parse_consequences(consequences_json(follows.stated)).implicit.excess >= follows.implicit.excess > 0
        passed.append(digits)
    assert passed == list(range(1, passed[-1] + 1))
    assert passed[-1] >= {0: 36, 20: 19, 12: 11}[width]


def test_what_is_written_is_read_as_it_was_meant(case: tuple[Verification, CertifiedConsequences, Measured]) -> None:
    """Decimals exactly; other bounds rounded up, by less than 1e-16; in the order of the format."""
    _, follows, _ = case
    stated = consequences_json(follows.stated)
    found = parse_consequences(json.loads(json.dumps(stated)))
    own, read = follows.stated.generalization, found.generalization
    assert own is not None
    assert read is not None
    assert (read.choices, read.vacuous) == (own.choices, own.vacuous)
    assert read.terms == {key: Fraction(value) for key, value in own.terms.items()}
    assert read.curvatures == tuple(map(Fraction, own.curvatures))
    assert (read.start is None) is (own.start is None)
    if own.start is not None:
        assert read.start is not None
        assert read.start.backward_sup == tuple(tuple(map(Fraction, row)) for row in own.start.backward_sup)
    for mine, other in ((follows.implicit, found.implicit), (follows.lazy, found.lazy)):
        for name, value in vars(mine).items():
            told = getattr(other, name)
            for exact, rounded in zip(*(x if isinstance(x, tuple) else (x,) for x in (value, told)), strict=True):
                if isinstance(exact, Fraction):
                    assert exact <= rounded <= exact * (1 + Fraction(1, 10**16))
                else:
                    assert exact is rounded
    assert list(stated["implicit"]) == list(IMPLICIT)
    assert list(stated["generalization"]) == list(GENERALIZATION_KEYS)
