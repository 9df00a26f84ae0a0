"""H1 and H2 on trained networks: every term recomputed another way, the claims on held-out points, and what breaks them."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
import scipy.stats

from numerics.snapshots import snapshot
from theorems.arithmetic import FLOAT
from theorems.statements.generalization import THEOREM_H1 as H1
from verify.errors import ProblemError
from verify.evaluated_losses import EvaluatedLoss, clipped_loss, ramp_loss
from verify.generalization import Judge, certified_distance
from verify.held_out import HeldOut, held_out
from verify.problem import problem_from_mapping
from verify.run import measure_run
from verify.setup import prepare
from verify.verdict import Verdict
from verify.verification import silent, start_certificate

EPS = np.finfo(np.float64).eps


def problem(points=60, hidden=(64,), source="digits", classes=(0, 1), **network):
    data = {"source": source, "points": points} | ({"classes": list(classes)} if classes else {"dimension": 3})
    given = {"hidden": list(hidden), "trained": [1], "output_scale": 4.0} | network
    return problem_from_mapping({"data": data, "network": given, "training": {"steps": 50}})


def trained(setup, theta0, steps, share=0.5):
    descent, theta = setup.descent(share / float(setup.snapshot(theta0).eigenvalues[-1])), theta0.copy()
    if steps:
        descent.advance(theta, steps, 0.0, theta0)
    return theta


@pytest.fixture(scope="module")
def small():
    setup, theta0 = prepare(problem())
    return setup, theta0, held_out(setup.problem.data), trained(setup, theta0, 20)


# The two statements at trained weights.


def gradients(setup, theta, inputs):
    """df(x_i) for one hidden layer of which W_1 is trained, from the definition."""
    a, alpha = setup.architecture, setup.architecture.output_scale
    first, second = a.weight(theta, 1), a.weight(theta, 2)
    c1, c2 = a.fan_in_scales
    slopes = 1 - np.tanh(c1 * inputs @ first.T) ** 2
    return alpha * c2 * c1 * np.einsum("m,nm,nd->nmd", second[0], slopes, inputs).reshape(len(inputs), -1)


def kernel_room(setup, theta0):
    """How much, relatively, the bound of the trace's rounding adds to its root: n k times that of the kernel in operator norm."""
    found = setup.snapshot(theta0)
    return len(found.kernel) * (found.errors.kernel / np.trace(found.kernel) + EPS)


def test_every_term_another_way(small) -> None:
    setup, theta0, held, theta = small
    judged = Judge(setup, theta0, held, ramp_loss(1.0), failure_probability=0.05, first_radius=0.1).judge(theta)
    found, n = judged.measured, 60
    r = float(np.linalg.norm(theta - theta0))
    assert r <= found.distance <= r * (1 + 1e6 * EPS)
    assert found.radius == 0.1 * 2 ** (found.index - 1)
    assert found.radius / 2 < r <= found.radius
    k0 = np.sum(gradients(setup, theta0, setup.dataset.inputs) ** 2, axis=1)
    room = kernel_room(setup, theta0)
    assert found.linear == pytest.approx(2 * found.radius * np.sqrt(k0.sum()) / n, rel=room)
    # tanh'' is at most 4/(3 sqrt 3); one hidden layer, T = {1}, +-1 outputs: beta_i = alpha c_2 Lpp c_1^2 |x_i|^2, |x_i|^2 = d.
    beta = 4.0 / 8.0 * 4 / (3 * math.sqrt(3))
    assert found.mean_beta == pytest.approx(beta, rel=1e-9)
    assert found.curvature == pytest.approx(found.radius**2 * beta, rel=1e-9)
    share = 0.05 * 6 / (math.pi**2 * found.index**2)
    assert found.deviation == pytest.approx(3 * math.sqrt(math.log(2 / share) / (2 * n)), rel=1e-12)
    assert found.gap == pytest.approx(found.linear + found.curvature + found.deviation, rel=64 * EPS)
    outputs = snapshot(
        setup.architecture, setup.activation_kernel, theta, held.inputs, np.full(held.points, 1 / held.points)
    ).outputs
    outputs -= snapshot(
        setup.architecture, setup.activation_kernel, theta0, held.inputs, np.full(held.points, 1 / held.points)
    ).outputs
    test = float(np.mean(np.clip(1 - outputs * held.targets, 0, 1)))
    assert judged.test_loss == pytest.approx(test, rel=1e-12)
    assert judged.start_loss == 1.0  # a centered network begins at 0
    assert judged.gap == judged.test_loss - judged.train_loss
    assert judged.train_loss + found.gap <= found.bound <= (judged.train_loss + found.gap + judged.loss_error) * (1 + 8 * EPS)
    assert found.factor == found.bound
    assert found.vacuous == (found.bound >= 1)
    assert {claim.id: claim.verdict for claim in judged.claims} == dict.fromkeys(
        ("H1-risk", "H2-lipschitz", "H2-risk"), Verdict.HOLDS
    )
    assert "360 eligible rows" in judged.assumptions[0]


