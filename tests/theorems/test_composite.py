"""Theorems A, A+, A0 on problems whose constants are known: gradient descent is run and every claim of every record is checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import FLOAT
from theorems.catalogue import THEOREMS, theorem
from theorems.records import LossClass, Role, evaluate_expression
from verify.composite_problems import (
    OBJECTIVES,
    PL_CONSTANTS,
    CompositeProblem,
    QuadraticMap,
    bent,
    broken_hypotheses,
    random_rotation,
    solve,
    unit_quadratic,
)
from verify.strategies import composite_problems, quadratic_maps

EPS = np.finfo(np.float64).eps
CONVERGENCE = [name for name, item in THEOREMS.items() if item.role is Role.CONVERGENCE]
DESCENT = theorem("A0-descent")


@dataclass(frozen=True)
class Run:
    """What a run provides, under the records' names, for k = 0, ..., N - 1; the points theta_0, ..., theta_N."""

    symbols: dict[str, np.ndarray]
    thetas: np.ndarray


def descend(problem: CompositeProblem, steps: int) -> Run:
    eta, mu = problem.values["eta"], problem.values["mu"] if "mu" in problem.values else 1.0
    theta = np.zeros(problem.map.linear.shape[1])
    thetas, gradients = [theta], []
    for _ in range(steps):
        gradients.append(problem.gradient(theta))
        theta = theta - eta * gradients[-1]
        thetas.append(theta)
    gap = np.array([problem.gap(theta) for theta in thetas])
    s, g = np.sqrt(2 * gap / mu), np.linalg.norm(gradients, axis=1)
    lengths = eta * g
    path = np.concatenate([[0.0], np.cumsum(lengths)])
    symbols = {
        "s": s[:-1],
        "s_next": s[1:],
        "gap": gap[:-1],
        "gap_next": gap[1:],
        "g": g,
        "r_next": path[1:],
        # A lower bound of the infinite sum, so that what is checked follows from the claim.
        "remaining": path[-1] - path[:-1],
        "summed": np.cumsum(eta * mu * s[:-1]),
    }
    return Run(symbols, np.array(thetas))


def tolerances(problem: CompositeProblem, run: Run, constants: dict[str, float]) -> dict[str, np.ndarray]:
    """How far rounding can carry the two sides of a claim apart, by the quantity that it bounds.

    F(theta) is computed within delta, a few u times the sums of absolute values in it, so s within sqrt(L/mu) delta, the
    gradient within L sqrt(Lambda) delta, and one step within step_error. By Theorem A1 step errors raise s_k by at most
    k (sigma0 + sqrt(Lambda L/mu)/kappa) step_error. A residual's error becomes a path's when divided by the slope of the
    conserved quantity at rbar, sqrt(lambda0 (1 - q)), and by kappa (k0 in A0); summed residuals follow with 1/(sigma0 - beta rbar).
    The bounds are evaluated in floats: kappa loses digits as eta L lambda0 -> 1, rbar as q -> 1, lambda0 as eigenvalues of K_0 do.
    """
    known = {"L": 1.0, "mu": 1.0, **constants}
    size, parameters = problem.map.linear.shape
    path, eta, ratio = run.symbols["r_next"][-1] + np.linalg.norm(run.thetas[-1]), known["eta"], known["L"] / known["mu"]
    sums = np.linalg.norm(problem.map.linear) * path + np.linalg.norm(problem.map.quadratic) * path**2
    delta = 4 * (size + 2 * parameters) * EPS * (sums + np.linalg.norm(problem.target))
    step_error = 4 * (size + parameters) * EPS * path + eta * known["L"] * math.sqrt(known["Lambda"]) * delta
    gain = min(known["kappa"], known.get("k0", 1.0))
    per_step = (math.sqrt(known["lambda0"]) + math.sqrt(known["Lambda"] * ratio) / gain) * step_error
    s = run.symbols["s"]
    residual = math.sqrt(ratio) * delta + 16 * size * ratio * EPS * s + per_step * np.arange(1, len(s) + 1)
    singular = 1 - eta * known["L"] * known["lambda0"] if any(item.id == "kappa" for item in problem.theorem.hypotheses) else 1.0
    share = 64 * EPS * (known["lambda_max"] / known["lambda0"]) / (singular * gain * (1 - known["q"]))
    slope = gain * math.sqrt(known["lambda_floor"] * min(1.0, known["mu"] / known["L"]))
    sigma_end = math.sqrt(known["lambda_floor"])
    return {
        "residual": residual + share * known["s0"],
        "path": residual / slope + share * known["rbar"],
        "summed": residual / slope / sigma_end + share * known["Tbar"],
        "gap": known["mu"] * (s * residual + residual**2) + share * run.symbols["gap"],
    }


