"""The strategies for users: what they draw satisfies, or breaks, what they say; and the radius search on what they draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from theorems.activations import ACTIVATIONS
from theorems.arithmetic import FLOAT
from theorems.catalogue import THEOREMS, theorem
from theorems.errors import InputError
from theorems.records import Role
from verify.certificate import smallest_radius
from verify.composite_problems import OBJECTIVES, broken_hypotheses, solve
from verify.strategies import LARGEST_QUOTIENT, composite_problems, composite_problems_breaking, networks, quadratic_maps

UNSHRUNK = settings(phases=[Phase.generate], max_examples=1000, database=None)
CONVERGENCE = [name for name, item in THEOREMS.items() if item.role is Role.CONVERGENCE]
PAIRS = [(name, item.id) for name in CONVERGENCE for item in THEOREMS[name].hypotheses]
# K_0 singular leaves no room for these, whatever the other numbers.
IMPOSSIBLE_WITHOUT = {"H3": {"H3", "sigma", "q"}}


@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=15)
@given(data=st.data(), quotient=st.floats(0.01, LARGEST_QUOTIENT))
def test_problems_have_the_quotient_and_the_step_they_were_asked_for(name, data, quotient) -> None:
    statement = theorem(name)
    strict = next(item for item in statement.hypotheses if item.id == "step").strict
    share = data.draw(st.floats(0.1, 0.9) | st.just(0.95 if strict else 1.0))
    problem = data.draw(composite_problems(statement, quotients=st.just(quotient), shares=st.just(share)))
    assert broken_hypotheses(problem) == []
    constants = statement.evaluate_constants(problem.values, FLOAT)
    margins = statement.margins(constants, FLOAT)
    assert constants["q"] == pytest.approx(quotient, rel=1e-5)  # the solver's tolerance, 1e-7 in beta, eta and R
    assert 0 <= margins["step"] == pytest.approx(1 - share, abs=1e-12)
    assert problem.values["R"] == pytest.approx(constants["rbar"], rel=1e-3)


@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=15)
@given(data=st.data())
def test_the_values_of_a_problem_are_those_of_its_functions(name, data) -> None:
    problem = data.draw(composite_problems(theorem(name)))
    zero, values = np.zeros(problem.map.linear.shape[1]), problem.values
    spectrum = np.linalg.eigvalsh(problem.map.jacobian(zero) @ problem.map.jacobian(zero).T)
    assert spectrum[0] == pytest.approx(values["lambda0"], rel=1e-12)
    assert spectrum[-1] == pytest.approx(values["lambda_max"], rel=1e-12)
    assert problem.gap(zero) == pytest.approx(values["mu"] * values["s0"] ** 2 / 2, rel=1e-12)
    assert problem.map.lipschitz == values["beta"]
    assert (problem.objective.mu, problem.objective.smoothness) == (values["mu"], values["L"])
    # The gradient of J by a central difference: J is smooth of order 1 near 0 on the scale of 1e-6/beta.
    u = np.ones_like(zero) / math.sqrt(len(zero))
    h = 1e-5 * min(1.0, values["R"])
    slope = (problem.gap(h * u) - problem.gap(-h * u)) / (2 * h)
    scale = np.linalg.norm(problem.gradient(zero))
    assert slope == pytest.approx(problem.gradient(zero) @ u, abs=1e-4 * scale)


@pytest.mark.parametrize(("name", "hypothesis"), PAIRS)
@settings(max_examples=6)
@given(data=st.data())
def test_exactly_one_hypothesis_is_broken(name, hypothesis, data) -> None:
    problem = data.draw(composite_problems_breaking(theorem(name), hypothesis))
    broken = broken_hypotheses(problem)
    assert hypothesis in broken
    assert set(broken) <= IMPOSSIBLE_WITHOUT.get(hypothesis, {hypothesis})
    margins = problem.theorem.margins(problem.theorem.evaluate_constants(problem.values, FLOAT), FLOAT)
    assert not all(
        margin > 0 or (margin == 0 and not item.strict)
        for item, margin in zip(problem.theorem.hypotheses, margins.values(), strict=True)
    )


def test_bad_requests_are_refused() -> None:
    with pytest.raises(InputError, match="theorem must certify gradient descent, got N"):
        composite_problems(theorem("N"))
    with pytest.raises(InputError, match="unknown objective 'log-cos'; did you mean 'log-cosh'"):
        composite_problems(theorem("A"), objectives=["log-cos"])
    with pytest.raises(InputError, match="theorem A-square has no hypothesis 'kappa'"):
        composite_problems_breaking(theorem("A-square"), "kappa")


def test_a_quotient_that_floats_cannot_attain_is_refused() -> None:
    """All singular values equal and the largest step: kappa and q are 0/0 as q -> 0."""
    values = {"L": 4.0, "mu": 0.1, "lambda0": 1.0, "lambda_max": 1.0, "s0": 1.0}
    with pytest.raises(InputError, match=r"quotient must be one that theorem A can attain in floats, got 1e-09"):
        solve(theorem("A"), values, 1e-9, 1.0, 1 + 1e-6)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective_is_drawn(objective) -> None:
    statement = theorem("A-square" if objective == "square" else "A")
    problem = find(composite_problems(statement), lambda drawn: drawn.objective.name == objective, settings=UNSHRUNK)
    assert problem.objective.name == objective


@pytest.mark.parametrize(
    "wanted",
    [
        lambda problem: problem.architecture.layers == 5,
        lambda problem: problem.architecture.layers == 2 and problem.architecture.trained == (True, False),
        lambda problem: problem.architecture.has_bias and problem.architecture.outputs == 3,
        lambda problem: not problem.architecture.has_bias and problem.architecture.output_scale > 1,
        lambda problem: problem.architecture.weight_scale > 1 and max(problem.architecture.sizes) == 6,
        lambda problem: len(problem.inputs) == 4 and np.ptp(problem.sample_weights) > 0,
        lambda problem: not problem.theta.any(),
        lambda problem: not all(problem.architecture.trained) and any(problem.architecture.trained[:-1]),
    ],
)
def test_networks_come_with_every_option(wanted) -> None:
    problem = find(networks(), wanted, settings=UNSHRUNK)
    assert problem.inputs.shape[1] == problem.architecture.sizes[0]
    assert problem.theta.shape == (problem.architecture.parameters,)
    assert problem.sample_weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert ACTIVATIONS[problem.activation].smooth


@pytest.mark.parametrize("name", sorted(name for name, record in ACTIVATIONS.items() if record.smooth))
def test_every_smooth_activation_is_drawn(name) -> None:
    assert find(networks(), lambda problem: problem.activation == name, settings=UNSHRUNK).activation == name


def test_nonsmooth_activations_are_not_drawn() -> None:
    assert not ACTIVATIONS["relu"].smooth
    assert find(networks(activations=["relu"]), lambda _: True).activation == "relu"  # unless asked for


@settings(max_examples=40)
@given(quadratic_maps())
def test_maps_are_symmetric_and_normalized(mapping) -> None:
    np.testing.assert_allclose(mapping.quadratic, mapping.quadratic.transpose(0, 2, 1), atol=1e-12)
    spectrum = np.linalg.svd(mapping.linear, compute_uv=False)
    assert len(mapping.linear) <= mapping.linear.shape[1]
    assert 0.2 * (1 - 1e-12) <= spectrum[-1] <= spectrum[0] <= 1 + 1e-12


# --- The radius search of the certificate, on problems made to pass or to fail ---


@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=12)
@given(data=st.data(), growth=st.floats(0.0, 2.0))
def test_the_radius_search_finds_what_a_scan_finds(name, data, growth) -> None:
    """beta(R) = beta (1 + growth beta R/sigma0): the search passes where a scan over radii does with room, and never else."""
    problem = data.draw(composite_problems(theorem(name), quotients=st.floats(0.05, 0.99), shares=st.floats(0.1, 0.8)))
    values, statement = problem.values, problem.theorem
    scale = values["beta"] / math.sqrt(values["lambda0"])

    def beta_of(radius: float) -> float:
        return values["beta"] * (1 + growth * scale * radius)

    def passes(radius: float, slack: float) -> bool:
        constants = statement.evaluate_constants({**values, "R": radius, "beta": beta_of(radius)}, FLOAT)
        margins = statement.margins(constants, FLOAT)
        others = all(margin > 0 for key, margin in margins.items() if key != "radius")
        return bool(others and radius > constants["rbar"] * (1 + slack))

    attempt = smallest_radius(statement, values, beta_of)
    scan = np.geomspace(1e-3, 10, 60) * values["R"]
    if attempt.failure is None:
        assert passes(attempt.radius, 0.0)
        assert not any(passes(radius, 2e-3) for radius in scan if radius < attempt.radius * (1 - 1e-2))
    else:
        assert not any(passes(radius, 2e-3) for radius in scan)
        assert attempt.failure.hypothesis in {item.id for item in statement.hypotheses}


@pytest.mark.parametrize("name", CONVERGENCE)
@pytest.mark.parametrize("hypothesis", ["H3", "step", "q"])
@settings(max_examples=5)
@given(data=st.data())
def test_the_radius_search_refuses_broken_hypotheses(name, hypothesis, data) -> None:
    problem = data.draw(composite_problems_breaking(theorem(name), hypothesis))
    attempt = smallest_radius(problem.theorem, problem.values, lambda _: problem.values["beta"])
    if hypothesis == "step" and attempt.failure is None:
        # A smaller ball has a smaller Lambda: the step can be right there, and the search is entitled to that.
        assert attempt.radius < problem.values["R"]
        return
    assert attempt.failure is not None
