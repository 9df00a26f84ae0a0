"""Performance estimation as the adversary: the worst step over *all* functions of a class, found by a semidefinite program.

PEPit (Goujaud et al. 2024, arXiv:2201.04040) maximizes the progress that a step fails to make over the Gram matrix of a few points
and gradients, subject to inequalities that every function of the class obeys. For smooth convex functions these are necessary and
sufficient and the maximum is attained. For smooth Polyak-Lojasiewicz functions they are only necessary: the adversary is then
stronger than any function, so that what it cannot violate holds, and what it violates may still hold.

The solver is not believed. Its multipliers are made feasible here, and weak duality with what they leave over gives an upper
bound, ``Worst.bound``, that is valid whatever the solver did (up to sums of some twenty rounded terms); ``Worst.found`` is the
value at the Gram matrix that it returned.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    # Backslashes in PEPit's docstrings are a SyntaxWarning (or its predecessor) when Python compiles them for the first time.
    warnings.filterwarnings("ignore", message=r"(\"\\.+\" is an )?invalid escape sequence", category=SyntaxWarning)
    warnings.filterwarnings("ignore", message="invalid escape sequence", category=DeprecationWarning)
    from PEPit import PEP, Expression, Point
    from PEPit.functions import (
        SmoothConvexFunction,
        SmoothQuadraticLojasiewiczFunctionCheap,
        SmoothQuadraticLojasiewiczFunctionExpensive,
        SmoothStronglyConvexFunction,
    )
    from PEPit.operators import SymmetricLinearOperator
    from PEPit.tools.expressions_to_matrices import expression_to_matrices

from theorems.arithmetic import BALL, FLOAT, lower, working_precision
from theorems.catalogue import THEOREMS, theorem
from theorems.records import Role, evaluate_expression
from verify.composite_problems import PL_CONSTANTS

# cvxpy warns where the solver stops short of the tolerance asked for; what it reached is measured by bound - found.
pytestmark = [pytest.mark.validate, pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")]

SOLVER = {"solver": "CLARABEL", "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
WIDTH = 1e-6  # what every Worst.bound - Worst.found must be below, and so the resolution of every comparison
SIXTH_DIGIT = 5e-7  # half a unit in the last place printed
CONVERGENCE = [name for name, item in THEOREMS.items() if item.role is Role.CONVERGENCE]


def solve(problem: PEP) -> float:
    """Return the solver's upper bound, the value of its multipliers, after a look at its distance from the primal value."""
    bound = float(problem.solve(verbose=0, **SOLVER))
    assert problem.wrapper.prob.status in ("optimal", "optimal_inaccurate")
    assert abs(bound - problem.objective.eval()) < WIDTH
    return bound


# --- The adversary: one step y_+ = y - eta K grad h(y) on an L-smooth, mu-PL function h, L = 1, lambda0 I <= K <= I ---


@dataclass(frozen=True)
class Worst:
    """The worst h(y_+) - h* when h(y) - h* <= 1, and the instance that attains it within the relaxation.

    bound: proved by multipliers; found: the value at the solver's Gram matrix; vectors: the minimizer "ys" of h, "y",
    "grad" = grad h(y), "v" = K grad and "grad_next" = grad h(y_+) as columns of a root of it; values: h - h* at y and y_+.
    """

    bound: float
    found: float
    vectors: dict[str, np.ndarray]
    values: tuple[float, float]


