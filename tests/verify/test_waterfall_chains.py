"""The chains on composite problems, where every number is exact: each inequality of the proof, and the product.

Oracle: the problems' Jacobians are known in full, so sigma_min, drifts and the gradient are computed directly; a link that
the proof calls an inequality must lose, and the total must be the slack of the claim.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings

from theorems.arithmetic import FLOAT
from theorems.catalogue import THEOREMS
from theorems.records import LossClass, Role
from theorems.statements.composite import THEOREM_A_SQUARE
from theorems.statements.notation import remaining
from verify.composite_problems import CompositeProblem, QuadraticMap, square_objective
from verify.measured import MeasuredMarks, MeasuredSteps
from verify.strategies import composite_problems
from verify.verdict import CheckedClaim, Verdict, counted
from verify.waterfall.descent import descent_chain
from verify.waterfall.limits import sum_chain
from verify.waterfall.marks import AtMarks, eigenvalue_chain, jacobian_chain, kernel_chain
from verify.waterfall.paths import conserved_chain, conserved_claim, path_chain, remaining_chain
from verify.waterfall.records import Chain, Constants, NoChain, Stage, chain_of
from verify.waterfall.steps import Along, along, path_claim, rate_chain, summed_chain

EPS = np.finfo(np.float64).eps
ROUNDING = 1e-9  # the runs stop at a residual of 1e-6 s_0, known to 1e-15 s_0; sums of 200 steps
CONVERGENCE = [theorem for theorem in THEOREMS.values() if theorem.role is Role.CONVERGENCE]


@dataclasses.dataclass
class Run:
    steps: MeasuredSteps
    marks: MeasuredMarks
    lambda_start: float
    constants: Constants
    lambda_max: np.ndarray
    path: np.ndarray


def run(problem: CompositeProblem, count: int = 200) -> Run:
    values = problem.values
    theta, thetas, gradients, residuals = np.zeros(problem.map.linear.shape[1]), [], [], []
    for _ in range(count + 1):
        thetas.append(theta)
        gradients.append(float(np.linalg.norm(problem.gradient(theta))))
        residuals.append(math.sqrt(2 * problem.gap(theta) / values["mu"]))
        if residuals[-1] <= 1e-6 * residuals[0]:
            break
        theta = theta - values["eta"] * problem.gradient(theta)
    jacobians = [problem.map.jacobian(one) for one in thetas]
    spectra = np.array([np.linalg.svd(one, compute_uv=False)[[0, -1]] ** 2 for one in jacobians])
    kernels = [one @ one.T for one in jacobians]
    s, g = np.array(residuals), np.array(gradients)
    zero = np.zeros_like(s)
    steps = MeasuredSteps(0, s, zero, g, zero, values["eta"] * g, zero, zero, values["mu"], values["eta"])
    measured = {
        "lambda_min_k": spectra[1:, 1],
        "jacobian_drift": np.array([np.linalg.norm(one - jacobians[0], 2) for one in jacobians[1:]]),
        "kernel_drift": np.array([np.linalg.norm(one - kernels[0], 2) for one in kernels[1:]]),
        "rho": np.array([np.linalg.norm(one) for one in thetas[1:]]),
    }
    marks = MeasuredMarks(np.arange(1, len(s)), measured, {name: np.zeros(len(s) - 1) for name in measured})
    evaluated = {name: float(x) for name, x in problem.theorem.evaluate_constants(values, FLOAT).items()}
    constants = Constants(evaluated, {name: EPS * abs(x) for name, x in evaluated.items()})
    path = np.cumsum(steps.length[:-1])
    return Run(steps, marks, float(spectra[0, 1]), constants, spectra[:, 0], path)


def all_chains(problem: CompositeProblem, found: Run) -> list[Chain]:
    theorem, chains = problem.theorem, []
    on_path = along(found.steps, found.marks, found.constants, found.lambda_start)
    chains += [make(theorem, found.constants, on_path) for make in (path_chain, rate_chain, summed_chain)]
    for step in sorted({0, len(on_path.s) // 2, len(on_path.s) - 1}):
        one = conserved_claim(theorem)
        chains.append(conserved_chain(theorem, found.constants, on_path, claim(one.id, 1.0, 1.0, step=step)))
        rest = theorem.claim_about(remaining)
        if rest is not None and step < len(on_path.s) - 1:
            chains.append(remaining_chain(theorem, found.constants, on_path, claim(rest.id, 1.0, 1.0, step=step)))
    at = AtMarks(
        found.marks, found.path, 0.0, found.lambda_max[1:], found.lambda_max[0], 0.0, (problem.map.lipschitz, 0.0),
        problem.map.lipschitz, path_claim(theorem),
    )  # fmt: skip
    chains.append(descent_chain({"A0-descent": claim("A0-descent", 1.0, 1.0)}, found.constants, found.steps, on_path, at))
    if problem.theorem.loss_class is LossClass.SQUARE:
        chains += linearized(problem, found, on_path)
    moved = found.marks.values
    for make in (eigenvalue_chain, jacobian_chain, kernel_chain):
        if moved["jacobian_drift"].max() > 1e-9 and moved["kernel_drift"].max() > 1e-9:
            chains.append(make(found.constants, at))
    return chains


def claim(name: str, measured: float, bound: float, error: float = 0.0, step: int = 0, lower: bool = False) -> CheckedClaim:
    slack = measured / bound if lower else bound / measured
    counts = counted({Verdict.HOLDS: 1})
    return CheckedClaim(name, "", "", bound, measured, error, slack, step, counts, Verdict.HOLDS, "", lower, halves=(error, error))


def linearized(problem: CompositeProblem, found: Run, on_path: Along) -> list[Chain]:
    """C3-sum where the sum is largest, the linearized run and the sum of C3 made step by step; none where the two runs are one."""
    constants, linear, bound, path, best = found.constants, -problem.target, 0.0, 0.0, (0.0, 0.0, 0)
    jacobian, beta, eta = problem.map.linear, constants["beta"], constants["eta"]
    theta = np.zeros(jacobian.shape[1])
    for k, (s, d) in enumerate(zip(found.steps.residual[:-1], found.steps.length[:-1], strict=True), 1):
        theta, linear = theta - eta * problem.gradient(theta), linear - eta * jacobian @ (jacobian.T @ linear)
        bound *= 1 - eta * constants["lambda0"]
        bound += eta * math.sqrt(constants["lambda_max"]) * beta * path * s + beta * path * d + beta * d**2 / 2
        path += d
        best = max(best, (bound, float(np.linalg.norm(problem.map(theta) - problem.target - linear)), k))
    bound, gap, k = best
    if 64 * k * EPS * constants["s0"] > ROUNDING * gap:
        return []
    return [sum_chain({"C3-sum": claim("C3-sum", gap, bound, step=k)}, constants, on_path)]


@pytest.mark.parametrize("theorem", CONVERGENCE, ids=lambda theorem: theorem.id)
def test_links_of_the_proof_lose_and_their_product_is_the_slack(theorem) -> None:
    told: set[str] = set()

    @settings(max_examples=15, deadline=None)
    @given(composite_problems(theorem))
    def check(problem: CompositeProblem) -> None:
        found = run(problem)
        for chain in all_chains(problem, found):
            told.add(chain.claim)
            assert chain.product == pytest.approx(chain.total, rel=1e-12)
            for link in chain.links:
                assert not link.proved or link.ratio >= 1 - ROUNDING, (chain.title, link)
        path = all_chains(problem, found)[0]
        assert path.total == pytest.approx(found.constants["rbar"] / found.path[-1], rel=1e-9)

    check()
    assert {one.id for one in theorem.claims} <= told
    assert {"A0-descent", "E-kernel", "E-jacobian", "C1"} <= told
    assert ("C3-sum" in told) == (theorem.loss_class is LossClass.SQUARE)


def sharp(quotient: float, eta: float) -> CompositeProblem:
    """F = sigma theta - beta theta^2/2 on R with sigma = 2, beta = 1: the theorem's own extremal case."""
    beta, sigma = 1.0, 2.0
    target = quotient * sigma**2 / (2 * beta)
    mapping = QuadraticMap(np.array([[sigma]]), np.array([[[-beta]]]), beta)
    radius = sigma / beta * (1 - math.sqrt(1 - quotient))
    values = {"L": 1.0, "mu": 1.0, "lambda0": sigma**2, "lambda_max": sigma**2, "s0": target, "beta": beta, "eta": eta}
    values["R"] = 1.01 * radius
    return CompositeProblem(THEOREM_A_SQUARE, mapping, square_objective(1, np.random.default_rng(0)), np.array([target]), values)