KIND = {"r_next": "path", "remaining": "path", "summed": "summed", "gap_next": "gap", "s_next": "residual"}


def excesses(problem: CompositeProblem, steps: int) -> dict[str, float]:
    """For every claim of the problem's theorem the largest of (measured - bound)/tolerance; a violation is above 1."""
    constants = problem.theorem.evaluate_constants(problem.values, FLOAT)
    run = descend(problem, steps)
    allowed = tolerances(problem, run, constants)
    claims = list(problem.theorem.claims)
    along = DESCENT.evaluate_constants({"L": 1.0, "mu": 1.0, **constants}, FLOAT)
    if along["k0"] > 0:
        claims += DESCENT.claims
    found = {}
    for claim in claims:
        known = {**along, **constants, **run.symbols}
        measured = evaluate_expression(claim.measured, known, FLOAT)
        bound = evaluate_expression(claim.bound, known, FLOAT)
        assert np.all(np.isfinite(measured)), claim.id
        assert np.all(np.isfinite(bound)), claim.id
        found[claim.id] = float(np.max((measured - bound) / allowed[KIND.get(str(claim.measured), "residual")]))
    return found


def room(problem: CompositeProblem, steps: int) -> dict[str, float]:
    """For every claim the largest of measured/bound, as long as the residual is well above its rounding."""
    constants = problem.theorem.evaluate_constants(problem.values, FLOAT)
    run = descend(problem, steps)
    visible = run.symbols["s_next"] > 1e-6 * problem.values["s0"]
    visible[0] = True
    known = {**constants, **{symbol: values[visible] for symbol, values in run.symbols.items()}}
    sides = {
        claim.id: [evaluate_expression(side, known, FLOAT) for side in (claim.measured, claim.bound)]
        for claim in problem.theorem.claims
    }
    return {name: float(np.max(measured / bound)) for name, (measured, bound) in sides.items()}


@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=50)
@given(data=st.data())
def test_every_claim_at_every_step(name, data) -> None:
    statement = theorem(name)
    problem = data.draw(composite_problems(statement))
    assert broken_hypotheses(problem) == []
    found = excesses(problem, steps=60)
    assert max(found.values()) <= 1, found


@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=15)
@given(data=st.data())
def test_convergence_to_a_global_optimum_within_rbar(name, data) -> None:
    statement = theorem(name)
    problem = data.draw(composite_problems(statement, quotients=st.floats(0.01, 0.7)))
    constants = statement.evaluate_constants(problem.values, FLOAT)
    run = descend(problem, steps=400)
    rate = constants["rate"]
    # s_k <= rate^k s_0 down to the rounding of F.
    floor = np.max(tolerances(problem, run, constants)["residual"])
    assert run.symbols["s"][-1] <= rate**399 * problem.values["s0"] * (1 + 400 * 8 * EPS) + floor
    distances = np.linalg.norm(run.thetas - run.thetas[-1], axis=1)[:-1]
    assert np.all(distances <= run.symbols["remaining"] * (1 + 1e-12) + 1e-12 * constants["rbar"])
    singular = [np.linalg.svd(problem.map.jacobian(theta), compute_uv=False)[-1] for theta in run.thetas[::20]]
    assert np.min(singular) ** 2 >= constants["lambda_floor"] * (1 - 1e-9)