@cache
def worst_step(mu: float, lambda0: float, eta: float, *, length: float | None = None, expensive: bool = False) -> Worst:
    """Attack one step; with ``length``, only steps with eta |grad J| = eta sqrt(<grad h, K grad h>) equal to it.

    lambda0 = 1 is K = I. The default class has the larger maximum: PL at the points and smoothness between pairs of points. The
    expensive one adds inequalities that follow from both together; no sizes of its auxiliary variables are known beforehand,
    so ``bound`` is then the solver's.
    """
    problem = PEP()
    kind = SmoothQuadraticLojasiewiczFunctionExpensive if expensive else SmoothQuadraticLojasiewiczFunctionCheap
    h = problem.declare_function(kind, L=1.0, mu=mu)
    ys = h.stationary_point()
    y = problem.set_initial_point()
    grad, value = h.oracle(y)
    # K = I written as an operator would leave the program without an interior point.
    v = grad if lambda0 == 1 else problem.declare_function(SymmetricLinearOperator, mu=lambda0, L=1.0).gradient(grad)
    grad_next, value_next = h.oracle(y - eta * v)
    problem.set_initial_condition(value - h(ys) <= 1)
    if length is not None:
        problem.add_constraint(grad * v == (length / eta) ** 2)
    problem.set_performance_metric(value_next - h(ys))
    claimed = solve(problem)
    # |y - ys|^2 <= 2 (h(y) - h*)/mu for the nearest minimizer, |grad h|^2 <= 2 L (h - h*), h(y_+) - h* <= L |y_+ - ys|^2/2.
    far = (math.sqrt(2 / mu) + eta * math.sqrt(2)) ** 2 / 2
    points = {ys: 0.0, y: math.sqrt(2 / mu), grad: math.sqrt(2), v: math.sqrt(2), grad_next: math.sqrt(2 * far)}
    numbers = {h(ys): 0.0, value: 1.0, value_next: far, problem.objective: far}
    bound = claimed if expensive else proved_bound(problem, points, numbers)
    found = float(problem.objective.eval())
    assert bound - found < WIDTH, f"the worst case is known only to lie between {found} and {bound}"
    columns = gram_root(problem.G_value)
    named = {"ys": ys, "y": y, "grad": grad, "v": v, "grad_next": grad_next}
    vectors = {name: columns[:, point.counter] for name, point in named.items()}
    return Worst(bound, found, vectors, ((value - h(ys)).eval(), (value_next - h(ys)).eval()))


def gram_root(gram: np.ndarray) -> np.ndarray:
    eigenvalues, directions = np.linalg.eigh(gram)
    return np.sqrt(np.maximum(eigenvalues, 0))[:, None] * directions.T


def positive_part(matrix: np.ndarray) -> np.ndarray:
    root = gram_root((matrix + matrix.T) / 2)
    return root.T @ root


def proved_bound(problem: PEP, points: Mapping[Point, float], numbers: Mapping[Expression, float]) -> float:
    """Weak duality with the solver's multipliers made feasible: a bound of the objective t over the whole class.

    points, numbers: upper bounds of the norms of the leaf points and of the absolute values of the leaf numbers on that class.
    Where every e_i <= 0 (or = 0), M_j >= 0 and G >= 0, t <= t - sum_i m_i e_i + sum_j <Z_j, M_j> + <S, G> for m_i >= 0, Z_j >= 0
    and S >= 0. The right side is affine, constant + <A, G> + <b, F>, and A and b are tiny: they are what the solver left over.
    """
    gram, values, constant = expression_to_matrices(problem.objective)
    gram = gram + positive_part(problem.residual)
    for constraint in problem._list_of_constraints_sent_to_wrapper:
        multiplier = float(constraint.eval_dual())
        if constraint.equality_or_inequality == "inequality":
            multiplier = max(multiplier, 0.0)
        part = expression_to_matrices(constraint.expression)
        gram, values, constant = gram - multiplier * part[0], values - multiplier * part[1], constant - multiplier * part[2]
    for psd in problem._list_of_psd_sent_to_wrapper:
        weights = positive_part(psd.eval_dual())
        for index in np.ndindex(*psd.shape):
            part = expression_to_matrices(psd[index])
            gram, values, constant = (x + weights[index] * y for x, y in zip((gram, values, constant), part, strict=True))
    norms, sizes = np.full(len(gram), np.inf), np.full(len(values), np.inf)
    norms[[point.counter for point in points]] = list(points.values())
    sizes[[number.counter for number in numbers]] = list(numbers.values())
    used = values != 0  # the value that PEPit attaches to a linear operator enters nowhere
    assert np.all(np.isfinite(norms))
    left_over = norms @ np.abs(gram) @ norms + np.abs(values[used]) @ sizes[used]
    return float(constant + left_over)


# --- Published values ---