@pytest.mark.parametrize("quotient", [0.1, 0.9])
def test_the_extremal_problem_loses_nothing(quotient) -> None:
    problem = sharp(quotient, 4e-3)
    found = run(problem, 20_000)
    chains = all_chains(problem, found)
    path = chains[0]
    tolerance = 2 * problem.values["eta"] * problem.values["lambda0"]
    left = found.steps.residual[-1] / math.sqrt(found.constants["lambda_floor"])  # the path that the run did not go
    assert path.total == pytest.approx(1, abs=1.01 * left / found.path[-1])
    for link in path.links:
        assert link.ratio == pytest.approx(1, abs=tolerance), link
    for rest in (chain for chain in chains if chain.title == "rest of the path" and chain.where.startswith("steps 0 ")):
        assert rest.total == pytest.approx(1, rel=1e-3)
        for link in rest.links:
            assert link.ratio == pytest.approx(1, abs=tolerance), link
    eigenvalue = next(chain for chain in chains if chain.title == "smallest eigenvalue")
    assert eigenvalue.total == pytest.approx(1, abs=1e-4)


def test_a_linear_map_loses_nothing_to_beta() -> None:
    generator = np.random.default_rng(3)
    linear = generator.standard_normal((3, 6))
    spectrum = np.linalg.svd(linear, compute_uv=False) ** 2
    values = {"L": 1.0, "mu": 1.0, "lambda0": spectrum[-1], "lambda_max": spectrum[0], "beta": 1e-12, "R": 1e3}
    values |= {"eta": 0.5 / spectrum[0], "s0": 1.0}
    target = np.array([1.0, 0.0, 0.0])
    flat = QuadraticMap(linear, np.zeros((3, 6, 6)), 0.0)
    problem = CompositeProblem(THEOREM_A_SQUARE, flat, square_objective(3, generator), target, values)
    path = all_chains(problem, run(problem))[0]
    for link in path.links:
        if link.name in ("Weyl", "beta", "bent path", "step inequality", "feedback"):
            assert link.ratio == pytest.approx(1, abs=1e-9)