@pytest.mark.parametrize("name", ["A", "A-square"])
@settings(max_examples=15)
@given(data=st.data())
def test_at_q_equal_to_one_the_path_bound_and_the_slower_rate_hold(name, data) -> None:
    statement = theorem(name)
    problem = data.draw(composite_problems(statement, quotients=st.just(0.5)))
    values = dict(problem.values)
    largest, sigma = math.sqrt(values["lambda_max"]), math.sqrt(values["lambda0"])
    smooth, mu = (values["L"], values["mu"]) if statement.id == "A" else (1.0, 1.0)
    reach = sigma
    for _ in range(200):  # beta R for R just above rbar = (sigma0/beta') at q = 1, and the largest step there
        eta = 1 / (smooth * (largest + reach) ** 2)
        kappa = math.sqrt((1 - eta * smooth * sigma**2) / (1 - eta * mu * sigma**2)) if statement.id == "A" else 1.0
        reach = (1 + 1e-6) * sigma * kappa * math.sqrt(mu / smooth)
    beta = kappa**2 * values["lambda0"] * math.sqrt(mu / smooth) / (2 * values["s0"])
    problem = bent(
        CompositeProblem(
            statement,
            QuadraticMap(problem.map.linear, problem.map.quadratic / problem.map.lipschitz, 1.0),
            problem.objective,
            problem.target,
            values,
        ),
        {**values, "beta": beta, "eta": eta, "R": reach / beta},
    )
    run = descend(problem, steps=200)
    k, slower = np.arange(200), eta * mu * beta * math.sqrt(smooth / mu) / kappa * values["s0"]
    bound = values["s0"] / (1 + k * slower)
    assert np.all(run.symbols["s"] <= bound * (1 + 1e-9) + 1e-12 * np.linalg.norm(problem.target))
    assert run.symbols["r_next"][-1] <= (2 * values["s0"] / (kappa * sigma)) * (1 + 1e-9)
    phi = sigma * run.symbols["r_next"] - beta * math.sqrt(smooth / mu) / kappa * run.symbols["r_next"] ** 2 / 2
    assert np.all(run.symbols["s_next"] + kappa * phi <= values["s0"] * (1 + 1e-9))


def perturbed(generator: np.random.Generator, problem: CompositeProblem, scale: float, quotient: float, share: float):
    """A neighboring problem with the same q and share of the step."""
    size, parameters = problem.map.linear.shape
    linear = problem.map.linear + scale * generator.standard_normal((size, parameters)) * generator.integers(0, 2)
    linear = linear / np.linalg.norm(linear, 2)
    tensor = problem.map.quadratic / problem.map.lipschitz
    noise = unit_quadratic("dense", size, parameters, generator)
    tensor = tensor + scale * noise * generator.integers(0, 2)
    flat = np.linalg.norm(tensor.reshape(size, -1), 2)
    tall = np.linalg.norm(tensor.transpose(1, 0, 2).reshape(parameters, -1), 2)
    target = problem.target * (1 + scale * generator.standard_normal(size))
    values = dict(problem.values)
    spectrum = np.linalg.svd(linear, compute_uv=False)
    values["lambda0"], values["lambda_max"] = float(spectrum[-1] ** 2), float(spectrum[0] ** 2)
    values["s0"] = math.sqrt(2 * problem.objective.value(-target) / problem.objective.mu)
    base = CompositeProblem(problem.theorem, QuadraticMap(linear, tensor / min(flat, tall), 1.0), problem.objective, target, values)
    return bent(base, solve(problem.theorem, values, quotient, share, 1 + 1e-6))