def test_smooth_convex_functions() -> None:
    """Four steps of size 1/L on a convex function, L = 3: f(x_4) - f* <= |x_0 - x*|^2/6, attained by a Huber function."""
    problem, smooth, step = PEP(), 3, Fraction(1, 3)
    f = problem.declare_function(SmoothConvexFunction, L=smooth)
    xs = f.stationary_point()
    x = x0 = problem.set_initial_point()
    problem.set_initial_condition((x0 - xs) ** 2 <= 1)
    for _ in range(4):
        x = x - float(step) * f.gradient(x)
    problem.set_performance_metric(f(x) - f(xs))
    assert abs(solve(problem) - 1 / 6) < WIDTH
    # L x^2/2 up to x = 1/9 and linear from there on: the run from x_0 = 1, exactly.
    end, point = Fraction(1, 2 * 4 + 1), Fraction(1)
    for _ in range(4):
        point -= step * smooth * min(point, end)
    assert point > end
    assert smooth * (end * point - end**2 / 2) == Fraction(1, 6)


@pytest.mark.parametrize(("step", "factor", "worst_curvature"), [(1.0, 0.81, 0.1), (2 / 1.1, 0.669421, 1.0)])
def test_strongly_convex_functions(step, factor, worst_curvature) -> None:
    """|x_+ - y_+|^2 <= max(1 - g mu, g L - 1)^2 |x - y|^2, mu = 0.1, L = 1, attained by a quadratic function."""
    problem = PEP()
    f = problem.declare_function(SmoothStronglyConvexFunction, mu=0.1, L=1.0)
    x, y = problem.set_initial_point(), problem.set_initial_point()
    problem.set_initial_condition((x - y) ** 2 <= 1)
    problem.set_performance_metric((x - step * f.gradient(x) - y + step * f.gradient(y)) ** 2)
    assert abs(solve(problem) - factor) < SIXTH_DIGIT + WIDTH
    assert abs((1 - step * worst_curvature) ** 2 - factor) < SIXTH_DIGIT


def published_factor(mu: float, step: float) -> float:
    """Bound of (f(x_+) - f*)/(f(x) - f*), L = 1: Abbaszadehpeivasti, de Klerk, Zamani (arXiv:2204.00647), Theorem 3."""
    if step < 1:
        root = math.sqrt(4 - 2 * (1 + mu) * mu * step * (2 - step))
        return ((mu * (1 - step) + root) / (2 + mu)) ** 2
    if step <= math.sqrt(3):
        return 1 - mu * step * (4 - step**2) / (2 + mu * step)
    return (step - 1) ** 2 / ((step - 1) ** 2 + mu * step * (2 - step))


@pytest.mark.parametrize(
    ("mu", "step", "factor", "misprint"),
    [(0.1, 0.5, 0.914588, 0.919615), (0.2, 1.0, 8 / 11, None), (0.5, 0.1, 0.904350, 1.044400), (0.5, 0.5, 0.605647, 0.710000)],
)
def test_polyak_lojasiewicz_functions(mu, step, factor, misprint) -> None:
    worst = worst_step(mu, 1.0, step)
    assert abs(worst.bound - factor) < SIXTH_DIGIT + WIDTH
    assert abs(worst.found - factor) < SIXTH_DIGIT + WIDTH
    assert factor < 1 - mu * step * (2 - step)
    # A misplaced square in circulation: far from what is reproduced. (At step 1/L the two formulas agree.)
    assert misprint is None or worst.bound < misprint - 1000 * WIDTH


@pytest.mark.parametrize(("mu", "step"), [(0.5, 1.2), (0.2, 1.7), (0.2, 1.8), (0.5, 1.9)])
def test_polyak_lojasiewicz_functions_and_long_steps(mu, step) -> None:
    worst = worst_step(mu, 1.0, step)
    assert abs(worst.bound - published_factor(mu, step)) < WIDTH