def test_words_say_vacuous_and_how_far(small) -> None:
    """At the number of points that is named, the bound is b: the falling terms go like the root of n."""
    setup, theta0, held, theta = small
    tight = Judge(setup, theta0, held, ramp_loss(1.0)).judge(theta).measured
    assert tight.vacuous
    assert tight.words.startswith("vacuous: the bound")
    assert f"it would take {tight.points_needed} points instead of 60" in tight.words
    falling = (tight.linear + tight.deviation) * math.sqrt(60 / tight.points_needed)
    assert tight.bound - tight.linear - tight.deviation + falling == pytest.approx(1.0, abs=1e-2)
    hopeless = Judge(setup, theta0, held, ramp_loss(0.01)).judge(trained(setup, theta0, 200)).measured
    assert hopeless.points_needed is None
    assert "do not fall with n" in hopeless.words


def test_a_real_bound_that_is_not_vacuous() -> None:
    """Breast cancer, 500 rows, 20 steps: below the loss 1/2 of the constant prediction 0. Every step is covered at once."""
    setup, theta0 = prepare(problem(points=500, hidden=(1024,), source="breast_cancer", output_scale=16.0))
    judge = Judge(setup, theta0, held_out(setup.problem.data), clipped_loss(setup, 0.5))
    step_size = 0.9 / float(setup.snapshot(theta0).eigenvalues[-1])
    (_, start), (_, early), (_, late) = judge.along(step_size, [0, 20, 200])
    assert start.start_loss == pytest.approx(0.5, rel=64 * EPS)
    assert not early.measured.vacuous
    assert early.measured.bound < start.start_loss
    told = re.fullmatch(r"not vacuous: the expected loss is bounded by (\S+), below the largest loss 0.5", early.measured.words)
    assert early.measured.bound <= float(told[1]) <= 1.001 * early.measured.bound  # a bound is rounded up
    assert late.measured.vacuous
    assert late.train_loss < early.train_loss
    assert early.transport_vacuous  # Lip is in the hundreds
    assert all(claim.verdict is Verdict.HOLDS for claim in (*early.claims, *late.claims))


def test_the_bound_at_a_start_that_has_not_moved(small) -> None:
    setup, theta0, held, _ = small
    judged = Judge(setup, theta0, held, clipped_loss(setup, 2.0)).judge(theta0)
    assert judged.measured.index == 1
    assert judged.train_loss == pytest.approx(0.5, rel=64 * EPS)


@pytest.fixture(scope="module")
def certified():
    """A run that is certified after its start: 8 points of the digits."""
    mapping = problem(points=8, hidden=(256,), output_scale=1.0).to_mapping()
    mapping["training"] |= {"steps": 3000, "step_size": "certified"}
    setup, theta0 = prepare(problem_from_mapping(mapping))
    start, step_size = start_certificate(setup, theta0)
    return setup, theta0, measure_run(setup, theta0, start, step_size, silent), step_size


def test_the_measured_radius_is_the_smaller(certified) -> None:
    setup, theta0, run, step_size = certified
    assert run.certificate.certified
    assert run.certificate.step > 0
    bound = certified_distance(run.certificate, run.certified_theta, theta0)
    moved = float(np.linalg.norm(run.certified_theta - theta0))
    rbar = float(run.certificate.constants["rbar"].upper)
    assert bound == pytest.approx(moved + rbar, rel=4 * len(theta0) * EPS)
    judge = Judge(setup, theta0, held_out(setup.problem.data), ramp_loss(1.0), first_radius=2.0**-6)
    steps = run.trajectory.steps
    ((done, along),) = judge.along(step_size, [steps])
    assert done == steps
    assert along.measured.distance == pytest.approx(float(run.trajectory.displacement[-1][0]), rel=4 * len(theta0) * EPS)
    descent, theta = setup.descent(step_size), theta0.copy()
    descent.advance(theta, steps, 0.0, theta0)
    judged = judge.judge(theta, bound)
    assert judged.measured == along.measured
    assert judged.certified.distance == bound > judged.measured.distance
    assert judged.certified.bound >= judged.measured.bound
    # rbar by itself is shorter than the way: taken for the radius about theta0 it would be wrong.
    assert rbar < judged.measured.distance


