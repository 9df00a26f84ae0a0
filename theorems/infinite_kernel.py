"""Kernels of infinitely wide networks at any depth: NNGP and NTK, in balls and in doubles.

z_l = c_l W_l h_{l-1} + sigma_b b_l, c_l = sigma_w/sqrt(m_{l-1}), h_l = phi(z_l), f = alpha z_L, independent entries of mean 0 and
variance 1 (a last layer of +-1 has the same second moments). As the hidden widths tend to infinity one after the other, z_l becomes
Gaussian with covariance Sigma_l (times the identity of the neurons) and the tangent kernel becomes alpha^2 Theta_L:

    Sigma_1 = sigma_w^2 x.x'/d + sigma_b^2,      Sigma_{l+1} = sigma_w^2 E phi(u) phi(v) + sigma_b^2,
    Theta_1 = 1[1 in T] Sigma_1,                 Theta_{l+1} = sigma_w^2 E phi'(u) phi'(v) Theta_l + 1[l+1 in T] Sigma_{l+1},

(u, v) centered Gaussian with covariance Sigma_l at x, x'; training a layer moves its weights and its biases. With several outputs
the kernel is this times the identity of the outputs.

Points that are equal, or opposite where phi is odd or even and there are no biases, are computed once, so that what must be equal
is equal to the last bit. det Sigma_1 = sigma_w^4/d^2 (|x|^2|x'|^2 - (x.x')^2) + sigma_b^2 sigma_w^2/d |x - x'|^2 is exact.

Sources: Neal (1996); Cho and Saul (2009); Lee et al. (2018), Deep neural networks as Gaussian processes; Jacot, Gabriel and Hongler
(2018), Neural tangent kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np

from theorems.arithmetic import BALL, FLOAT, Arithmetic, BallArithmetic, FloatArithmetic
from theorems.dual import Covariance, DualActivation, dual_activation
from theorems.errors import InputError
from theorems.exact import exactly
from theorems.input_gram import InputGram, as_numbers, gram_of, is_zero

# Doubles lose what balls keep where a kernel depends on sqrt(det) and det cancels: such pairs are computed in balls.
COLLINEAR = 2.0**-20
# Where a kernel is rough, an error of det becomes one of sqrt(det), larger by (det/ab)^{-1/2}, at every layer: so many bits more.
MOST_EXTRA_BITS = 1 << 13


class Normalization(Enum):
    """Whether a kernel carries the weights of the points."""

    SUM = "the kernel itself, K(x_i, x_j), as the literature tabulates it"
    MEAN = "sqrt(nu_i nu_j) K(x_i, x_j), nu_i = 1/n unless weights are given: the kernel that drives gradient descent on a mean"


@dataclass(frozen=True)
class WideNetwork:
    """A network with hidden widths tending to infinity: phi, L - 1 hidden layers, sigma_w, sigma_b, alpha, trained layers of
    1..L."""

    activation: DualActivation
    hidden_layers: int
    weight_scale: Fraction
    bias_scale: Fraction
    output_scale: Fraction
    trained: tuple[bool, ...]


@dataclass(frozen=True)
class LimitKernels:
    """nngp: (n, n), the covariance of f at the start; ntk: (n, n), the tangent kernel. Either with the weights of
    ``normalization``."""

    nngp: Any
    ntk: Any
    normalization: Normalization


def wide_network(
    activation: str | DualActivation,
    hidden_layers: int,
    *,
    weight_scale: Any = 1,
    bias_scale: Any = 0,
    output_scale: Any = 1,
    trained: Sequence[bool] | None = None,
) -> WideNetwork:
    """A wide network from its description; scales are exact numbers, ``trained`` one boolean for each of hidden_layers + 1 layers.

    Raises InputError for what is out of range.
    """
    if isinstance(hidden_layers, bool) or not isinstance(hidden_layers, int) or hidden_layers < 1:
        raise InputError(f"hidden_layers must be a positive integer, got {hidden_layers!r} ({type(hidden_layers).__name__})")
    scales = {"weight_scale": weight_scale, "bias_scale": bias_scale, "output_scale": output_scale}
    w, b, alpha = (exactly(x) for x in scales.values())
    for name, value, least in zip(scales, (w, b, alpha), ("positive", "nonnegative", "positive"), strict=True):
        if value < 0 or (value == 0 and least == "positive"):
            raise InputError(f"{name} must be {least}, got {scales[name]!r}")
    moves = (True,) * (hidden_layers + 1) if trained is None else tuple(trained)
    # Booleans only: a list of the numbers of trained layers would otherwise be read as "all".
    if len(moves) != hidden_layers + 1 or not any(moves) or not all(isinstance(x, bool) for x in moves):
        raise InputError(f"trained must be {hidden_layers + 1} booleans, one for each layer and one of them true, got {trained!r}")
    phi = activation if isinstance(activation, DualActivation) else dual_activation(activation)
    return WideNetwork(phi, hidden_layers, w, b, alpha, moves)


def limit_kernels(
    network: WideNetwork,
    inputs: Any,
    arithmetic: Arithmetic = BALL,
    *,
    normalization: Normalization = Normalization.SUM,
    sample_weights: Sequence[Any] | None = None,
) -> LimitKernels:
    """The NNGP and NTK of ``network`` on ``inputs``: enclosures over balls, estimates over doubles.

    Arguments: ``inputs``, an InputGram or exact numbers of shape (n, d), points as rows; ``arithmetic``, BALL, a BallArithmetic of
    another precision, or FLOAT; ``sample_weights``, n positive exact numbers, for MEAN.

    Raises InputError for inputs that are not finite or of the wrong shape, weights of the wrong number or sign, and an activation
    that cannot be enclosed.
    """
    gram = inputs if isinstance(inputs, InputGram) else gram_of(inputs)
    factors = _sample_factors(gram.points, normalization, sample_weights, arithmetic)
    place, sign, chosen = _representatives(network, gram)
    sigma, theta = _recursion(network, gram, chosen, arithmetic)
    with arithmetic.context():
        spread = np.outer(sign, sign)
        kernels = []
        for kernel in (sigma, theta):
            whole = kernel[np.ix_(place, place)] * spread
            kernels.append(whole if factors is None else whole * np.outer(factors, factors))
    return LimitKernels(kernels[0], kernels[1], normalization)


def _sample_factors(points: int, normalization: Normalization, weights: Sequence[Any] | None, arithmetic: Arithmetic) -> Any:
    if normalization is Normalization.SUM:
        if weights is not None:
            raise InputError("sample_weights are for Normalization.MEAN, got them with Normalization.SUM")
        return None
    nu = [Fraction(1, points)] * points if weights is None else [exactly(x) for x in weights]
    if len(nu) != points or min(nu) <= 0:
        raise InputError(f"sample_weights must be {points} positive numbers, got {weights!r}")
    return arithmetic.sqrt(as_numbers(np.array(nu, dtype=object), arithmetic))


def _representatives(network: WideNetwork, gram: InputGram) -> tuple[list[int], list[int], list[int]]:
    """For each point the number of its representative and the sign it carries; and the representatives' indices.

    Equal points share one; so do opposite ones without biases: f(-x) = -f(x) for odd phi, f(-x) = f(x) for even phi.
    """
    parity = network.activation.parity if network.bias_scale == 0 else 0
    place: list[int] = []
    sign: list[int] = []
    chosen: list[int] = []
    by_norm: dict[Any, list[int]] = {}
    for i in range(gram.points):
        norm = gram.inner[i, i]
        candidates = by_norm.setdefault(norm if isinstance(norm, Fraction) else None, [])
        for number in candidates:
            j = chosen[number]
            if is_zero(gram.distance[i, j]):
                place.append(number)
                sign.append(1)
                break
            if parity and is_zero(gram.inner[i, i] + gram.inner[j, j] + 2 * gram.inner[i, j]):
                place.append(number)
                sign.append(parity)
                break
        else:
            candidates.append(len(chosen))
            place.append(len(chosen))
            sign.append(1)
            chosen.append(i)
    return place, sign, chosen


@dataclass
class _Layer:
    """Sigma_l and Theta_l: on the diagonal, and on the pairs above it with det Sigma_l."""

    variance: Any
    covariance: Any
    det: Any
    theta_diagonal: Any
    theta: Any


def _recursion(network: WideNetwork, gram: InputGram, chosen: list[int], arithmetic: Arithmetic) -> tuple[Any, Any]:
    """alpha^2 Sigma_L and alpha^2 Theta_L on the chosen points, full symmetric arrays."""
    rows, columns = np.triu_indices(len(chosen), 1)
    inner = _refined(network, gram, np.array(chosen), (rows, columns), arithmetic)
    with inner.context():
        layer, rough = _layers(network, gram, np.array(chosen), (rows, columns), inner)
        factor = inner.constant(network.output_scale**2)
        sigma = _symmetric(factor * layer.variance, factor * layer.covariance, rows, columns)
        theta = _symmetric(factor * layer.theta_diagonal, factor * layer.theta, rows, columns)
    if inner is not arithmetic:
        with arithmetic.context():
            sigma, theta = +sigma, +theta  # rounded
    if rough is not None and rough.any():
        _mend(network, gram, chosen, (rows[rough], columns[rough]), sigma, theta)
    return sigma, theta


def _refined(network: WideNetwork, gram: InputGram, chosen: Any, places: tuple[Any, Any], arithmetic: Arithmetic) -> Arithmetic:
    """Balls with as many more bits as nearly collinear pairs will cost; everything else as it stands."""
    if not (isinstance(arithmetic, BallArithmetic) and network.activation.rough and len(places[0]) and network.hidden_layers > 1):
        return arithmetic
    variance, _, det = _first_covariance(network, gram, chosen, places, FLOAT)
    product = variance[places[0]] * variance[places[1]]
    with FLOAT.context():
        near = det / product
    near = near[near > 0]  # neither exactly collinear nor beyond the range of doubles
    cost = 8 + max(0.0, -math.log2(near.min())) / 2 if len(near) else 8.0
    return BallArithmetic(arithmetic.bits + min(MOST_EXTRA_BITS, math.ceil((network.hidden_layers - 1) * cost)))


def _first_covariance(
    network: WideNetwork, gram: InputGram, chosen: Any, places: tuple[Any, Any], arithmetic: Arithmetic
) -> tuple[Any, Any, Any]:
    """Sigma_1 on the diagonal, on the pairs, and its det, all from exact numbers."""
    pairs = (chosen[places[0]], chosen[places[1]])
    b2, unit = network.bias_scale**2, network.weight_scale**2 / gram.dimension
    scale, shift = arithmetic.constant(unit), arithmetic.constant(b2)
    with arithmetic.context():
        variance = scale * as_numbers(gram.inner[chosen, chosen], arithmetic) + shift
        covariance = scale * as_numbers(gram.inner[pairs], arithmetic) + shift
        area, distance = as_numbers(gram.area[pairs], arithmetic), as_numbers(gram.distance[pairs], arithmetic)
        return variance, covariance, arithmetic.constant(unit**2) * area + arithmetic.constant(b2 * unit) * distance


def _layers(
    network: WideNetwork, gram: InputGram, chosen: Any, places: tuple[Any, Any], arithmetic: Arithmetic
) -> tuple[_Layer, Any]:
    """The last layer, and in doubles the mask of pairs that came so close to collinear that digits were lost."""
    phi, (rows, columns) = network.activation, places
    variance, covariance, det = _first_covariance(network, gram, chosen, places, arithmetic)
    pairs = (chosen[rows], chosen[columns])
    # Multiples stay multiples through a homogeneous phi, negative ones if it is odd or even: det is then exactly 0 at every layer.
    tied = np.array(
        [is_zero(a) and bool(c > 0 or (c < 0 and phi.parity)) for a, c in zip(gram.area[pairs], gram.inner[pairs], strict=True)],
        dtype=bool,
    )
    tied &= network.bias_scale == 0 and phi.homogeneity is not None
    # A point at zero stays there where phi(0) = 0, exactly.
    dead = np.array(
        [network.bias_scale == 0 and phi.vanishes_at_zero and is_zero(x) for x in gram.inner[chosen, chosen]], dtype=bool
    )
    first = arithmetic.constant(Fraction(int(network.trained[0])))
    layer = _Layer(variance, covariance, det, first * variance, first * covariance)
    rough = np.zeros(len(rows), dtype=bool) if isinstance(arithmetic, FloatArithmetic) else None
    zero = arithmetic.constant(Fraction(0))
    scale, shift = arithmetic.constant(network.weight_scale**2), arithmetic.constant(network.bias_scale**2)
    for index in range(network.hidden_layers):
        a, b = layer.variance[rows], layer.variance[columns]
        if rough is not None and phi.rough and index > 0:
            rough |= (layer.det <= COLLINEAR * a * b) & ~tied
        diagonal = Covariance(layer.variance, layer.variance, layer.variance, zero * layer.variance, same=True)
        crossed = Covariance(a, b, layer.covariance, layer.det)
        moves = arithmetic.constant(Fraction(int(network.trained[index + 1])))
        variance = scale * phi.value(diagonal, arithmetic) + shift
        covariance = scale * phi.value(crossed, arithmetic) + shift
        variance[dead] = zero
        covariance[dead[rows] | dead[columns]] = zero
        theta_diagonal, theta = moves * variance, moves * covariance
        if any(network.trained[: index + 1]):
            theta_diagonal = theta_diagonal + scale * phi.slope(diagonal, arithmetic) * layer.theta_diagonal
            theta = theta + scale * phi.slope(crossed, arithmetic) * layer.theta
        det = variance[rows] * variance[columns] - covariance * covariance
        det[tied] = zero
        layer = _Layer(variance, covariance, det, theta_diagonal, theta)
    return layer, rough


def _mend(network: WideNetwork, gram: InputGram, chosen: list[int], places: tuple[Any, Any], sigma: Any, theta: Any) -> None:
    """Put the midpoints of balls into the entries of nearly collinear pairs."""
    used = sorted({int(i) for i in (*places[0], *places[1])})
    where = {number: k for k, number in enumerate(used)}
    local = tuple(np.array([where[int(i)] for i in part]) for part in places)
    indices = np.array(chosen)[used]
    arithmetic = _refined(network, gram, indices, (local[0], local[1]), BALL)
    with arithmetic.context():
        layer, _ = _layers(network, gram, indices, (local[0], local[1]), arithmetic)
        factor = arithmetic.constant(network.output_scale**2)
        for target, values in ((sigma, factor * layer.covariance), (theta, factor * layer.theta)):
            numbers = as_numbers(values, FLOAT)
            target[places] = numbers
            target[places[1], places[0]] = numbers


def _symmetric(diagonal: Any, above: Any, rows: Any, columns: Any) -> Any:
    size = len(diagonal)
    matrix = np.empty((size, size), dtype=diagonal.dtype)
    matrix[rows, columns] = above
    matrix[columns, rows] = above
    matrix[np.arange(size), np.arange(size)] = diagonal
    return matrix