@pytest.mark.parametrize(("mu", "step"), [(0.1, 0.5), (0.2, 1.0), (0.5, 0.1), (0.5, 0.5)])
def test_the_published_factor_is_not_the_worst_case(mu, step) -> None:
    """Inequalities that follow from L-smoothness and PL together (Rubbens, Hendrickx, Taylor, arXiv:2504.14377) give less."""
    sharper = worst_step(mu, 1.0, step, expensive=True)
    assert sharper.bound < published_factor(mu, step) - 100 * WIDTH
    assert sharper.bound > (1 - mu * step) ** 2 - WIDTH  # attained by mu |y|^2/2


# --- Theorem A with a linear map ---

SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)  # of lambda0: (H3) implies itself with every smaller value
GRID = [(mu, lambda0, eta) for mu in (0.05, 0.2, 0.5, 0.8, 1.0) for lambda0 in (0.1, 0.5, 0.9) for eta in (0.1, 0.5, 1.0, 1.5)]


def certified(name: str, mu: float, lambda0: float, eta: float) -> dict[str, Any] | None:
    """The record's constants in balls for a linear map with lambda_max = L = 1, beta = 0; None where a hypothesis is not proved."""
    statement = theorem(name)
    given = {"L": 1, "mu": mu, "eta": eta, "lambda0": lambda0, "lambda_max": 1, "beta": 0, "s0": 1, "R": 10**6}
    names = {str(quantity.symbol) for quantity in statement.quantities}
    if names.isdisjoint({"mu"}) and mu != 1:
        return None
    with working_precision():
        values = {key: BALL.numbers(value) for key, value in given.items() if key in names}
        constants = statement.evaluate_constants(values, BALL)  # beta = 0 leaves Tbar undefined, nothing else
        margins = statement.margins(constants, BALL)
        proved = all(lower(margins[item.id]) > 0 if item.strict else lower(margins[item.id]) >= 0 for item in statement.hypotheses)
    return constants if proved else None


def certified_gap_factor(name: str, mu: float, lambda0: float, eta: float) -> float | None:
    """The certified factor of s, squared: a bound of (h(y_+) - h*)/(h(y) - h*), rounded down; None where nothing is certified."""
    constants = certified(name, mu, lambda0, eta)
    if constants is None:
        return None
    with working_precision():
        return math.nextafter(float(lower(constants["rate"] ** 2)), -math.inf)


@pytest.mark.parametrize(
    ("mu", "lambda0", "worst_case", "square"),
    [(0.1, 0.1, 0.980593, 0.981022), (0.5, 0.5, 0.605647, 0.633418), (1.0, 0.5, 0.25, 0.25)],
)
def test_the_worst_step_of_a_linear_map(mu, lambda0, worst_case, square) -> None:
    worst, factor = worst_step(mu, lambda0, 1.0), certified_gap_factor("A", mu, lambda0, 1.0)
    assert abs(worst.bound - worst_case) < SIXTH_DIGIT + WIDTH
    assert abs(factor - square) < SIXTH_DIGIT
    # Below it, or equal: at mu = L the theorem is exact, and an upper bound of the worst case exceeds it by its own width.
    assert worst.bound <= factor if mu < 1 else abs(worst.bound - factor) < WIDTH


@pytest.mark.parametrize("name", CONVERGENCE)
def test_the_adversary_does_not_beat_the_theorem(name, room) -> None:
    """The bound of the worst step is below every factor that the theorem certifies, lambda0 or a smaller value put in.

    A strict proof wherever mu < L. At mu = L, where Theorem A is exact, the bound exceeds the worst case by its own width.
    """
    exponents = {}
    for point in GRID:
        mu, lambda0, eta = point
        factors = [certified_gap_factor(name, mu, lambda0 * share, eta) for share in SHARES]
        certified_factors = [factor for factor in factors if factor is not None]
        if not certified_factors:
            continue
        worst, best = worst_step(mu, lambda0, eta), min(certified_factors)
        assert worst.bound <= best + (WIDTH if mu == 1 else 0), point
        exponents[point] = math.log(worst.bound) / math.log(best)
    # mu = 1 alone for the square loss; eta = 1.5 > 1/(L Lambda) for A0 alone.
    assert len(exponents) == {"A-square": 9, "A0": 60}.get(name, 45)
    for ratio, text in ((True, "mu < L"), (False, "mu = L")):
        room_left = {point: value for point, value in exponents.items() if (point[0] < 1) is ratio}
        if room_left:
            least, most = min(room_left, key=room_left.get), max(room_left, key=room_left.get)
            room(
                f"{name}, {text}, {len(room_left)} points (mu, lambda0, eta): worst = certified^x, "
                f"x from {room_left[least]:.5f} at {least} to {room_left[most]:.5f} at {most}"
            )