def attack(statement, objective: str, quotient: float, share: float, seed: int, trials: int) -> dict[str, float]:
    """Climb towards the largest sum of measured/bound; return the largest ratio of each claim; none may exceed 1."""
    generator = np.random.default_rng(seed)
    size, parameters = int(generator.integers(1, 4)), 4
    linear = random_rotation(size, generator) @ np.diag(generator.uniform(0.3, 1, size)) @ np.eye(size, parameters)
    left, _, _ = np.linalg.svd(linear)
    made = OBJECTIVES[objective](size, generator)
    values = {"L": made.smoothness, "mu": made.mu, "beta": 1.0, "eta": 1.0, "R": 1.0}
    tensor = np.einsum("i,j,k", -left[:, -1], linear.T @ left[:, -1], linear.T @ left[:, -1])
    norm = np.linalg.norm(linear.T @ left[:, -1]) ** 2
    start = CompositeProblem(
        statement, QuadraticMap(linear, tensor / norm, 1.0), made, left[:, -1] * 10 ** generator.uniform(-2, 1), values
    )
    best = perturbed(generator, start, 0.0, quotient, share)
    score, scale, worst = -math.inf, 0.3, {}
    for _ in range(trials):
        candidate = perturbed(generator, best, scale, quotient, share)
        found = excesses(candidate, steps=40)
        assert max(found.values()) <= 1, (found, candidate)
        ratios = room(candidate, steps=40)
        worst = {name: max(ratio, worst.get(name, 0.0)) for name, ratio in ratios.items()}
        better = sum(ratios.values()) > score
        best, score = (candidate, sum(ratios.values())) if better else (best, score)
        scale = min(1.0, scale * 1.3) if better else max(1e-3, scale * 0.9)
    return worst


@pytest.mark.parametrize("name", CONVERGENCE)
@pytest.mark.parametrize("quotient", [0.5, 0.999])
def test_an_optimizer_does_not_exceed_the_bounds(name, quotient) -> None:
    statement = theorem(name)
    objective = "square" if statement.loss_class is LossClass.SQUARE else "nonconvex"
    share = 0.6 if statement.id == "A0" else 1.0
    worst = attack(statement, objective, quotient, share, seed=7, trials=25)
    # The attack is an attack: the rate is nearly attained. The conserved inequality is an equality at the start.
    assert max(ratio for claim, ratio in worst.items() if not claim.endswith("-c")) > 0.9


@pytest.mark.validate
@pytest.mark.parametrize("name", CONVERGENCE)
@pytest.mark.parametrize("seed", range(2))
def test_many_attacks_do_not_exceed_the_bounds(name, seed) -> None:
    statement = theorem(name)
    fitting = ["square"] if statement.loss_class is LossClass.SQUARE else list(OBJECTIVES)
    for objective in fitting:
        for quotient in (0.1, 0.9, 0.999):
            for share in (0.05, 0.5, 0.95 if statement.id == "A0" else 1.0):
                attack(statement, objective, quotient, share, seed, trials=30)


@pytest.mark.validate
@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=1500)
@given(data=st.data())
def test_every_claim_at_every_step_many_times(name, data) -> None:
    statement = theorem(name)
    problem = data.draw(composite_problems(statement))
    found = excesses(problem, steps=150)
    assert max(found.values()) <= 1, found