def test_a_run_without_a_certificate_has_no_certified_radius(certified) -> None:
    _, theta0, run, _ = certified
    with pytest.raises(ProblemError, match="must certify the run"):
        certified_distance(run.start, theta0, theta0)


def test_several_outputs() -> None:
    setup, theta0 = prepare(problem(points=40, classes=(0, 1, 2), hidden=(32,)))
    held = held_out(setup.problem.data)
    held = dataclasses.replace(held, inputs=held.inputs[:40], targets=held.targets[:40])  # as many: an assignment
    judged = Judge(setup, theta0, held, clipped_loss(setup, 0.5)).judge(trained(setup, theta0, 5))
    kernel = setup.snapshot(theta0).kernel
    k0 = 40 * np.diag(kernel).reshape(40, 3).sum(axis=1)
    slope = 1.0
    expected = 2 * slope * math.sqrt(2) * judged.measured.radius * math.sqrt(k0.sum()) / 40
    assert judged.measured.linear == pytest.approx(expected, rel=kernel_room(setup, theta0))
    assert all(claim.verdict is Verdict.HOLDS for claim in judged.claims)


# What breaks the statements, one hypothesis at a time.


def memorizing(points=300, dimension=320):
    """A linear network that fits random labels in more dimensions than there are points; fresh points are guessed."""
    mapping = {
        "data": {"source": "sphere", "points": points, "dimension": dimension},
        "network": {"hidden": [1], "activation": "identity", "trained": [1], "centered": False, "seed": 1},
    }
    setup, theta0 = prepare(problem_from_mapping(mapping))
    a, theta = setup.architecture, theta0.copy()
    wanted = np.linalg.lstsq(setup.dataset.inputs, 2 * setup.dataset.targets[:, 0], rcond=None)[0]
    a.weight(theta, 1)[:] = wanted / (a.fan_in_scales[0] * a.fan_in_scales[1] * a.weight(theta, 2)[0, 0])
    return setup, theta0, held_out(setup.problem.data, fresh=300), theta


@pytest.fixture(scope="module")
def memorized():
    return memorizing()


def verdict_of(judged, claim="H1-risk"):
    return next(item.verdict for item in judged.claims if item.id == claim)


def test_memorized_labels_break_nothing_from_a_true_start(memorized) -> None:
    setup, theta0, held, theta = memorized
    judged = Judge(setup, theta0, held, ramp_loss(1.0)).judge(theta)
    assert judged.train_loss < 1e-9
    assert judged.test_loss > 0.4
    assert verdict_of(judged) is Verdict.HOLDS
    assert judged.measured.vacuous


def test_a_center_that_has_seen_the_sample_breaks_h1(memorized) -> None:
    setup, _, held, theta = memorized
    judged = Judge(setup, theta, held, ramp_loss(1.0), first_radius=1e-6).judge(theta)
    assert verdict_of(judged) is Verdict.VIOLATED


def test_held_out_points_of_another_law_break_h1() -> None:
    setup, theta0 = prepare(problem(points=400, hidden=(512,), source="breast_cancer", output_scale=16.0))
    held, theta = held_out(setup.problem.data), trained(setup, theta0, 20, share=0.9)
    flipped, judged = dataclasses.replace(held, targets=-held.targets), clipped_loss(setup, 2.0)
    assert verdict_of(Judge(setup, theta0, held, judged).judge(theta)) is Verdict.HOLDS
    assert verdict_of(Judge(setup, theta0, flipped, judged).judge(theta)) is Verdict.VIOLATED


def test_a_slope_that_is_too_small_breaks_h1(memorized) -> None:
    setup, theta0, held, theta = memorized
    lie = dataclasses.replace(ramp_loss(1.0), slope=1e-6)
    assert verdict_of(Judge(setup, theta0, held, lie).judge(theta)) is Verdict.VIOLATED