@pytest.mark.parametrize(("mu", "lambda0", "eta"), [point for point in GRID if point[2] <= 1])
def test_the_worst_step_is_the_published_factor_at_step_eta_lambda0(mu, lambda0, eta) -> None:
    """So the spectrum of K above lambda0 does not help this adversary, and Theorem A is not sharp for mu < L."""
    assert abs(worst_step(mu, lambda0, eta).bound - published_factor(mu, eta * lambda0)) < WIDTH


@pytest.mark.parametrize(
    ("mu", "lambda0", "eta"), [(0.5, 0.5, 1.0), (0.1, 0.5, 1.0), (0.5, 0.5, 0.5), (0.2, 0.9, 1.0), (0.8, 0.3, 0.7)]
)
def test_steps_of_every_length_keep_the_conserved_inequality(mu, lambda0, eta, room) -> None:
    """Claim A-c after one step, s_1 + kappa sigma0 r_1 <= s_0 = 1, under attack at fixed r_1 = eta |grad J|."""
    constants = certified("A", mu, lambda0, eta)
    floats = {name: float(constants[name].mid()) for name in ("L", "mu", "lambda0", "kappa", "beta_prime", "eta")} | {"s0": 1.0}
    claim = next(item for item in theorem("A").claims if item.id == "A-c")
    largest = 0.0
    # h(y) - h* = mu s_0^2/2 has been scaled to 1. xi = eta mu sigma0 s_0/r_1 runs from sqrt(lambda0 mu), where |grad J|^2 is
    # largest, to 1, where it is smallest; inside, for at the ends the program has no interior point.
    for share in (0.02, 0.2, 0.4, 0.6, 0.8, 0.98):
        xi = math.sqrt(lambda0 * mu) + share * (1 - math.sqrt(lambda0 * mu))
        path = eta * mu * math.sqrt(lambda0) / xi
        worst = worst_step(mu, lambda0, eta, length=path * math.sqrt(2 / mu))
        values = floats | {"s_next": math.sqrt(worst.bound), "r_next": path}
        left, right = (evaluate_expression(side, values, FLOAT) for side in (claim.measured, claim.bound))
        assert left < right - WIDTH
        largest = max(largest, float(left / right))
    room(f"A-c, one step at (mu, lambda0, eta) = {mu, lambda0, eta}: (s_1 + kappa sigma0 r_1)/s_0 <= {largest:.5f}")


@pytest.mark.parametrize(("mu", "lambda0"), [(0.2, 0.95), (0.5, 0.95), (0.5, 0.99)])
def test_a_certified_factor_is_minimized_over_smaller_lambda0(mu, lambda0) -> None:
    """(H3) with lambda0 implies it with less, where A certifies more; the adversary is weaker for larger lambda0 and beats none."""
    smaller = [lambda0 * share for share in SHARES]
    factors = [certified_gap_factor("A", mu, value, 1.0) for value in smaller]
    assert min(factors) < factors[-1] - 1000 * WIDTH
    worst = [worst_step(mu, value, 1.0).bound for value in smaller]
    assert all(following < previous for previous, following in zip(worst, worst[1:], strict=False))
    assert worst[-1] < min(factors)


# --- Is the adversary what it says it is? ---


