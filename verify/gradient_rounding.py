"""How far a float64 step of this program is from exact gradient descent, on a whole ball: a bound, in full.

For the run as computed, eps_k := (theta_k - theta_{k+1})/eta - grad J(theta_k). ``gradient_error`` bounds |eps_k| for every
theta_k in B(R) about theta_N whose residual is at most S. With u = 2^-53, gamma_m = m u/(1 - m u), it follows
``numerics._descent`` operation by operation, BLAS sums in any order. ^ marks what is computed; H, Z, E, N bound |h|, |z|, the
columns of eta and |delta| over the ball; w, F, b bound |W|_2, |W|_F, |b|; c is c_l, with its own rounding counted; A is the
accuracy of the activation's kernel.

    forward    eps^z_l = c w eps^h_{l-1} + gamma_{m_{l-1}+8} (c F (H_{l-1} + eps^h_{l-1}) + sigma_b b),     eps^h_0 = 0,
               eps^h_l = Lp eps^z_l + A u (sqrt(m_l) |phi(0)| + Lp (Z_l + eps^z_l));
    outputs    y^ is off by alpha eps^z_L and, with offsets, by u |y^|; loss' by L times that and by its own rounding (for the
               square loss u |loss'|); alpha nu loss' by two roundings more. It then stands for e~, |e~ - loss'|_nu <= dev;
    backward   v_l = delta_l^T e~ is computed to within A_l |e~|: A_L = 0 and, with c, w, F of layer l+1,
               G = c w A_{l+1} + gamma_{m_{l+1}+8} c F (N_{l+1} + A_{l+1}),
               A_l = (1 + u) (Lp (1 + A u) G + Lpp eps^z_l E_l + A u Lp min(sqrt(m_l) E_l, c w N_{l+1})) + u N_l;
    gradient   c v^_l h^_{l-1}^T, summed over the points, is off by c X_l |e~| for every point, its biases by sigma_b Y_l |e~|,
               X_l = A_l (H + eps^h) + N_l eps^h + gamma_{n+8} (N_l + A_l) (H + eps^h), Y_l = A_l + gamma_{n+8} (N_l + A_l);
    update     theta - eta G^ is one fma: u |theta_{k+1}|/eta.

Points add by Cauchy-Schwarz in nu, layers are orthogonal, and with g^ the computed gradient

    |eps_k| <= sqrt(Lambda) dev + |alpha| (sum_l sum_i nu_i ((c X_l)^2 + (sigma_b Y_l)^2))^{1/2} |e~|_nu
               + u (|theta_T| + R)/eta + u |g^|.

Proof of "backward": fl(p^ a^) - p a = p^ (a^ - a) + (p^ - p) a + rounding with a = c W^T v, |p^| <= Lp (1 + A u), |p^ - p| <=
Lpp |z^ - z| + A u Lp neuron by neuron, |a|_inf <= E |e~|, and G bounds |a^ - a|/|e~|. Nothing of second order is dropped.
|loss'|_nu = |grad h| <= sqrt(L mu) s by smoothness.

Everything here is a sum, product, quotient or root of nonnegative doubles, fewer than 2^20 in a row, and OUTWARD rounds the end up.
Norms are raised by FLOOR, so that what gradual underflow can do (2^-1074 a product, 2^-400 an activation) is less than what that
adds to the roundings counted.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.enclosed import EnclosedSnapshot
from numerics.network import Architecture
from numerics.rounding import EXTRA_ROUNDINGS, SignalNorms, forward_depth, weighted_norm
from numerics.roundoff import UNIT_ROUNDOFF, gamma
from theorems.activations import Activation
from theorems.arithmetic import BALL, FLOAT, ball_from_float_with_error, lower, upper, working_precision
from theorems.ball import SignalsAtPoint, ball_bounds
from theorems.programs import evaluate
from verify.certificate import beta_floor
from verify.errors import ProblemError
from verify.kernel_accuracy import proved_accuracy
from verify.point import Point
from verify.rigor import float_above

Array = NDArray[np.float64]

OUTWARD = 1.0 + 2.0**-30
FLOOR = 2.0**-200
LARGEST_SCALE = 2.0**100  # c_l, alpha, Lp and their reciprocals: beyond it FLOOR would not cover underflow
MOST_POINTS = 2**19  # for OUTWARD
SQUARE = ("square", "weighted_square")  # losses whose kernel is y - t


@dataclass(frozen=True)
class RunStart:
    """What the guarantee needs to know about theta_N and the run that starts there.

    signals: of the certificate, as balls (or as floats, which are then taken as exact). norms: upper bounds at theta_N, of
    which ``operator``, ``frobenius``, ``bias``, ``forward`` and ``preactivation`` are read. activation: a catalogue name or an
    expression; at_zero, slope, curvature: upper bounds of |phi(0)|, sup|phi'|, sup|phi''|; measured_ulps: the accuracy to
    assume where none is proved. loss: its name; smoothness, mu: L and mu from above and from below; slope_error: bound of the
    rounding of loss', nu-norm (0 for the square loss, whose rounding is derived). minimizer_norm: |y*|_nu, for the square loss
    of the targets; offsets: whether any are subtracted. parameter_norm: |theta_T|. lambda0 from below, lambda_max and residual
    from above. taints: what is not enclosed so far.
    """

    architecture: Architecture
    signals: SignalsAtPoint
    norms: SignalNorms
    sample_weights: Array
    activation: str
    at_zero: float
    slope: float
    curvature: float
    loss: str
    smoothness: Fraction
    mu: Fraction
    minimizer_norm: float
    offsets: bool
    parameter_norm: float
    lambda0: Fraction
    lambda_max: Fraction
    residual: Fraction
    step_size: float
    slope_error: float = 0.0
    measured_ulps: float = math.inf
    taints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("at_zero", "minimizer_norm", "parameter_norm", "slope_error", "residual"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ProblemError(f"{name} must be finite and not negative, got {getattr(self, name)!r}")
        for name in ("step_size", "smoothness", "mu", "lambda0", "lambda_max"):
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                raise ProblemError(f"{name} must be positive and finite, got {getattr(self, name)!r}")
        smallest_weight = float(self.sample_weights.min())
        scales = [*self.architecture.fan_in_scales, self.architecture.output_scale, self.slope, smallest_weight]
        if not all(1 / LARGEST_SCALE <= abs(scale) <= LARGEST_SCALE for scale in scales):
            raise ProblemError(
                f"fan-in scales, output scale, slope and sample_weights must lie between 2^-100 and 2^100, got {scales}"
            )
        if len(self.sample_weights) >= MOST_POINTS:
            raise ProblemError(f"sample_weights must be fewer than {MOST_POINTS}, got {len(self.sample_weights)}")
        if not math.isfinite(self.curvature):
            raise ProblemError(f"curvature must be finite, got {self.curvature!r}")


def run_start(
    architecture: Architecture,
    snapshot: EnclosedSnapshot,
    point: Point,
    sample_weights: Array,
    minimizers: Array,
    offsets: Array,
    phi: Activation,
    loss: str,
    step_size: float,
) -> RunStart:
    """From an enclosed snapshot at theta_N and the point stated from it (``point.exact`` is not None).

    minimizers, offsets: (n, k), the argmin of the loss for each target (for the square loss the targets) and what is subtracted
    from the outputs, both as the run has them. loss: its name.
    """
    stated = point.exact
    if stated is None:
        raise ProblemError("point must be stated exactly, got one that was measured in floating point")
    zero = np.zeros((architecture.layers, len(sample_weights)))
    norms = SignalNorms(
        operator=snapshot.operator_norms, frobenius=snapshot.frobenius_norms, bias=snapshot.bias_norms,
        forward=snapshot.forward_norms, preactivation=snapshot.preactivation_norms, eta_sup=zero, delta=zero,
    )  # fmt: skip
    moving = np.array(architecture.trained)
    squares = norms.frobenius**2 + norms.bias**2 if architecture.has_bias else norms.frobenius**2
    with working_precision():
        at_zero = evaluate(phi.program(), BALL, [BALL.constant(Fraction(0))])[0]
    return RunStart(
        architecture=architecture,
        signals=point.signals_in_balls(),
        norms=norms,
        sample_weights=sample_weights,
        activation=phi.name,
        at_zero=float_above(max(upper(at_zero), -lower(at_zero))),
        slope=float_above(Fraction(stated.slope)),
        curvature=float_above(Fraction(stated.curvature)),
        loss=loss,
        smoothness=Fraction(stated.smoothness),
        mu=Fraction(stated.mu),
        minimizer_norm=weighted_norm(np.sqrt(np.sum(minimizers**2, axis=1)), sample_weights) * OUTWARD,
        offsets=bool(np.any(offsets)),
        parameter_norm=math.sqrt(float(np.sum(squares[moving]))) * OUTWARD,
        lambda0=Fraction(stated.lambda0),
        lambda_max=Fraction(stated.lambda_max),
        residual=Fraction(stated.residual),
        step_size=step_size,
    )


@dataclass(frozen=True)
class OnBall:
    """Upper bounds over B(R): beta and, as arrays like in SignalNorms, of every signal."""

    radius: float
    beta: float
    operator: Array
    frobenius: Array
    bias: Array
    forward: Array
    preactivation: Array
    eta_sup: Array
    delta: Array


def on_ball(start: RunStart, radius: float, exact: bool = True) -> OnBall:
    """Bounds over B(radius) from those at theta_N and the ball recursion, in balls or (``exact`` false) in floats."""
    if exact:
        bounds = ball_bounds(start.signals, ball_from_float_with_error(radius, 0), BALL)
    else:
        bounds = ball_bounds(_midpoints(start.signals), radius, FLOAT)
    drift = _above(bounds.forward_drift) * radius
    moving = np.array(start.architecture.trained, dtype=np.float64) * radius
    forward = start.norms.forward.copy()
    forward[1:] += start.slope * drift[:-1]
    floor = beta_floor(float(start.lambda0), float(start.residual))
    raised = [
        array * OUTWARD + FLOOR
        for array in (
            start.norms.operator + moving,
            start.norms.frobenius + moving,
            start.norms.bias + moving,
            forward,
            start.norms.preactivation + drift,
            _above(bounds.backward_sup).reshape(start.architecture.layers - 1, forward.shape[1]),
            _above(bounds.backward_norms),
        )
    ]
    return OnBall(radius, max(float(_above(np.array([bounds.beta]))[0]), floor), *raised)


def gradient_error(start: RunStart, ball: OnBall, residual: float, ulps: float) -> float:
    """The bound eps of the module for all theta in the ball with s(theta) <= residual, rounded up; infinite when a bound
    overflows."""
    with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN end as infinity
        total = _gradient_error(start, ball, residual, ulps) * OUTWARD
    return total if math.isfinite(total) else math.inf


def _gradient_error(start: RunStart, ball: OnBall, residual: float, ulps: float) -> float:
    a, u = start.architecture, UNIT_ROUNDOFF
    eps_z, eps_h = _forward_errors(start, ball, ulps)
    root_lambda = math.sqrt(float(start.lambda_max)) + ball.beta * ball.radius
    slope = math.sqrt(float(start.smoothness * start.mu)) * residual + FLOOR  # |grad h|
    output = abs(a.output_scale) * weighted_norm(eps_z[-1], start.sample_weights)
    if start.offsets:
        output += u * (start.minimizer_norm + residual + output)
    own = start.slope_error if start.loss not in SQUARE else u * (slope + output)
    deviation = float(start.smoothness) * output + own
    deviation += gamma(2) * (slope + deviation)
    backward = _backward_errors(start, ball, eps_z, eps_h, ulps)
    error = root_lambda * deviation + abs(a.output_scale) * backward * (slope + deviation)
    update = u * (start.parameter_norm + FLOOR + ball.radius) / start.step_size + u * (root_lambda * slope + error)
    return error + update


def _forward_errors(start: RunStart, ball: OnBall, ulps: float) -> tuple[Array, Array]:
    """eps^z and eps^h (row l-1: of h_{l-1}), both (L, n)."""
    a = start.architecture
    unit = ulps * UNIT_ROUNDOFF
    eps_z, eps_h = np.zeros_like(ball.forward), np.zeros_like(ball.forward)
    for i, c in enumerate(np.abs(a.fan_in_scales)):
        sizes = c * ball.frobenius[i] * (ball.forward[i] + eps_h[i]) + abs(a.bias_scale) * ball.bias[i]
        eps_z[i] = c * ball.operator[i] * eps_h[i] + gamma(forward_depth(a, i + 1) + EXTRA_ROUNDINGS) * sizes
        if i + 1 < a.layers:
            zero = math.sqrt(a.sizes[i + 1]) * start.at_zero
            eps_h[i + 1] = start.slope * eps_z[i] + unit * (zero + start.slope * (ball.preactivation[i] + eps_z[i]))
    return eps_z, eps_h


def _backward_errors(start: RunStart, ball: OnBall, eps_z: Array, eps_h: Array, ulps: float) -> float:
    """(sum_l sum_i nu_i (...)^2)^{1/2} of the module."""
    a, u = start.architecture, UNIT_ROUNDOFF
    unit = ulps * u
    points = gamma(len(start.sample_weights) + EXTRA_ROUNDINGS)
    error, total = np.zeros(len(start.sample_weights)), 0.0
    for i in range(a.layers - 1, -1, -1):
        c, norm = abs(a.fan_in_scales[i]), ball.delta[i]
        below = ball.forward[i] + eps_h[i]
        if a.trained[i]:
            x = error * below + norm * eps_h[i] + points * (norm + error) * below
            biases = abs(a.bias_scale) * (error + points * (norm + error))
            total += float(np.sum(start.sample_weights * ((c * x) ** 2 + biases**2)))
        if i == 0:
            break
        g = c * ball.operator[i] * error
        g = g + gamma(a.sizes[i + 1] + EXTRA_ROUNDINGS) * c * ball.frobenius[i] * (norm + error)
        sup = ball.eta_sup[i - 1]
        longest = np.minimum(math.sqrt(a.sizes[i]) * sup, c * ball.operator[i] * norm)
        slopes = start.curvature * eps_z[i - 1] * sup + unit * start.slope * longest
        error = (1 + u) * (start.slope * (1 + unit) * g + slopes) + u * ball.delta[i - 1]
    return math.sqrt(total)


def kernel_ulps(start: RunStart) -> tuple[float, str | None]:
    """(A, None) with the proved accuracy of the activation's kernel, or the measured one and what to call that."""
    accuracy = proved_accuracy(start.activation)
    if accuracy is not None:
        return max(accuracy.ulps, 1.0), None
    return start.measured_ulps, f"activation kernel of {start.activation!r}"


def _above(values: Any) -> Array:
    """Upper ends of balls as doubles rounded up, or the floats as they are; infinity for a ball that is not finite."""
    array = np.asarray(values)
    if array.dtype != object:
        return array.astype(np.float64)
    ends = [float_above(upper(ball)) if ball.is_finite() else math.inf for ball in array.ravel()]
    return np.array(ends, dtype=np.float64).reshape(array.shape)


def _midpoints(signals: SignalsAtPoint) -> SignalsAtPoint:
    """The signals in floats, for searches."""

    def floats(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(floats(item) for item in value)
        array = np.asarray(value, dtype=object)
        if array.dtype == object and array.size and hasattr(array.ravel()[0], "mid"):
            flat = np.array([float(ball.mid()) for ball in array.ravel()])
            return flat.reshape(array.shape)[()]
        return value

    names = [field.name for field in dataclasses.fields(signals) if field.name != "trained"]
    return dataclasses.replace(signals, **{name: floats(getattr(signals, name)) for name in names})
