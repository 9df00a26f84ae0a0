"""The guarantee for the float64 run: its gradient errors against sixty digits, its envelopes against real runs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from mpmath import mp

from numerics.activations import builtin_activation
from numerics.enclosed import enclosed_snapshot
from numerics.losses import square_loss
from numerics.network import Architecture, initialize
from numerics.snapshots import snapshot
from numerics.training import GradientDescent
from theorems.activations import ACTIVATIONS
from theorems.losses import LOSSES, loss
from verify.accuracy import slope_error
from verify.enclosed_point import enclosed_activation, exact_bounds, loss_decimals, residual_above
from verify.errors import ProblemError
from verify.floating_run import FloatingRun, NotCovered, guarantee
from verify.gradient_rounding import RunStart, gradient_error, kernel_ulps, on_ball, run_start
from verify.kernels import loss_kernel
from verify.point import PhiBounds, exact_point
from verify.rigor import Rigor, float_above

DIGITS = 60
#: Sums of m terms are off by sqrt(m) u or less where the bound, for any order, says m u, and every layer replaces an average by a
#: norm. Looser than this at a point (radius 0; on a ball the drift bounds multiply), something is wrong.
LOOSENESS, LOOSENESS_PER_LAYER = 30.0, 10.0


@dataclass(frozen=True)
class Trained:
    """A problem after some steps: theta_N and what made it."""

    name: str
    descent: GradientDescent
    theta: np.ndarray


def trained(name, sizes, points, *, steps, layers=None, output_scale=1.0, bias_scale=0.0, centered=True, share=0.5, seed=1):
    rng = np.random.default_rng(seed)
    a = Architecture(tuple(sizes), 1.0, bias_scale, output_scale, layers or (True,) * (len(sizes) - 1))
    inputs = rng.standard_normal((points, sizes[0]))
    inputs *= (math.sqrt(sizes[0]) / np.linalg.norm(inputs, axis=1))[:, None]
    targets = rng.choice([-1.0, 1.0], (points, sizes[-1]))
    weights = np.full(points, 1 / points)
    theta, kernel = initialize(a, "gaussian", seed), builtin_activation(name)
    found = snapshot(a, kernel, theta, inputs, weights)
    offsets = found.outputs.copy() if centered else np.zeros_like(targets)
    eta = share / float(found.eigenvalues[-1])
    descent = GradientDescent(a, kernel, square_loss(), inputs, targets, weights, offsets, targets, 1.0, eta)
    descent.advance(theta, steps, -1.0, theta.copy())
    return Trained(name, descent, theta)


def start_of(run: Trained) -> RunStart:
    d, phi = run.descent, ACTIVATIONS[run.name]
    suprema = (phi.slope_bound().upper, phi.curvature_bound().upper)
    found = enclosed_snapshot(d.architecture, enclosed_activation(phi, suprema), run.theta, d.inputs, d.sample_weights)
    mu, smoothness = loss_decimals(Fraction(1), Fraction(1))
    residual = residual_above(LOSSES["square"], found.outputs, d.offsets, d.targets, d.sample_weights, mu)
    stated = exact_bounds(found, suprema, mu, smoothness, residual, math.inf)
    point = exact_point(d.architecture, stated, PhiBounds(*suprema), 0)
    return run_start(d.architecture, found, point, d.sample_weights, d.targets, d.offsets, phi, "square", d.step_size)


PHI = {
    "identity": (lambda z: z, lambda z: mpmath.mpf(1)),
    "tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    "erf": (mpmath.erf, lambda z: 2 * mpmath.exp(-(z**2)) / mpmath.sqrt(mp.pi)),
    "sin": (mpmath.sin, mpmath.cos),
    "softplus": (lambda z: mpmath.log1p(mpmath.exp(z)), lambda z: 1 / (1 + mpmath.exp(-z))),
    "gelu": (lambda z: z * mpmath.ncdf(z), lambda z: mpmath.ncdf(z) + z * mpmath.npdf(z)),
}


def precisely(array):
    return np.vectorize(lambda x: mpmath.mpf(float(x)), otypes=[object])(array)


def exact_gradient(run: Trained, theta) -> tuple[np.ndarray, mpmath.mpf]:
    """grad J over all of theta (zeros for untrained layers) by back-propagation in high precision, and the residual."""
    d, a = run.descent, run.descent.architecture
    phi, dphi = (np.vectorize(f, otypes=[object]) for f in PHI[run.name])
    scales = [mpmath.mpf(a.weight_scale) / mpmath.sqrt(size) for size in a.sizes[:-1]]
    sigma, alpha, exact = mpmath.mpf(a.bias_scale), mpmath.mpf(a.output_scale), precisely(theta)
    hs, zs = [precisely(d.inputs.T)], []
    for layer in range(1, a.layers + 1):
        z = scales[layer - 1] * a.weight(exact, layer).dot(hs[-1])
        if a.has_bias:
            z = z + sigma * a.bias(exact, layer)[:, None]
        zs.append(z)
        hs.append(phi(z))
    error = alpha * zs[-1] - precisely(d.offsets.T) - precisely(d.targets.T)
    if d.loss.code != square_loss().code:  # log cosh with the ridge RIDGE: its derivative
        error = np.vectorize(lambda e: mpmath.tanh(e) + mpmath.mpf(RIDGE.numerator) / RIDGE.denominator * e, otypes=[object])(error)
    nu = precisely(d.sample_weights)
    signal, gradient = alpha * nu[None, :] * error, precisely(np.zeros(a.parameters))
    for layer in range(a.layers, 0, -1):
        if a.trained[layer - 1]:
            a.weight(gradient, layer)[...] = scales[layer - 1] * signal.dot(hs[layer - 1].T)
            if a.has_bias:
                a.bias(gradient, layer)[...] = sigma * signal.sum(axis=1)
        if layer > 1:
            signal = dphi(zs[layer - 2]) * (scales[layer - 1] * a.weight(exact, layer).T.dot(signal))
    return gradient, mpmath.sqrt((nu[None, :] * error**2).sum())


def measured_error(run: Trained, theta) -> tuple[mpmath.mpf, mpmath.mpf]:
    """|(theta - theta_+)/eta - grad J(theta)| for one step of the training loop, and the residual at theta."""
    after = theta.copy()
    run.descent.advance(after, 1, -1.0, theta)
    with mp.workdps(DIGITS):
        gradient, residual = exact_gradient(run, theta)
        difference = (precisely(theta) - precisely(after)) / mpmath.mpf(run.descent.step_size) - gradient
        return mpmath.sqrt((difference**2).sum()), residual


CASES = [
    ("tanh", (6, 20, 1), 5, {"steps": 300}),
    ("softplus", (4, 16, 2), 3, {"steps": 300, "bias_scale": 0.3, "centered": False}),
    ("sin", (5, 12, 10, 1), 4, {"steps": 100, "output_scale": 3.0}),
    ("erf", (4, 12, 9, 2), 3, {"steps": 100, "layers": (True, False, True), "bias_scale": 0.2}),
    ("gelu", (3, 8, 7, 6, 1), 3, {"steps": 50}),
    ("identity", (5, 3), 4, {"steps": 50}),
    ("identity", (5, 6, 1), 4, {"steps": 50}),
    ("tanh", (2, 1500, 1), 2, {"steps": 5, "layers": (True, False)}),
]


@pytest.mark.parametrize(("name", "sizes", "points", "options"), CASES)
def test_gradient_errors_of_the_real_loop_stay_below_the_bound(name, sizes, points, options):
    run = trained(name, sizes, points, **options)
    start = start_of(run)
    ulps, taint = kernel_ulps(start)
    assert taint is None
    rng, a = np.random.default_rng(0), run.descent.architecture
    moving = np.concatenate([np.full(len(a.layer(run.theta, i + 1)), moves) for i, moves in enumerate(a.trained)])
    for radius in (0.0, 1e-3, 0.3):
        ball = on_ball(start, radius)
        direction = rng.standard_normal(a.parameters) * moving
        theta = run.theta + radius * 0.99 * direction / np.linalg.norm(direction)
        error, residual = measured_error(run, theta)
        bound = gradient_error(start, ball, float_above(Fraction(float(residual) * (1 + 1e-12))), ulps)
        assert error <= bound
        if radius == 0.0:
            assert bound <= LOOSENESS * LOOSENESS_PER_LAYER**a.layers * error


RIDGE = Fraction(1, 10)


def test_gradient_errors_of_another_loss_stay_below_the_bound():
    """log cosh with a ridge: L > mu, a generated kernel whose own rounding is measured (so the run would be tainted)."""
    run = trained("tanh", (6, 20, 1), 5, steps=200)
    chosen, d = loss("log_cosh", RIDGE), run.descent
    kernel = loss_kernel(chosen)
    constants = chosen.constants(d.targets.ravel().tolist())
    run = Trained("tanh", dataclasses.replace(d, loss=kernel, mu=float(constants.mu.lower)), run.theta)
    residual = run.descent.observe(run.theta, run.theta).residual * (1 + 1e-9)
    outputs = snapshot(d.architecture, d.activation, run.theta, d.inputs, d.sample_weights).outputs - d.offsets
    slope = 2 * slope_error(chosen, kernel, outputs, d.targets, d.minimizers)
    start = dataclasses.replace(
        start_of(run),
        loss="log_cosh",
        smoothness=constants.smoothness.upper,
        mu=constants.mu.lower,
        residual=Fraction(residual),
        slope_error=slope,
    )
    error, _ = measured_error(run, run.theta)
    assert error <= gradient_error(start, on_ball(start, 0.0), residual, kernel_ulps(start)[0]) <= 1e4 * error
    found = guarantee(start)
    assert isinstance(found, NotCovered) or found.rigor is Rigor.FLOATING_POINT


def test_every_norm_of_the_ball_bounds_the_signals_on_it():
    run = trained("sin", (5, 12, 10, 1), 4, steps=100, bias_scale=0.3)
    start, d = start_of(run), run.descent
    radius, rng = 0.4, np.random.default_rng(3)
    ball = on_ball(start, radius)
    phi = ACTIVATIONS["sin"]
    suprema = (phi.slope_bound().upper, phi.curvature_bound().upper)
    for _ in range(5):
        direction = rng.standard_normal(len(run.theta))
        theta = run.theta + radius * direction / np.linalg.norm(direction)
        there = enclosed_snapshot(d.architecture, enclosed_activation(phi, suprema), theta, d.inputs, d.sample_weights)
        assert (there.operator_norms <= ball.operator * (1 + 1e-9)).all()
        assert (there.frobenius_norms <= ball.frobenius * (1 + 1e-9)).all()
        assert (there.bias_norms <= ball.bias * (1 + 1e-9)).all()
        assert (there.forward_norms <= ball.forward * (1 + 1e-9)).all()
        assert (there.preactivation_norms <= ball.preactivation * (1 + 1e-9)).all()
        assert (there.backward_sup <= ball.eta_sup * (1 + 1e-9)).all()
        assert (there.backward_norms <= ball.delta * (1 + 1e-9)).all()


RUNS = [
    ("tanh", (6, 64, 1), 8, {"steps": 400}),
    ("softplus", (4, 30, 2), 5, {"steps": 1500, "bias_scale": 0.3}),
    ("sin", (8, 256, 1), 12, {"steps": 300}),
    ("gelu", (6, 60, 50, 1), 4, {"steps": 150, "share": 0.2}),
]


@pytest.mark.parametrize(("name", "sizes", "points", "options"), RUNS)
def test_the_run_follows_its_envelope_and_reaches_the_floor(name, sizes, points, options):
    run = trained(name, sizes, points, **options)
    found = guarantee(start_of(run))
    assert isinstance(found, FloatingRun), found
    assert found.rigor is Rigor.RIGOROUS
    assert found.taints == ()
    assert found.settling is not None
    assert found.settling.steps <= found.steps
    theta, s0 = run.theta.copy(), exact_residual(run, run.theta)
    done = 0
    settling = found.settling
    for count in (1, settling.steps // 4, settling.steps - 1 - settling.steps // 4, 500):
        if count > 0:
            run.descent.advance(theta, count, -1.0, run.theta)
        done += max(count, 0)
        s = exact_residual(run, theta)
        assert s <= found.residual_bound
        assert s <= mpmath.mpf(found.lasting.rate) ** done * s0 + found.lasting.floor
        if done <= settling.steps:
            assert s <= mpmath.mpf(settling.rate) ** done * s0 + settling.floor
        assert np.linalg.norm(theta - run.theta) <= found.ball_radius
    assert s <= 2 * found.lasting.floor


def exact_residual(run: Trained, theta) -> mpmath.mpf:
    with mp.workdps(30):
        return exact_gradient(run, theta)[1]


@pytest.fixture(scope="module")
def start() -> RunStart:
    return start_of(trained("tanh", (6, 64, 1), 8, steps=400))


def test_worse_constants_never_promise_more(start):
    best = guarantee(start)
    assert isinstance(best, FloatingRun)
    radius = best.ball_radius
    for name, factor in (
        ("residual", 1.5),
        ("lambda0", 0.8),
        ("lambda_max", 1.2),
        ("parameter_norm", 2.0),
        ("curvature", 1.5),
        ("minimizer_norm", 3.0),
        ("smoothness", 1.2),
    ):
        value = getattr(start, name)
        scaled = value * (Fraction(factor) if isinstance(value, Fraction) else factor)
        worse = guarantee(dataclasses.replace(start, **{name: scaled}), radius)
        assert isinstance(worse, NotCovered) or worse.steps <= best.steps, name


@pytest.mark.parametrize(
    ("change", "hypothesis"),
    [
        ({"residual": Fraction(1)}, "q"),
        ({"step_size": 100.0}, "step"),
        ({"parameter_norm": 1e15}, "error"),
        ({"activation": "sqrt(1 + s**2) - 1"}, "error"),
        ({"loss": "logistic", "slope_error": 1.0}, "error"),
    ],
)
def test_one_broken_hypothesis_and_nothing_is_promised(start, change, hypothesis):
    found = guarantee(dataclasses.replace(start, **change))
    assert isinstance(found, NotCovered)
    assert found.hypothesis == hypothesis
    assert found.reason


def test_a_ball_smaller_than_the_path_promises_nothing(start):
    path = float(start.residual) / math.sqrt(float(start.lambda0))
    found = guarantee(start, radius=path / 2)
    assert isinstance(found, NotCovered)
    assert found.hypothesis == "q"


def test_what_is_not_enclosed_is_named(start):
    changed = dataclasses.replace(
        start, activation="sqrt(1 + s**2) - 1", measured_ulps=20.0, loss="logistic", slope_error=1e-16, taints=("the data",)
    )
    found = guarantee(changed)
    assert isinstance(found, FloatingRun)
    assert found.rigor is Rigor.FLOATING_POINT
    assert found.taints == (
        "the data", "activation kernel of 'sqrt(1 + s**2) - 1'", "rounding of the derivative of the loss 'logistic'",
    )  # fmt: skip


def test_an_expression_with_a_proved_kernel_is_no_taint(start):
    found = guarantee(dataclasses.replace(start, activation="s/(1 + s**2)"))
    assert isinstance(found, FloatingRun)
    assert found.rigor is Rigor.RIGOROUS


def test_the_path_stays_covered_when_every_gradient_is_wrong_by_the_bound(start):
    """A1 to the last step: the update's share of eps is blown up so that few steps are covered, and spent on wrong gradients."""
    run = trained("tanh", (6, 64, 1), 8, steps=400)
    wrong = 1e-4
    noisy = dataclasses.replace(start, parameter_norm=1.1 * wrong * start.step_size * 2.0**53)
    found = guarantee(noisy)
    assert isinstance(found, FloatingRun)
    assert 20 < found.steps < 2000
    theta, rng = run.theta.copy(), np.random.default_rng(5)
    s0 = float(start.residual)
    direction = rng.standard_normal(len(theta))
    direction /= np.linalg.norm(direction)  # always the same direction: errors add up along the solutions
    path = 0.0
    for step in range(1, found.steps + 1):
        before = theta.copy()
        run.descent.advance(theta, 1, -1.0, run.theta)
        theta += start.step_size * wrong * direction
        path += float(np.linalg.norm(theta - before))
        s = run.descent.observe(theta, run.theta).residual
        assert path <= found.ball_radius
        assert s <= found.residual_bound
        if step <= found.lasting.steps:
            assert s <= (found.lasting.rate**step * s0 + found.lasting.floor) * (1 + 1e-9)
    assert s > wrong / 10  # the errors did matter


def test_beyond_the_proved_range_of_the_kernel_the_run_is_tainted(start):
    norms = dataclasses.replace(start.norms, preactivation=np.full_like(start.norms.preactivation, 1e5))
    found = guarantee(dataclasses.replace(start, activation="sin", norms=norms))
    assert isinstance(found, FloatingRun)
    assert found.taints == ("activation kernel of 'sin' beyond |z| = 100000",)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"step_size": 0.0}, "step_size"),
        ({"step_size": math.nan}, "step_size"),
        ({"lambda0": Fraction(0)}, "lambda0"),
        ({"slope_error": -1.0}, "slope_error"),
        ({"parameter_norm": math.inf}, "parameter_norm"),
        ({"curvature": math.inf}, "curvature"),
        ({"slope": 1e-40}, "slope"),
    ],
)
def test_bad_numbers_are_refused_by_name(start, change, named):
    with pytest.raises(ProblemError, match=named):
        dataclasses.replace(start, **change)
