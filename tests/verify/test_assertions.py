"""A theorem against weights of a training loop that is not ours: plain NumPy loops, right ones and wrong ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import verify
from numerics.roundoff import UNDERFLOWN
from tests.verify.own_loops import ETA, HIDDEN, POINTS, SECTIONS, STEPS, claim_of, some, trained, with_biases
from theorems.catalogue import THEOREMS
from theorems.errors import InputError
from theorems.records import LossClass, Role
from theorems.statements.implicit import RECORDS as IMPLICIT
from theorems.statements.lazy import RECORDS as LAZY
from verify.assertions import ASSERTED, OwnRun, TheoremReport, assert_theorem, check_theorem, from_standard_parametrization
from verify.errors import ProblemError
from verify.own_checks import certify_records, check_records, observe
from verify.own_run import own_setup
from verify.problem import problem_from_mapping
from verify.setup import prepare
from verify.verdict import Verdict
from verify.verification import verify as verify_problem


@pytest.fixture(scope="module")
def loop() -> dict[str, Any]:
    return trained()


@pytest.fixture(scope="module")
def own(loop: dict[str, Any]) -> TheoremReport:
    return assert_theorem(OwnRun(**loop), "A")


def test_a_numpy_loop_is_certified_where_the_product_certifies_the_same_run(own: TheoremReport) -> None:
    """The same run, trained by our kernels: same certification step, and the same numbers to rounding."""
    ours = verify_problem(problem_from_mapping(SECTIONS))
    assert 0 < own.certificate.step == ours.certificate.step < STEPS / 2
    for name in ("q", "rbar", "rate", "lambda0", "beta"):
        assert own.certificate.constants[name].value == pytest.approx(ours.certificate.constants[name].value, rel=1e-7)
    theirs = {claim.id: claim for claim in ours.claims}
    assert [claim.id for claim in own.claims] == ["GD", "A-a", "A-b", "A-c", "A-d", "A-e"]
    for claim in own.claims[1:]:
        other = theirs[claim.id]
        assert claim.verdict is Verdict.HOLDS
        assert claim.counts == other.counts
        assert claim.step == other.step
        assert claim.slack == pytest.approx(other.slack, rel=1e-6)
    assert own.unchecked == ()
    assert "every step from" in own.scope


def test_every_step_is_seen_to_be_gradient_descent(own: TheoremReport) -> None:
    descent = own.claims[0]
    assert descent.verdict is Verdict.HOLDS
    assert descent.counts[Verdict.HOLDS] == STEPS - own.certificate.step
    assert "not counted" not in descent.reason


@pytest.mark.parametrize(
    ("wrong", "ratio"),
    [
        ({"share": 0.9}, "layer 1: 0.9, layer 2: 0.9"),
        ({"standard": True}, "layer 1: 1, layer 2: 0.75"),
        ({"noise": 1e-6}, "layer 1: "),
    ],
    ids=["another step size", "standard parametrization", "noise"],
)
def test_what_is_not_gradient_descent_fails_although_every_claim_of_the_theorem_may_hold(wrong: dict[str, Any], ratio: str) -> None:
    run = OwnRun(**trained(**wrong))
    report = check_theorem(run, "A")
    assert claim_of(report, "GD").verdict is Verdict.VIOLATED
    assert ratio in claim_of(report, "GD").reason
    assert all(claim.verdict is Verdict.HOLDS for claim in report.claims[1:]) or "noise" in wrong
    with pytest.raises(
        AssertionError, match=r"(?s)Theorem A is not asserted: GD VIOLATED.*bound .*, measured .*, slack .*, at step"
    ):
        assert_theorem(run, "A")


def test_a_float32_run_is_judged_by_the_rounding_of_float32() -> None:
    loop = trained(np.float32)
    run = OwnRun(**{**loop, "weights": loop["weights"][:81]})
    assert run.precision == "float32"
    report = assert_theorem(run, "A")
    descent = claim_of(report, "GD")
    assert 0 < descent.counts[Verdict.HOLDS] < 80 - report.certificate.step
    assert "rounding is as large as the step" in descent.reason
    taken_for_more = check_theorem(dataclasses.replace(run, precision="float64"), "A")
    assert claim_of(taken_for_more, "GD").verdict is Verdict.VIOLATED
    with pytest.raises(AssertionError, match=r"GD UNDECIDED.*undecided="):
        assert_theorem(dataclasses.replace(run, precision="float16"), "A")
    assert assert_theorem(dataclasses.replace(run, precision="float16"), "A", undecided="allow").holding


def test_a_float32_run_at_its_floor_is_undecided_and_not_violated() -> None:
    """Its residual stops falling and its path goes on: rounding explains both, the theorem of exact gradient descent neither."""
    report = check_theorem(OwnRun(**trained(np.float32)), "A")
    assert {claim.verdict for claim in report.claims} == {Verdict.HOLDS, Verdict.UNDECIDED}
    assert [claim.id for claim in report.claims if claim.verdict is Verdict.UNDECIDED] == ["A-b", "A-d"]


def test_before_and_after_say_what_they_cannot_check(loop: dict[str, Any], own: TheoremReport) -> None:
    first = own.certificate.step + 5
    report = assert_theorem(some(loop, [first, STEPS]), "A")
    assert report.certificate.step == first
    assert claim_of(report, "GD").verdict is Verdict.NOT_APPLICABLE
    assert [name for name, _ in report.unchecked] == ["A-e"]
    assert f"the other {STEPS - first - 1} are not seen" in report.scope
    assert {claim.id: claim.counts[Verdict.HOLDS] for claim in report.claims} == {"GD": 0, "A-a": 1, "A-b": 1, "A-c": 1, "A-d": 1}
    assert "chords" in claim_of(report, "A-a").reason


def test_the_rate_between_records_is_the_bound_of_one_step_applied_as_often(loop: dict[str, Any], own: TheoremReport) -> None:
    first = own.certificate.step + 5
    report = check_theorem(some(loop, [first, STEPS]), "A")
    value = {name: x.value for name, x in report.certificate.constants.items()}
    s = value["s0"]
    for _ in range(STEPS - first):
        s = value["rate"] * s - value["eta"] * value["beta_prime"] * s**2
    claim = claim_of(report, "A-b")
    assert claim.bound == pytest.approx(s, rel=1e-6)
    x, t = loop["inputs"], loop["targets"]
    w1, w2 = loop["weights"][STEPS]
    f = np.tanh(x @ w1.T / np.sqrt(x.shape[1])) @ w2.T / np.sqrt(HIDDEN)
    assert claim.measured == pytest.approx(np.sqrt(np.mean((f - t) ** 2)), rel=1e-6)


def test_weights_that_went_elsewhere_violate_the_theorem(loop: dict[str, Any], own: TheoremReport) -> None:
    """Certified before; after: weights further away than the path may be long, or with a larger residual."""
    first = own.certificate.step + 5
    run = some(loop, [first, STEPS])
    radius = own.certificate.constants["rbar"].value
    away = dataclasses.replace(run, weights=[run.weights[0], [run.weights[1][0] + 3 * radius / np.sqrt(HIDDEN), run.weights[1][1]]])
    with pytest.raises(AssertionError, match="A-a VIOLATED; A-b VIOLATED; A-d VIOLATED"):
        assert_theorem(away, "A", start=first)
    stalled = dataclasses.replace(run, weights=[run.weights[0], loop["weights"][first + 1]])
    broken = [claim.id for claim in check_theorem(stalled, "A", start=first).claims if claim.verdict is Verdict.VIOLATED]
    assert broken == ["A-b"]


def test_nothing_green_where_nothing_is_checked(loop: dict[str, Any], own: TheoremReport) -> None:
    with pytest.raises(AssertionError, match=r"not certified: q = .*would satisfy it: residual"):
        assert_theorem(some(loop, [0, 1, 2]), "A")
    with pytest.raises(AssertionError, match="nothing was checked"):
        assert_theorem(some(loop, [0, STEPS]), "A", undecided="allow")
    with pytest.raises(AssertionError, match="not certified"):
        assert_theorem(some(loop, [0, STEPS]), "A", start=0, undecided="allow")


@pytest.mark.parametrize(
    ("name", "ids"), [("E", ["E-forward", "E-jacobian", "E-kernel", "C1"]), ("A0-descent", ["A0-descent"]), ("A0", None)]
)
def test_other_theorems_of_a_run(loop: dict[str, Any], name: str, ids: list[str] | None) -> None:
    report = assert_theorem(OwnRun(**loop), name)
    assert [claim.id for claim in report.claims] == ["GD", *(ids or [claim.id for claim in THEOREMS[name].claims])]
    assert all(claim.verdict is Verdict.HOLDS for claim in report.claims)


def test_every_statement_about_a_run_is_checked_or_says_what_it_lacks(loop: dict[str, Any], own: TheoremReport) -> None:
    """Whatever the catalogue gains: a report, or one sentence that the theorem is for other losses."""
    steps = [own.certificate.step, own.certificate.step + 1, STEPS]
    asked = [name for name, item in THEOREMS.items() if item.role in ASSERTED]
    assert {"A", "A0", "E", "A0-descent"} <= set(asked)
    for name in asked:
        if THEOREMS[name].loss_class is LossClass.GENERAL and name != "A":
            with pytest.raises(ProblemError, match="is not for the loss square"):
                check_theorem(some(loop, steps), name)
            continue
        report = check_theorem(some(loop, steps), name)
        if report.certificate.certified:
            claims = [claim.id for claim in report.claims if claim.theorem] + [claim for claim, _ in report.unchecked]
            assert sorted(claims) == sorted(claim.id for claim in THEOREMS[name].claims)


def test_statements_that_ask_for_more_than_the_records_say_so(loop: dict[str, Any], own: TheoremReport) -> None:
    run = some(loop, [own.certificate.step, own.certificate.step + 1, STEPS])
    setup = own_setup(run)
    for record in (*IMPLICIT, *LAZY):
        wanted = dataclasses.replace(record, role=Role.ALONG)
        claims, unchecked = check_records(setup, run, wanted, observe(setup, run), certify_records(setup, run, wanted, 0))
        assert len(claims) - 1 + len(unchecked) == len(record.claims)
        assert all(why for _, why in unchecked)


def test_single_steps_are_not_judged_from_records_far_apart(loop: dict[str, Any], own: TheoremReport) -> None:
    run = some(loop, [own.certificate.step, STEPS])
    assert check_theorem(run, "A0-descent").unchecked == (
        ("A0-descent", "it speaks of single steps, and not every step is recorded"),
    )
    assert assert_theorem(run, "E").holding == 4


def test_converted_weights_of_the_standard_parametrization(loop: dict[str, Any], own: TheoremReport) -> None:
    scale = 1.3
    standard = [[w1 / np.sqrt(w1.shape[1]), w2 / np.sqrt(HIDDEN)] for w1, w2 in loop["weights"]]
    back, biases = from_standard_parametrization(standard[3])
    assert biases is None
    for ours, theirs in zip(back, loop["weights"][3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-15)
    # A larger sigma_w and weights smaller by as much are the same function; its gradients are larger by as much, the step smaller.
    converted = [from_standard_parametrization(record, weight_scale=scale)[0] for record in standard]
    run = OwnRun(**{**loop, "weights": converted, "weight_scale": scale, "step_size": ETA / scale**2})
    report = assert_theorem(run, "A")
    assert report.certificate.step == own.certificate.step
    assert report.certificate.constants["q"].value == pytest.approx(own.certificate.constants["q"].value, rel=1e-6)


def test_biases_an_activation_and_a_loss_written_out() -> None:
    given = with_biases()
    run = OwnRun(**given)
    report = assert_theorem(run, "A+")
    assert 0 < report.certificate.step < 100
    assert [claim.id for claim in report.claims] == ["GD", "A+-a", "A+-b", "A+-c", "A+-e"]
    assert all(claim.verdict is Verdict.HOLDS for claim in report.claims)
    # The same weights in the standard parametrization, converted back.
    scales = [1 / np.sqrt(weight.shape[1]) for weight in given["weights"][0]]
    converted = [
        from_standard_parametrization([c * w for c, w in zip(scales, one, strict=True)], [0.5 * b for b in more], bias_scale=0.5)
        for one, more in zip(given["weights"], given["biases"], strict=True)
    ]
    again = {**given, "weights": [one for one, _ in converted], "biases": [more for _, more in converted]}
    assert check_theorem(OwnRun(**again), "A+", start=report.certificate.step).holding == report.holding
    for change, message in (
        ({"weights": [[w1, w2 + k] for k, (w1, w2) in enumerate(run.weights)], "trained": [1]}, "layer 2 is not among the trained"),
        ({"biases": [[b1, b2 + k] for k, (b1, b2) in enumerate(run.biases or ())], "trained": [1]}, "layer 2 is not among"),
    ):
        with pytest.raises(ProblemError, match=message):
            check_theorem(dataclasses.replace(run, **change), "A")
    with pytest.raises(ProblemError, match="'A-square' is not for the loss"):
        check_theorem(run, "A-square")


def test_what_cannot_be_asked(loop: dict[str, Any]) -> None:
    run = some(loop, [STEPS - 2, STEPS])
    for name, message in (
        ("N", "must be about a run of gradient descent"),
        ("A+", "is not for the loss square"),
    ):
        with pytest.raises(ProblemError, match=message):
            check_theorem(run, name)
    for name, message in (
        ("B9", "unknown theorem 'B9'"),
        ("C1", "it is a claim of theorem E, ask for that"),
        ("G", "there are G-step and G-persistence"),
    ):
        with pytest.raises(InputError, match=message):
            check_theorem(run, name)
    for start in (7, STEPS):
        with pytest.raises(ProblemError, match="start must be a recorded step before the last"):
            check_theorem(run, "A", start=start)
    with pytest.raises(ProblemError, match="undecided must be"):
        assert_theorem(run, "A", undecided="pass")  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="sample_weights belong to the square loss"):
        check_theorem(dataclasses.replace(run, sample_weights=np.ones(POINTS), loss="log_cosh"), "A")
    doubled = dataclasses.replace(run, inputs=np.vstack([run.inputs[:-1], run.inputs[:1]]), targets=np.ones(POINTS))
    with pytest.raises(ProblemError, match=r"row 0 and row 7 are the same point|must have"):
        check_theorem(dataclasses.replace(doubled, targets=np.arange(POINTS)), "A")
    assert "points 0 and 7 are equal" in check_theorem(doubled, "A").problems()[0]


def test_a_rigorous_certificate_at_ones_own_weights(loop: dict[str, Any], own: TheoremReport) -> None:
    report = assert_theorem(some(loop, [own.certificate.step + 10, STEPS], rigor="rigorous"), "A")
    assert report.certificate.rigor.value == "rigorous"


def test_weighted_points_are_weighted(loop: dict[str, Any]) -> None:
    weights = np.linspace(1.0, 2.0, POINTS)
    report = check_theorem(some(loop, [20, 21, 22], sample_weights=weights), "A")
    assert claim_of(report, "GD").verdict is Verdict.VIOLATED  # the loop did not weigh its points


def test_several_layers_and_outputs() -> None:
    """The records of our own kernels, of a shape that the loops above do not have; the claims of the product are these."""
    sections: dict[str, Any] = {
        "data": {"source": "digits", "classes": [1, 3, 8], "points": 5},
        "network": {"hidden": [40, 40], "activation": "erf", "trained": [1, 3], "bias_scale": 0.3, "output_scale": 3.0},
        "training": {"step_size": 0.5, "steps": 110, "stop_residual": 0.0},
    }
    ours = verify_problem(problem_from_mapping(sections))
    setup, theta = prepare(problem_from_mapping(sections))
    a, descent, reference, weights, biases = setup.architecture, setup.descent(0.5), theta.copy(), [], []
    for _ in range(111):
        weights.append([a.weight(theta, layer).copy() for layer in (1, 2, 3)])
        biases.append([a.bias(theta, layer).copy() for layer in (1, 2, 3)])
        descent.advance(theta, 1, -1.0, reference)
    options: dict[str, Any] = {
        "activation": "erf",
        "bias_scale": 0.3,
        "output_scale": 3.0,
        "trained": [1, 3],
        "offsets": setup.offsets,
    }
    run = OwnRun(weights, setup.dataset.inputs, setup.dataset.targets, 0.5, biases=biases, **options)
    report = assert_theorem(run, "A0")
    assert 0 < report.certificate.step == ours.certificate.step
    assert claim_of(report, "GD").measured == pytest.approx(0.0, abs=2 * UNDERFLOWN)  # to the bit
    theirs = {claim.id: claim for claim in ours.claims}
    for claim in report.claims[1:]:
        assert (claim.counts, claim.step) == (theirs[claim.id].counts, theirs[claim.id].step)
    # The step is too large for Theorem A, and what A0 certifies is not A's.
    with pytest.raises(
        AssertionError, match=r"Theorem A is not asserted: not certified: the step 0\.5 is too large: 1/\(L Lambda\)"
    ):
        assert_theorem(run, "A")


def test_the_names_are_there_lazily() -> None:
    assert verify.assert_theorem is assert_theorem
    assert verify.OwnRun is OwnRun
    with pytest.raises(AttributeError, match="no attribute 'assert_theorems'"):
        verify.assert_theorems  # noqa: B018