def test_a_range_that_is_too_small_breaks_h1(small) -> None:
    """A loss of 100 at one point in 50, said to be at most 1e-3: a sample that happens to miss it."""
    setup, theta0, _, _ = small
    rare = EvaluatedLoss("rare", 1e-3, 1e-9, math.inf, lambda outputs, targets: 100.0 * (targets[:, 0] > 5))
    held = held_out(setup.problem.data)
    marked = dataclasses.replace(held, targets=np.where(np.arange(held.points)[:, None] % 50 == 0, 9.0, 1.0))
    assert verdict_of(Judge(setup, theta0, marked, rare).judge(theta0)) is Verdict.VIOLATED
    honest = dataclasses.replace(rare, largest=100.0)
    assert verdict_of(Judge(setup, theta0, marked, honest).judge(theta0)) is not Verdict.VIOLATED


def test_what_h1_cannot_speak_of_is_refused(small) -> None:
    setup, theta0, held, theta = small
    with pytest.raises(ProblemError, match="theta0 must be drawn without the data"):
        Judge(dataclasses.replace(setup, at_initialization=False), theta0, held, ramp_loss())
    weights = np.linspace(1, 2, 60)
    weighted = dataclasses.replace(setup.dataset, sample_weights=weights / weights.sum())
    with pytest.raises(ProblemError, match=r"loss.weights must be uniform"):
        Judge(dataclasses.replace(setup, dataset=weighted), theta0, held, ramp_loss())
    with pytest.raises(ProblemError, match=r"network.activation must have bounds"):
        Judge(*prepare(problem(points=4, activation="relu")), held, ramp_loss())
    for delta in (0.0, 1.0, math.nan, True):
        with pytest.raises(ProblemError, match="failure_probability must be a number strictly between 0 and 1"):
            Judge(setup, theta0, held, ramp_loss(), failure_probability=delta)
    with pytest.raises(ProblemError, match="first_radius must be a positive finite number"):
        Judge(setup, theta0, held, ramp_loss(), first_radius=0.0)
    with pytest.raises(ProblemError, match="exceed double precision"):
        Judge(setup, theta0, held, ramp_loss()).judge(theta * 1e200)
    judge = Judge(setup, theta0, held, ramp_loss(), first_radius=1e-310)
    with pytest.raises(ProblemError, match="the distance from theta0 must be at most"):
        judge.judge(theta)
    with pytest.raises(ProblemError, match="the distance from theta0 must be at most"):
        Judge(setup, theta0, held, ramp_loss()).judge(theta, certified_radius=math.inf)


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_h2_between_samples_of_any_laws(seed, centered) -> None:
    """Deterministic: random weights far from theta0, held-out points of another law, labels of another rule; costs below b."""
    rng = np.random.default_rng(seed)
    mapping = {
        "data": {"source": "cube", "points": 25, "dimension": 1 + seed % 2, "seed": seed, "normalize": "none"},
        "network": {"hidden": [3] * (1 + seed % 3), "activation": "sin", "bias_scale": 0.5, "seed": seed, "centered": centered},
    }
    setup, theta0 = prepare(problem_from_mapping(mapping))
    theta = theta0 + 0.3 * rng.standard_normal(len(theta0))
    inputs = setup.dataset.inputs[rng.integers(0, 25, 40)] + 0.02 * rng.standard_normal((40, setup.dataset.dimension))
    held = HeldOut(inputs, rng.choice([-1.0, 1.0], (40, 1)), np.arange(40), "none")
    judged = Judge(setup, theta0, held, clipped_loss(setup, 2.0)).judge(theta)
    assert verdict_of(judged, "H2-lipschitz") is Verdict.HOLDS
    assert verdict_of(judged, "H2-risk") is Verdict.HOLDS
    assert judged.transport_vacuous == (judged.transport >= 2.0)


def test_h2_says_something_and_a_smaller_lipschitz_constant_does_not_hold() -> None:
    """One hidden unit, near its steepest place: the transport is far below b, and close to the difference of the means."""
    mapping = {
        "data": {"source": "gaussian", "points": 20, "dimension": 1, "normalize": "none"},
        "network": {"hidden": [1], "activation": "tanh", "trained": [1], "centered": False, "seed": 2},
    }
    setup, theta0 = prepare(problem_from_mapping(mapping))
    a, theta = setup.architecture, theta0.copy()
    a.weight(theta, 1)[:] = 0.1
    data = dataclasses.replace(setup.dataset, inputs=np.linspace(0.1, 0.2, 20)[:, None], targets=-np.ones((20, 1)))
    setup = dataclasses.replace(setup, dataset=data, minimizers=data.targets)
    held = HeldOut(data.inputs + 0.3, data.targets, np.arange(20), "none")
    judged = Judge(setup, theta0, held, clipped_loss(setup, 2.0)).judge(theta)
    moved = abs(judged.test_loss - judged.train_loss)
    assert moved <= judged.transport <= 2.2 * moved  # rho_loss = 2 where the slope of the loss is about 1
    slope = next(claim for claim in judged.claims if claim.id == "H2-lipschitz")
    assert 1 <= slope.slack < 1.01
    assert not judged.transport_vacuous