def test_a_beta_that_is_too_small_is_noticed() -> None:
    """With half the Lipschitz constant the extremal problem breaks the link of beta, and its path is longer than the new rbar."""
    problem = sharp(0.9, 4e-3)
    found = run(problem, 20_000)
    values = {**problem.values, "beta": 0.5}
    evaluated = {name: float(x) for name, x in THEOREM_A_SQUARE.evaluate_constants(values, FLOAT).items()}
    wrong = Constants(evaluated, {name: EPS * abs(x) for name, x in evaluated.items()})
    path = path_chain(THEOREM_A_SQUARE, wrong, along(found.steps, found.marks, wrong, found.lambda_start))
    assert [link.name for link in path.links if link.contradicted] == ["beta", "feedback"]
    assert path.product == pytest.approx(path.total, rel=1e-12)
    on_path = along(found.steps, found.marks, wrong, found.lambda_start)
    (summed,) = linearized(problem, dataclasses.replace(found, constants=wrong), on_path)
    assert [link.name for link in summed.links if link.contradicted] == ["direction and cancellation", "beta"]


@pytest.mark.parametrize(("excess", "broken"), [(4 * EPS, []), (1e-9, ["growth on the ball"])])
def test_a_beta_at_the_center_above_that_of_the_ball_is_noticed_beyond_rounding(excess, broken) -> None:
    """Where one hidden layer moves, both are equal, and the recursions round differently."""
    found = run(sharp(0.5, 4e-3), 50)
    center = found.constants["beta"] * (1 + excess)
    at = AtMarks(found.marks, found.path, 0.0, found.lambda_max[1:], found.lambda_max[0], 0.0, None, center, "A-a")
    assert [link.name for link in jacobian_chain(found.constants, at).links if link.contradicted] == broken


def test_a_norm_on_the_ball_that_is_too_small_is_noticed() -> None:
    """Lambda below |DF_N|^2: the steps need more of eta |grad J|^2 than the certified share leaves them."""
    problem = sharp(0.9, 0.1)
    found = run(problem, 200)
    small = {**found.constants.values, "Lambda": 0.5 * problem.values["lambda_max"]}
    wrong = dataclasses.replace(found, constants=Constants(small, found.constants.errors))
    broken = {}
    for one in (found, wrong):
        descent = next(chain for chain in all_chains(problem, one) if chain.claim == "A0-descent")
        broken[one is wrong] = [link.name for link in descent.links if link.contradicted]
        assert descent.product == pytest.approx(descent.total, rel=1e-12)
    assert broken == {False: [], True: ["growth on the ball"]}


def test_a_run_without_steps_or_decided_decreases_has_no_chain() -> None:
    problem = sharp(0.5, 4e-3)
    found = run(problem, 50)
    none = MeasuredMarks(np.zeros(0, dtype=np.int64), {name: x[:0] for name, x in found.marks.values.items()}, {})
    with pytest.raises(NoChain, match="no step"):
        along(found.steps, none, found.constants, found.lambda_start)
    blurred = dataclasses.replace(found.steps, residual_error=found.steps.residual * 0.5)
    with pytest.raises(NoChain, match="errors"):
        rate_chain(THEOREM_A_SQUARE, found.constants, along(blurred, found.marks, found.constants, found.lambda_start))


def test_a_stage_that_is_not_positive_is_refused() -> None:
    stages = [Stage(1.0), Stage(0.0, 0.0, "middle", "the bound in the middle"), Stage(2.0)]
    with pytest.raises(NoChain, match="the bound in the middle comes out as 0"):
        chain_of("X", "x", "", False, "", (1.0, 2.0), stages)
