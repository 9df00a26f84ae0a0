"""Constants of the network on a ball B(R) about theta0: the recursion E1-E4, written once for every arithmetic.

The network is z_l = c_l W_l h_{l-1} + sigma_b b_l, h_l = phi(z_l), f = alpha z_L. A direction in parameter space has a norm
t_l per trained layer, sum t_l^2 = 1; everything is bounded by what one number per layer and point can know. Going up, a
forward drift D_l and a first derivative v_l.t; coming down, a drift B_l of the backward signal eta_l = dz_L/dh_l. The second
derivative of f is then a bilinear form in the t's with nonnegative coefficients M, and beta = alpha lambda_max(M) bounds its
norm: that is the Lipschitz constant of DF in L2(nu).

Quantities at the points x_i are rows of n entries; a quantity with ``_nu`` is measured in L2(nu) and has no rows. The same code
runs over floats, over balls (an enclosure) and over SymPy symbols (the formula itself).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from theorems.arithmetic import Arithmetic


@dataclass(frozen=True)
class SignalsAtPoint:
    """What the recursion needs to know about the network at theta0; numbers, balls or symbols alike.

    fan_in_scales: c_1..c_L. bias_scale: sigma_b. output_scale: alpha. trained: which of the layers 1..L move.
    slope, curvature: bounds of sup|phi'| and sup|phi''|.
    operator_norms: |W_1|..|W_L|. forward_norms: shape (L, n), row l-1 holds |h_{l-1}(x_i)|. gram_norms: p_1^nu..p_L^nu with
    p_l^nu = lambda_max((c_l^2 H H^T + sigma_b^2 1 1^T)/n)^{1/2}. schur: lambda_max((G o G)/n)^{1/2} with G = c_1^2 X X^T +
    sigma_b^2 1 1^T. backward_sup: shape (L-1, n), row l-1 holds |eta_l(x_i)|_inf, for k outputs the largest column norm of the
    k x m_l Jacobian. backward_norms: shape (L, n), row l-1 holds the operator norm of delta_l(x_i); the last row is 1.
    """

    fan_in_scales: tuple[Any, ...]
    bias_scale: Any
    output_scale: Any
    trained: tuple[bool, ...]
    slope: Any
    curvature: Any
    operator_norms: Any
    forward_norms: Any
    gram_norms: Any
    schur: Any
    backward_sup: Any
    backward_norms: Any

    @property
    def layers(self) -> int:
        """The number L of layers."""
        return len(self.trained)


@dataclass(frozen=True)
class CurvatureTerm:
    """Which of the terms that M is the sum of.

    layer: l. order: 1 for c_l Lp max_i N_l(i) (e_l v^nu_{l-1}^T + v^nu_{l-1} e_l^T), where a movement of W_l meets the first
    derivative of h_{l-1}; 2 for (Lpp/2) max_i E_l(i) (v^max_l v^nu_l^T + v^nu_l v^max_l^T), where phi'' at z_l meets two first
    derivatives of z_l.
    """

    layer: int
    order: int

    @property
    def name(self) -> str:
        """In words, as reports print it."""
        if self.order == 1:
            return f"movement of W_{self.layer} against the first derivative of h_{self.layer - 1}"
        return f"phi'' at layer {self.layer} against two first derivatives"


@dataclass(frozen=True)
class BallBounds:
    """What the recursion proves on B(R).

    forward_drift: (L, n), |z_l - z_l^0|(x_i) <= R D_l(x_i); forward_drift_nu: (L,), D_l^nu, the same in L2(nu). backward_drift:
    (L-1, n), |eta_l - eta_l^0| <= B_l. backward_sup: (L-1, n), E_l >= |eta_l|_inf. backward_norms: (L, n), N_l >= |delta_l|.
    curvature_terms: E4's matrices, one for each of ``curvature_terms_of``, |T| x |T|. curvature_matrix: M, their sum. beta: the
    Lipschitz constant of DF on B(R) in L2(nu; R^k).
    """

    forward_drift: Any
    forward_drift_nu: Any
    backward_drift: Any
    backward_sup: Any
    backward_norms: Any
    curvature_terms: Any
    curvature_matrix: Any
    beta: Any


def ball_bounds(signals: SignalsAtPoint, radius: Any, arithmetic: Arithmetic) -> BallBounds:
    """Evaluate E1-E4 on B(radius) about the point where ``signals`` were taken.

    Every bound is nondecreasing in the radius. Source: docs/theory.md, E1-E4 (per-layer triangle inequality, product rule,
    Cauchy-Schwarz; Schur product bound for the first layer).
    """
    with arithmetic.context():
        return _ball_bounds(signals, radius, arithmetic)


def first_derivatives(signals: SignalsAtPoint, radius: Any, arithmetic: Arithmetic) -> Any:
    """E2 on B(radius): v_l^max, |dz_l(x_i)| <= v_l^max . t for every point and the layer norms t of a direction; shape (L, |T|)."""
    with arithmetic.context():
        gains = _gains(signals, radius)
        drift, drift_nu = _forward_drift(signals, gains, arithmetic)
        return _rows(_first_derivative(signals, gains, radius, drift, drift_nu, arithmetic)[0])


def _gains(signals: SignalsAtPoint, radius: Any) -> tuple[Any, ...]:
    """a_1, ..., a_L."""
    return tuple(
        c * (norm + radius) if moves else c * norm
        for c, norm, moves in zip(signals.fan_in_scales, signals.operator_norms, signals.trained, strict=True)
    )


def _ball_bounds(signals: SignalsAtPoint, radius: Any, arithmetic: Arithmetic) -> BallBounds:
    gains = _gains(signals, radius)
    drift, drift_nu = _forward_drift(signals, gains, arithmetic)
    first_max, first_nu = _first_derivative(signals, gains, radius, drift, drift_nu, arithmetic)
    backward = _backward_drift(signals, gains, radius, drift)
    terms = _curvature_terms(signals, first_max, first_nu, backward, arithmetic)
    matrix = _curvature_matrix(signals.trained, terms, arithmetic)
    return BallBounds(
        forward_drift=_rows(drift[1:]),
        forward_drift_nu=_rows(drift_nu[1:]),
        backward_drift=_rows(backward.drift),
        backward_sup=_rows(backward.sup),
        backward_norms=_rows(backward.norms),
        curvature_terms=terms,
        curvature_matrix=matrix,
        beta=signals.output_scale * arithmetic.largest_eigenvalue(matrix),
    )


def _rows(rows: list[Any]) -> Any:
    return np.array(rows)


def _forward_drift(signals: SignalsAtPoint, gains: tuple[Any, ...], arithmetic: Arithmetic) -> tuple[list[Any], list[Any]]:
    """E1: D_0 = 0, D_l^2 = 1[l in T] p_l^2 + (a_l Lp)^2 D_{l-1}^2; pointwise and in L2(nu). Index 0 is the input."""
    zero = arithmetic.constant(Fraction(0))
    rows, rows_nu = [signals.forward_norms[0] * zero], [zero]
    for index in range(signals.layers):
        step = gains[index] * signals.slope
        squared, squared_nu = step**2 * rows[-1] ** 2, step**2 * rows_nu[-1] ** 2
        if signals.trained[index]:
            p_squared = signals.fan_in_scales[index] ** 2 * signals.forward_norms[index] ** 2 + signals.bias_scale**2
            squared, squared_nu = squared + p_squared, squared_nu + signals.gram_norms[index] ** 2
        rows.append(arithmetic.sqrt(squared))
        rows_nu.append(arithmetic.sqrt(squared_nu))
    return rows, rows_nu


def _first_derivative(
    signals: SignalsAtPoint,
    gains: tuple[Any, ...],
    radius: Any,
    drift: list[Any],
    drift_nu: list[Any],
    arithmetic: Arithmetic,
) -> tuple[list[list[Any]], list[list[Any]]]:
    """E2: v_l = (a_l Lp) v_{l-1} + phat_l e_l 1[l in T]; the maximum over points and the nu-version, entry by entry of T."""
    zero = arithmetic.constant(Fraction(0))
    layers_in_t = [index for index in range(signals.layers) if signals.trained[index]]
    pointwise = [signals.forward_norms[0] * zero for _ in layers_in_t]
    nu = [zero for _ in layers_in_t]
    maxima, nus = [], []
    for index in range(signals.layers):
        c, step = signals.fan_in_scales[index], gains[index] * signals.slope
        if index > 0:  # h_0 = x does not depend on theta
            pointwise, nu = [step * entry for entry in pointwise], [step * entry for entry in nu]
        if signals.trained[index]:
            grown = signals.forward_norms[index] + signals.slope * radius * drift[index]
            place = layers_in_t.index(index)
            pointwise[place] = pointwise[place] + arithmetic.sqrt(c**2 * grown**2 + signals.bias_scale**2)
            nu[place] = nu[place] + signals.gram_norms[index] + c * signals.slope * radius * drift_nu[index]
        maxima.append([arithmetic.maximum_over(entry) for entry in pointwise])
        nus.append(list(nu))
    return maxima, nus


@dataclass(frozen=True)
class _Backward:
    drift: list[Any]
    sup: list[Any]
    norms: list[Any]


def _backward_drift(signals: SignalsAtPoint, gains: tuple[Any, ...], radius: Any, drift: list[Any]) -> _Backward:
    """E3: B_l downwards from B_{L-1} = c_L R 1[L in T]; then E_l and N_l. ``drift[l]`` is D_l."""
    layers = signals.layers
    drifts: list[Any] = [None] * max(layers - 1, 0)
    for index in range(layers - 2, -1, -1):  # index = l - 1 for l = L-1, ..., 1
        above = index + 1  # position of layer l + 1
        own = signals.fan_in_scales[above] * radius * signals.backward_norms[above] if signals.trained[above] else 0
        if above == layers - 1:
            # eta_{L-1} = c_L W_L: only W_L's own movement, and delta_L = 1.
            drifts[index] = own + 0 * signals.backward_sup[index]
        else:
            moved = signals.slope * drifts[above] + signals.curvature * radius * drift[above + 1] * signals.backward_sup[above]
            drifts[index] = gains[above] * moved + own
    sup = [signals.backward_sup[index] + drifts[index] for index in range(layers - 1)]
    norms = [
        signals.backward_norms[index]
        + signals.slope * drifts[index]
        + signals.curvature * radius * drift[index + 1] * signals.backward_sup[index]
        for index in range(layers - 1)
    ]
    return _Backward(drifts, sup, [*norms, signals.backward_norms[layers - 1]])


def curvature_terms_of(trained: tuple[bool, ...]) -> tuple[CurvatureTerm, ...]:
    """The terms of E4 that occur: of order 1 where W_l moves and h_{l-1} does, of order 2 where z_l does (l < L)."""
    terms = []
    for index, moves in enumerate(trained):
        if moves and any(trained[:index]):
            terms.append(CurvatureTerm(index + 1, 1))
        if any(trained[: index + 1]) and index < len(trained) - 1:
            terms.append(CurvatureTerm(index + 1, 2))
    return tuple(terms)


def _curvature_terms(
    signals: SignalsAtPoint,
    first_max: list[list[Any]],
    first_nu: list[list[Any]],
    backward: _Backward,
    arithmetic: Arithmetic,
) -> Any:
    """E4: the matrices whose sum M bounds the second derivative as a bilinear form over the trained layers."""
    layers_in_t = [index for index in range(signals.layers) if signals.trained[index]]
    size, matrices = len(layers_in_t), []
    for term in curvature_terms_of(signals.trained):
        index, matrix = term.layer - 1, _zeros(len(layers_in_t), arithmetic)
        matrices.append(matrix)
        if term.order == 1:
            # dW_l meets dh_{l-1}: c_l Lp max N_l (e_l v^T + v e_l^T)
            weight = signals.fan_in_scales[index] * signals.slope * arithmetic.maximum_over(backward.norms[index])
            place = layers_in_t.index(index)
            for other in range(size):
                matrix[place][other] = matrix[place][other] + weight * first_nu[index - 1][other]
                matrix[other][place] = matrix[other][place] + weight * first_nu[index - 1][other]
            continue
        # phi'' meets two first derivatives of z_l: (Lpp/2) max E_l (vmax vnu^T + vnu vmax^T)
        weight = signals.curvature * arithmetic.maximum_over(backward.sup[index]) / 2
        if index == 0:
            # v_1 = p_1 e_1 does not move, and max p_1 p_1^nu may be replaced by the smaller Schur constant:
            # U = sum u_j u_j^T >= 0 of trace t_1^2 has (mean <U, x x^T>^2)^{1/2} <= |U|_F lambda_max((G o G)/n)^{1/2}.
            matrix[0][0] = matrix[0][0] + 2 * weight * signals.schur
            continue
        high, low = first_max[index], first_nu[index]
        for row in range(size):
            for column in range(size):
                matrix[row][column] = matrix[row][column] + weight * (high[row] * low[column] + low[row] * high[column])
    return np.array(matrices)


def _curvature_matrix(trained: tuple[bool, ...], terms: Any, arithmetic: Arithmetic) -> Any:
    """E4: M, the sum of the terms (without any, M = 0)."""
    return sum(terms, np.array(_zeros(sum(trained), arithmetic)))


def _zeros(size: int, arithmetic: Arithmetic) -> list[list[Any]]:
    return [[arithmetic.constant(Fraction(0)) for _ in range(size)] for _ in range(size)]


def shares_of_beta(bounds: BallBounds) -> tuple[float, ...]:
    """The share v^T M_j v / v^T M v of each of ``bounds.curvature_terms`` in beta = alpha lambda_max(M), v a unit eigenvector of M
    to its largest eigenvalue.

    The numerators sum to lambda_max(M), so the shares sum to 1 up to rounding; all are 0 where beta is. They are doubles, also for
    bounds in balls, of which the midpoints are taken: they explain a number and bound nothing.
    """
    values, vectors = np.linalg.eigh(np.array(bounds.curvature_matrix, dtype=np.float64))
    parts = [float(vectors[:, -1] @ np.array(term, dtype=np.float64) @ vectors[:, -1]) for term in bounds.curvature_terms]
    return tuple(part / float(values[-1]) if values[-1] > 0 else 0.0 for part in parts)