@pytest.mark.parametrize(("mu", "lambda0", "eta"), [(0.5, 0.5, 1.0), (0.2, 0.9, 1.0), (0.8, 0.1, 0.5)])
def test_the_instance_found_is_feasible_and_attains_the_value(mu, lambda0, eta) -> None:
    """From the vectors alone: K is rebuilt as a matrix, the step is made again and every inequality is checked by hand."""
    worst = worst_step(mu, lambda0, eta)
    ys, y, grad, v, grad_next = (worst.vectors[name] for name in ("ys", "y", "grad", "v", "grad_next"))
    gap, gap_next = worst.values
    # The only K with K grad = v on the plane of grad and v whose eigenvalues have the sum lambda0 + 1.
    along = grad / np.linalg.norm(grad)
    a = v @ along / np.linalg.norm(grad)
    b = np.linalg.norm(v / np.linalg.norm(grad) - a * along)
    spectrum = np.linalg.eigvalsh([[a, b], [b, lambda0 + 1 - a]])
    assert lambda0 - WIDTH < spectrum[0] <= spectrum[1] < 1 + WIDTH
    points = [(ys, 0 * ys, 0.0), (y, grad, gap), (y - eta * v, grad_next, gap_next)]
    for x, g, f in points:
        assert g @ g >= 2 * mu * f - WIDTH
        for z, e, value in points:
            shift = x - z
            bound = value + (g + e) @ shift / 2 - shift @ shift / 4 + (g - e) @ (g - e) / 4
            assert f >= bound - WIDTH
    assert gap <= 1 + WIDTH
    assert gap_next == pytest.approx(worst.bound, abs=WIDTH)


def test_the_bound_does_not_trust_the_solver(monkeypatch) -> None:
    """Stopped at a tolerance a million times larger, the solver can claim less than the worst case; the bound never does."""
    monkeypatch.setitem(globals(), "SOLVER", {name: value if name == "solver" else 1e-4 for name, value in SOLVER.items()})
    monkeypatch.setitem(globals(), "WIDTH", math.inf)
    rough = [worst_step.__wrapped__(*point).bound for point in GRID]
    monkeypatch.undo()
    assert all(bound > worst_step(*point).bound - WIDTH for bound, point in zip(rough, GRID, strict=True))
    assert max(rough) > 1 + WIDTH  # it was rough


@pytest.mark.parametrize("lambda0", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("eta", [0.1, 1.0])
def test_at_equal_constants_the_worst_case_is_a_quadratic_function(lambda0, eta) -> None:
    worst = worst_step(1.0, lambda0, eta)
    y = np.array([1.0, 0.0])
    attained = np.sum((y - eta * np.diag([lambda0, 1.0]) @ y) ** 2) / np.sum(y**2)
    assert worst.bound - WIDTH < attained <= worst.bound
    # The solver's K acts as lambda0 too. It knows squares of lengths within WIDTH, so lengths to its root.
    assert worst.vectors["v"] == pytest.approx(lambda0 * worst.vectors["grad"], abs=math.sqrt(WIDTH))


@pytest.mark.parametrize("expensive", [False, True])
@pytest.mark.parametrize("a", sorted(PL_CONSTANTS))
@pytest.mark.parametrize("lambda0", [0.3, 0.9])
def test_no_function_is_worse_than_the_adversary(a, lambda0, expensive) -> None:
    """phi = (u^2/2 + a sin(u)^2)/(1 + 2a): smooth with constant 1, PL, not convex for a > 1/2."""
    u = np.linspace(0.01, 10, 20000)
    scale = 1 + 2 * a
    following = u - lambda0 * (u + a * np.sin(2 * u)) / scale
    ratios = (following**2 / 2 + a * np.sin(following) ** 2) / (u**2 / 2 + a * np.sin(u) ** 2)
    worst = worst_step(PL_CONSTANTS[a] / scale, lambda0, 1.0, expensive=expensive)
    assert np.max(ratios) <= worst.bound + (WIDTH if expensive else 0)


@pytest.mark.parametrize(("mu", "lambda0"), [(0.1, 0.1), (0.5, 0.5), (0.5, 0.9)])
def test_the_adversary_beats_a_wrong_theorem(mu, lambda0) -> None:
    """Mutant: kappa = 1, the form of the square loss, claimed for L > mu: refuted by both adversaries, where the theorem is not."""
    factor = certified_gap_factor("A", mu, lambda0, 1.0)
    mutant = (1 - mu * lambda0) ** 2
    assert mutant < worst_step(mu, lambda0, 1.0, expensive=True).bound - 100 * WIDTH
    assert mutant < worst_step(mu, lambda0, 1.0).found < factor