# Coverage.


def halves(seed, points):
    """Inputs on a sphere, labels the sign of the first feature: a law from which as many points may be drawn as are wanted."""
    mapping = {
        "data": {"source": "sphere", "points": points, "dimension": 6, "seed": seed},
        "network": {"hidden": [64], "trained": [1], "seed": seed, "output_scale": 64.0},
    }
    setup, theta0 = prepare(problem_from_mapping(mapping))
    rng = np.random.default_rng([seed, 1])
    targets = np.sign(setup.dataset.inputs[:, :1])
    data = dataclasses.replace(setup.dataset, targets=targets)
    fresh = rng.standard_normal((200_000, 6))
    fresh *= math.sqrt(6) / np.linalg.norm(fresh, axis=1)[:, None]
    return dataclasses.replace(setup, dataset=data, minimizers=targets), theta0, fresh, np.sign(fresh[:, :1])


def outputs_of(setup, theta, inputs):
    a = setup.architecture
    hidden = np.tanh(a.fan_in_scales[0] * inputs @ a.weight(theta, 1).T)
    return a.output_scale * a.fan_in_scales[1] * hidden @ a.weight(theta, 2).T


@pytest.mark.validate
def test_the_bound_fails_no_more_often_than_it_says() -> None:
    """Networks trained on samples of a known law; the expected loss from 200000 fresh points, less what they can be off (1e-8).
    Failures at delta = 0.05 against the 1 - 1e-6 quantile of the binomial law. No bound is vacuous, and the check can see: without
    the gap's bound the mean loss alone fails too often."""
    seeds, delta, points, failures, bare = 24, 0.05, 600, 0, 0
    for seed in range(seeds):
        setup, theta0, fresh, labels = halves(seed, points)
        loss, theta = ramp_loss(1.0), trained(setup, theta0, 10, 0.9)
        held = HeldOut(fresh[:points], labels[:points], np.arange(points), "the law")
        judged = Judge(setup, theta0, held, loss, failure_probability=delta, first_radius=0.07).judge(theta)
        risk = loss.values(outputs_of(setup, theta, fresh) - outputs_of(setup, theta0, fresh), labels).mean()
        certainly = float(risk) - math.sqrt(math.log(1e8) / (2 * len(fresh)))
        assert not judged.measured.vacuous
        failures += certainly > judged.measured.bound
        bare += certainly > judged.train_loss
    most = scipy.stats.binom.ppf(1 - 1e-6, seeds, delta)
    assert failures <= most
    assert bare > most


@pytest.mark.validate
def test_the_supremum_over_a_linear_class_keeps_to_the_bound() -> None:
    """A law on 6 points, so that the expected loss is exact; the worst theta of a fine grid of B(r), not a trained one. The bound
    is below the largest loss, and the check can see: a sixteenth of it fails too often."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * math.pi, 360, endpoint=False)
    grid = np.concatenate([r * np.stack([np.cos(angles), np.sin(angles)]) for r in np.linspace(0.05, 0.5, 10)], axis=1)
    delta, trials, n, failures, part = 0.3, 1000, 400, 0, 0
    places, labels = rng.standard_normal((6, 2)), rng.choice([-1.0, 1.0], 6)
    losses = np.clip(0.5 - labels[:, None] * (places @ grid), 0, 1)
    expected = losses.mean(axis=0)
    for _ in range(trials):
        drawn = rng.integers(0, 6, n)
        worst = float((expected - losses[drawn].mean(axis=0)).max())
        k0 = float(np.mean(np.sum(places[drawn] ** 2, axis=1)))
        values = {"n": n, "b": 1.0, "rho_loss": 1.0, "k0_mean": k0, "beta_mean": 0.0, "contraction": 1.0, "r_1": 0.5, "j": 1}
        bound = H1.evaluate_constants(values | {"delta": delta, "distance": 0.5}, FLOAT)["gap_bound"]
        assert bound < 0.5
        failures += worst > bound
        part += worst > bound / 16
    assert failures <= scipy.stats.binom.ppf(1 - 1e-6, trials, delta)
    assert part > scipy.stats.binom.ppf(1 - 1e-6, trials, delta)
