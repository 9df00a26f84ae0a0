"""How far rounding can have moved what is measured: bounds, not estimates.

Model. u = 2^-53; a sum of m products computed in any order, with or without fused multiply-add, is off by at most
gamma_m sum |a||b|, gamma_m = m u/(1 - m u) (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections
3.1 and 3.5); no overflow, and underflow is neglected. Activations are not elementary operations: their kernels are
trusted to

    |fl phi(z) - phi(z)| <= A u (|phi(0)| + Lp |z|),     |fl phi'(z) - phi'(z)| <= A u Lp,     A = ACTIVATION_ULPS,

which ``verify.kernel_accuracy`` proves for every smooth built-in kernel by running its source on abstract numbers; Lp = sup|phi'|,
Lpp = sup|phi''|. A user's expression that cancels, such as (s + 10^8) - 10^8, does not keep to it. ^ marks computed quantities;
"exact" is the network of the exact real numbers sigma_w, sigma_b, alpha and theta, so that the rounding of c_l =
sigma_w/sqrt(m_{l-1}) counts.

Where Lp or Lpp is not known (the rectifier has no Lpp) there is no bound and the value is infinity: a difference
below it is undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.network import Architecture
from numerics.roundoff import UNIT_ROUNDOFF, gamma, summation_depth

Array = NDArray[np.float64]

ACTIVATION_ULPS = 16.0

# Multiplications by c_l, sigma_b, alpha, the sample weights and the rounding of these constants themselves, per sum
# of products.
EXTRA_ROUNDINGS = 8

# Additions in a row when the outputs of m neurons are added up: OUTPUT_DEPTH + m/OUTPUT_GROUP at most. See forward_depth.
OUTPUT_DEPTH, OUTPUT_GROUP = 384, 1024

# The bounds below hold with the norms of the signals that were computed *here*. Another program (the training loop)
# adds in another order, and its signals differ by twice the bounds at most, which changes the bounds in second order:
# by a factor 1 + 2 Lpp eps_z/Lp <= 1 + 1/(8 L) per layer under the condition below, e^(1/8) < 1.14 in all; the
# remaining products of two errors are gamma sqrt(m) times smaller than what they accompany.
SECOND_ORDER = 1.25
SECOND_ORDER_CONDITION = 16.0  # 16 L Lpp eps_z <= Lp, or there is no bound


@dataclass(frozen=True)
class ActivationBounds:
    """|phi(0)|, Lp = sup|phi'| and Lpp = sup|phi''|; infinity for a supremum that is infinite or not known.

    ulps: the A of the error model, larger than ACTIVATION_ULPS for kernels that are known to be less accurate.
    """

    at_zero: float
    slope: float
    curvature: float
    ulps: float = ACTIVATION_ULPS


@dataclass(frozen=True)
class SignalNorms:
    """Sizes of the computed signals, or upper bounds of them; n points.

    operator, frobenius: (L,), of W_l; bias: (L,), |b_l|_2. forward: (L, n), row l-1 = |h_{l-1}(i)|_2; preactivation:
    (L, n), |z_l(i)|_2; eta_sup: (L-1, n), largest column norm of eta_l(i); delta: (L, n), Frobenius norm of delta_l(i).
    """

    operator: Array
    frobenius: Array
    bias: Array
    forward: Array
    preactivation: Array
    eta_sup: Array
    delta: Array


@dataclass(frozen=True)
class SignalErrors:
    """Bounds of the rounding errors of the signals, per point.

    preactivation, forward: (L, n), 2-norms over neurons for z_l and h_{l-1} (row l-1); eta: (L-1, n) and delta: (L, n),
    Frobenius norms for the Jacobians eta_l and delta_l; output: (n,), of f = alpha z_L.
    """

    preactivation: Array
    forward: Array
    eta: Array
    delta: Array
    output: Array


@dataclass(frozen=True)
class RoundingErrors:
    """Bounds of the rounding of what is measured at one theta; infinity where there is none.

    output: (n,), |fl f(x_i) - f(x_i)|_2. With an initial function subtracted, the errors of both add.
    residual: the nu-norm of that: |fl s - s| <= residual + residual_relative s for the RMS residual s of the square loss.
    gradient_constant, gradient_slope: |fl grad J - grad J| <= constant + slope s; s the RMS residual, or
        sqrt(2 (J - h*)/mu) for a loss of smoothness L; both are multiplied by L already. The caller adds
        sqrt(lambda_max) times the nu-norm of the rounding of loss' itself, which for the square loss is in the slope.
    adjoint: |fl DF^* e - DF^* e| <= adjoint |e|_nu, e as it is stored. product: |fl DF x - DF x|_nu <= product |x|, whose sum is
        over neurons.
    update: u |theta_T|_2, T the trained layers: a step of length d is stored with an error of at most update + 3 u d.
    eigenvalue: of each eigenvalue of the tangent kernel, absolute: rounding of the entries and of the solver.
    kernel: the part of it that comes from the entries, |fl K - K|_2.
    norm_relative: for operator, forward, Gram, Schur and backward norms: stored and exact value differ by at most this
        fraction of the stored one.
    """

    output: Array
    residual: float
    residual_relative: float
    gradient_constant: float
    gradient_slope: float
    adjoint: float
    product: float
    update: float
    eigenvalue: float
    kernel: float
    norm_relative: float


@dataclass(frozen=True)
class DriftErrors:
    """Bounds of the rounding errors of a Drift, absolute; forward: (L,), the largest over the points."""

    forward: Array
    jacobian: float
    kernel: float


def forward_depth(architecture: Architecture, layer: int) -> int:
    """Roundings in a row in the sum over the m_{l-1} inputs of a neuron of layer l.

    Any order, hence m_{l-1}; but the output layer, whose fan-in may be 10^6, is added up in blocks and the blocks in groups, here
    (OUTPUT_BLOCK and PANEL_ROWS in ``signals``) as in the training kernels (panels of 16 to 256 neurons, at most 64 chunks).
    """
    size = architecture.sizes[layer - 1]
    if layer < architecture.layers or layer == 1:
        return size
    return min(size, OUTPUT_DEPTH + -(-size // OUTPUT_GROUP))


def signal_errors(architecture: Architecture, norms: SignalNorms, bounds: ActivationBounds) -> SignalErrors:
    """Rounding errors of all signals, per point. With eps^h_0 = 0 and eps^delta_L = 0:

        eps^z_l <= c_l |W_l| eps^h_{l-1} + gamma_{m_{l-1}+8} (c_l |W_l|_F |h^_{l-1}| + sigma_b |b_l|)
        eps^h_l <= Lp eps^z_l + A u (sqrt(m_l) |phi(0)| + Lp |z^_l|)
        eps^eta_l <= c_{l+1} |W_{l+1}| eps^delta_{l+1} + gamma_{m_{l+1}+8} c_{l+1} |W_{l+1}|_F |delta^_{l+1}|_F
        eps^delta_l <= Lp eps^eta_l + (Lpp eps^z_l + A u Lp sqrt(m_l)) max_j |eta^_l[:, j]| + u |delta^_l|_F

    Proof. z^ is the rounded image of h^, taken as exact data, plus the exact image of h^ - h; | |W| |h| |_2 <= |W|_F
    |h|_2 row by row. phi is Lp-Lipschitz. fl(p^ eta^) - p eta = (p^ - p) eta^ + p (eta^ - eta) + rounding, |p^ - p|
    <= Lpp |z^ - z| + A u Lp neuron by neuron, and the 2-norm of an entrywise product is at most the 2-norm of one
    factor times the sup of the other. No term of second order is dropped.
    """
    layers, points = norms.forward.shape
    if layers > 1 and not bounds.slope < math.inf:
        unknown = np.full((layers, points), math.inf)
        return SignalErrors(unknown, unknown, unknown[1:], unknown, unknown[0])
    preactivation, forward = np.zeros((layers, points)), np.zeros((layers, points))
    scales, unit = np.abs(architecture.fan_in_scales), bounds.ulps * UNIT_ROUNDOFF
    for layer in range(1, layers + 1):
        i = layer - 1
        sizes = scales[i] * norms.frobenius[i] * norms.forward[i] + abs(architecture.bias_scale) * norms.bias[i]
        rounding = gamma(forward_depth(architecture, layer) + EXTRA_ROUNDINGS) * sizes
        preactivation[i] = scales[i] * norms.operator[i] * forward[i] + rounding
        if layer < layers:
            zero = math.sqrt(architecture.sizes[layer]) * bounds.at_zero
            forward[layer] = bounds.slope * preactivation[i] + unit * (zero + bounds.slope * norms.preactivation[i])
    delta, eta = np.zeros((layers, points)), np.zeros((layers - 1, points))
    condition = SECOND_ORDER_CONDITION * layers * bounds.curvature * float(preactivation[:-1].max(initial=0.0))
    if layers > 1 and not condition <= bounds.slope:  # written so that NaN (infinite curvature times zero) counts as failing
        delta[:-1], eta[:] = math.inf, math.inf
    else:
        _backward_errors(architecture, norms, bounds, preactivation, delta, eta)
    return SignalErrors(preactivation, forward, eta, delta, abs(architecture.output_scale) * preactivation[-1])


def _backward_errors(
    architecture: Architecture, norms: SignalNorms, bounds: ActivationBounds, preactivation: Array, delta: Array, eta: Array
) -> None:
    scales = np.abs(architecture.fan_in_scales)
    for layer in range(architecture.layers - 1, 0, -1):  # row l-1 belongs to layer l, so [l] is layer l+1
        rounding = gamma(architecture.sizes[layer + 1] + EXTRA_ROUNDINGS) * norms.frobenius[layer] * norms.delta[layer]
        eta[layer - 1] = scales[layer] * (norms.operator[layer] * delta[layer] + rounding)
        own = bounds.ulps * UNIT_ROUNDOFF * bounds.slope * math.sqrt(architecture.sizes[layer])
        slopes = bounds.curvature * preactivation[layer - 1] + own
        delta[layer - 1] = (
            bounds.slope * eta[layer - 1] + slopes * norms.eta_sup[layer - 1] + UNIT_ROUNDOFF * norms.delta[layer - 1]
        )


def jacobian_error(architecture: Architecture, norms: SignalNorms, errors: SignalErrors, sample_weights: Array) -> float:
    """A bound of |fl DF - DF| on L2(nu; R^k): the Jacobian with the computed signals against the exact one.

    Per point and trained layer delta^ (x) (c h^, sigma_b) - delta (x) (c h, sigma_b) has norm at most eps^delta p +
    (|delta^| + eps^delta) c eps^h, p^2 = c^2 |h^|^2 + sigma_b^2. Layers are orthogonal blocks, and points add in
    quadrature with their weights (Frobenius norm).
    """
    total = 0.0
    for i in np.flatnonzero(architecture.trained):
        if not (np.isfinite(errors.delta[i]).all() and np.isfinite(errors.forward[i]).all()):
            return math.inf
        c = abs(architecture.fan_in_scales[i])
        p = np.hypot(c * norms.forward[i], architecture.bias_scale)
        point = errors.delta[i] * p + (norms.delta[i] + errors.delta[i]) * c * errors.forward[i]
        total += float(np.sum(sample_weights * point**2))
    return abs(architecture.output_scale) * math.sqrt(total)


def kernel_depth(architecture: Architecture, rows: int) -> int:
    """Roundings in a row in an entry of a tangent kernel summed over panels of ``rows`` neurons."""
    depths = [architecture.sizes[0]] + [summation_depth(size, rows) for size in architecture.sizes[1:]]
    return max(below + here for below, here in zip(depths, depths[1:], strict=False)) + architecture.layers + EXTRA_ROUNDINGS


def kernel_error(architecture: Architecture, rows: int, trace: float, largest: float, jacobian: float) -> float:
    """A bound of |fl K - K|_2 from |fl DF - DF| <= jacobian: 2 sqrt(lambda_max) e + e^2 + gamma trace K.

    The last term is the rounding of the Hadamard formula itself: entrywise at most gamma times the same formula with
    |delta^| and |h^|, which is positive semidefinite by Schur's theorem and has the same diagonal, so its norm is at
    most the trace of K.
    """
    if not jacobian < math.inf:
        return math.inf
    return 2.0 * math.sqrt(max(largest, 0.0)) * jacobian + jacobian**2 + gamma(kernel_depth(architecture, rows)) * trace


def rounding_errors(
    architecture: Architecture,
    norms: SignalNorms,
    errors: SignalErrors,
    sample_weights: Array,
    *,
    trace: float,
    largest_eigenvalue: float,
    eigenvalue_solver: float,
    rows: int,
    parameter_norm: float,
    norm_relative: float,
    smoothness: float,
) -> RoundingErrors:
    """Put the bounds of one theta together (fields: see RoundingErrors).

    The gradient is DF^* e, e the derivative of the loss. With |fl e - e| <= L |fl f - f| and |e| <= L s,

        fl grad - grad = DF^* (fl e - e) + (fl DF - DF)^* fl e + the rounding of the sum over points

    is at most sqrt(lambda_max) L residual + (|fl DF - DF| + gamma_{nk+8} sqrt(trace K)) L s. Back-propagating
    sum_o e_o delta^(o) instead of each delta^(o) has the errors of ``signal_errors`` times |e(x_i)|, by the same recursion.

    trace, largest_eigenvalue: of the computed kernel; eigenvalue_solver: the error of its eigenvalues as a matrix;
    rows: neurons in a panel; parameter_norm: |theta_T|_2; smoothness: L.
    """
    jacobian = jacobian_error(architecture, norms, errors, sample_weights)
    kernel = kernel_error(architecture, rows, trace, largest_eigenvalue, jacobian)
    eigenvalue = kernel + eigenvalue_solver
    root = math.sqrt(max(largest_eigenvalue, 0.0) + eigenvalue)
    residual = weighted_norm(errors.output, sample_weights)
    summation = gamma(len(sample_weights) * architecture.outputs + EXTRA_ROUNDINGS)
    adjoint = SECOND_ORDER * (jacobian + summation * math.sqrt(trace) + UNIT_ROUNDOFF * root)
    return RoundingErrors(
        output=SECOND_ORDER * errors.output,
        residual=SECOND_ORDER * residual,
        residual_relative=summation,
        gradient_constant=SECOND_ORDER * smoothness * root * residual,
        gradient_slope=smoothness * adjoint,
        adjoint=adjoint,
        product=adjoint + SECOND_ORDER * gamma(kernel_depth(architecture, rows)) * math.sqrt(trace),
        update=UNIT_ROUNDOFF * parameter_norm,
        eigenvalue=SECOND_ORDER * eigenvalue,
        kernel=SECOND_ORDER * kernel,
        norm_relative=SECOND_ORDER * norm_relative,
    )


def drift_errors(
    architecture: Architecture,
    both: SignalNorms,
    moved: Array,
    bounds: ActivationBounds,
    sample_weights: Array,
    *,
    measured: float,
    solvers: tuple[float, float],
    rows: int,
) -> DriftErrors:
    """Rounding of a drift: twice that of the signals at one point (norms that hold at both), and of the sums.

    With S = alpha^2 sum_l sum_i nu_i (c^2 (|d||h| + |delta'||e|)^2 + sigma_b^2 |d|^2), the Hadamard formula of X X^*
    is off by at most gamma S in norm (entrywise bound by a positive semidefinite matrix of trace S), its root by
    min(gamma S/|X|, sqrt(gamma S)). That of K - K' is off by gamma (2 sqrt(T S) + S), T = alpha^2 sum nu |delta|^2
    p^2 >= trace K at both points; and each K by 2 sqrt(T) e + e^2, e the error of DF.

    both: columns as in ``difference_panels``, weights of the reference; moved: (L,), layer displacements; measured: |X|;
    solvers: errors of the eigenvalues of X X^* and of K - K'; rows: neurons in a panel.
    """
    points = len(sample_weights)
    then, change = _columns(both, slice(None, points)), _columns(both, slice(points, None))
    upper = SignalNorms(
        operator=both.operator + moved,
        frobenius=both.frobenius + moved,
        bias=both.bias + moved,
        forward=then.forward + change.forward,
        preactivation=then.preactivation + change.preactivation,
        eta_sup=then.eta_sup + change.eta_sup,
        delta=then.delta + change.delta,
    )
    errors = signal_errors(architecture, upper, bounds)
    jacobian = jacobian_error(architecture, upper, errors, sample_weights)
    total, changed = 0.0, 0.0
    for i in np.flatnonzero(architecture.trained):
        c, b = abs(architecture.fan_in_scales[i]), architecture.bias_scale
        mixed = c * (change.delta[i] * upper.forward[i] + then.delta[i] * change.forward[i])
        changed += float(np.sum(sample_weights * (mixed**2 + (b * change.delta[i]) ** 2)))
        total += float(np.sum(sample_weights * upper.delta[i] ** 2 * ((c * upper.forward[i]) ** 2 + b**2)))
    changed, total = architecture.output_scale**2 * changed, architecture.output_scale**2 * total
    rounding = gamma(kernel_depth(architecture, rows) + EXTRA_ROUNDINGS)
    gram = rounding * changed + solvers[0]
    root = min(gram / measured, math.sqrt(gram)) if measured > 0.0 else math.sqrt(gram)
    kernel = 4.0 * math.sqrt(total) * jacobian + 2.0 * jacobian**2
    return DriftErrors(
        forward=SECOND_ORDER * (2.0 * errors.preactivation.max(axis=1) + rounding * change.preactivation.max(axis=1)),
        jacobian=SECOND_ORDER * (2.0 * jacobian + 2.0 * UNIT_ROUNDOFF * math.sqrt(changed) + root),
        kernel=SECOND_ORDER * (kernel + rounding * (2.0 * math.sqrt(total * changed) + changed) + solvers[1]),
    )


def _columns(norms: SignalNorms, which: slice) -> SignalNorms:
    signals = (norms.forward, norms.preactivation, norms.eta_sup, norms.delta)
    return SignalNorms(norms.operator, norms.frobenius, norms.bias, *(signal[:, which] for signal in signals))


def weighted_norm(values: Array, sample_weights: Array) -> float:
    """The nu-norm of one nonnegative number per point; infinite when one of them is."""
    return math.sqrt(float(np.sum(sample_weights * values**2)))


def relative_error(error: Array, value: Array) -> float:
    """The largest error/value, entry by entry; 0/0 counts as 0, and an error on a value of 0 as infinity."""
    nonzero = error > 0.0
    if not np.any(nonzero):
        return 0.0
    if np.any(value[nonzero] == 0.0):
        return math.inf
    return float(np.max(error[nonzero] / value[nonzero]))