@settings(max_examples=60)
@given(quadratic_maps(), st.integers(0, 2**32 - 1))
def test_the_lipschitz_constant_of_a_quadratic_map_is_one(mapping, seed) -> None:
    generator = np.random.default_rng(seed)
    u = generator.standard_normal(mapping.linear.shape[1])
    for _ in range(50):  # alternating maximization of <w, Q u v>, a lower bound of the norm
        u /= np.linalg.norm(u)
        left, singular, right = np.linalg.svd(mapping.quadratic @ u)
        u = np.einsum("a,abc,c->b", left[:, 0], mapping.quadratic, right[0])
    assert singular[0] <= 1 + 64 * EPS
    # "blocks" and "rank one" have norm exactly 1; "dense" is bounded from above, by at most the root of the smaller dimension.
    assert np.linalg.norm(mapping.quadratic.reshape(len(mapping.linear), -1), 2) >= 1 - 64 * EPS


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([1e-3, 1.0, 10.0]))
def test_objectives_have_the_constants_they_declare(name, seed, size, scale) -> None:
    generator = np.random.default_rng(seed)
    made = OBJECTIVES[name](size, generator)
    u, v = scale * generator.standard_normal((2, size))
    rounding = 1 + 1e-9
    assert made.value(np.zeros(size)) == 0
    assert made.gradient(u) @ made.gradient(u) * rounding >= 2 * made.mu * made.value(u)
    change = np.linalg.norm(made.gradient(u) - made.gradient(v))
    assert change <= made.smoothness * np.linalg.norm(u - v) * rounding
    # A central difference of the value; its error is of the order of h, h^2 and u/h relative, all below 1e-4.
    h = 1e-4 * scale
    difference = (made.value(u + h * v / scale) - made.value(u - h * v / scale)) / (2 * h)
    assert difference == pytest.approx(made.gradient(u) @ v / scale, rel=1e-4, abs=1e-4 * made.smoothness * scale)


@pytest.mark.parametrize("a", sorted(PL_CONSTANTS))
def test_the_nonconvex_objective_is_polyak_lojasiewicz(a) -> None:
    """phi = u^2/2 + a sin(u)^2: phi'^2 - 2 mu phi = u^2 ((1 + 2a sinc(2u))^2 - mu (1 + 2a sinc(u)^2)) >= 0, by branch and bound."""
    mu = arb(PL_CONSTANTS[a])
    pending, end = [(0.0, 3.0)], 3.0
    while pending:
        low, high = pending.pop()
        u = arb(low).union(arb(high))
        margin = (1 + 2 * a * (2 * u).sinc()) ** 2 - mu * (1 + 2 * a * u.sinc() ** 2)
        if not margin > 0:
            assert high - low > 1e-9, f"not separated near {low}"
            pending += [(low, (low + high) / 2), ((low + high) / 2, high)]
    # Beyond, |sinc(2u)| <= 1/(2u) and sinc(u)^2 <= 1/u^2.
    assert (1 - arb(a) / end) ** 2 > mu * (1 + 2 * arb(a) / end**2)
    u = np.linspace(0.1, 3, 10**5)
    infimum = np.min((u + a * np.sin(2 * u)) ** 2 / (u**2 + 2 * a * np.sin(u) ** 2))
    assert PL_CONSTANTS[a] > 0.99 * infimum  # not needlessly small either


@pytest.mark.parametrize("name", CONVERGENCE)
def test_the_checks_can_fail(name) -> None:
    """Mutants: a Lipschitz constant declared four times too small, and a step far too large."""
    statement = theorem(name)
    mapping = QuadraticMap(np.array([[1.0]]), np.array([[[-1.0]]]), 1.0)
    made = OBJECTIVES["square"](1, np.random.default_rng(0))
    values = {"L": 1.0, "mu": 1.0, "lambda0": 1.0, "lambda_max": 1.0, "s0": 0.45}
    target = np.array([0.45])
    # A quarter of the true constant, 1, on a ball that is large enough for it.
    honest = {**solve(statement, values, 0.225, 0.2, 1.5), "beta": 0.25}
    declared = CompositeProblem(statement, mapping, made, target, honest)
    assert broken_hypotheses(declared) == []
    assert max(excesses(declared, steps=60).values()) > 1e6
    started = bent(CompositeProblem(statement, mapping, made, target, values), solve(statement, values, 0.225, 0.5, 1 + 1e-6))
    assert max(excesses(started, steps=60).values()) <= 1
    wild = CompositeProblem(statement, started.map, made, target, {**started.values, "eta": 2.5})
    assert max(np.max(descend(wild, 60).symbols["r_next"]) / started.values["R"], 0) > 1
