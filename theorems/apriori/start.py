"""Signals at initialization, bounded for every input: with probability at least 1 - delta over the weights, in terms of |x|.

Everything below holds on the events of ``theorems.apriori.budget``, for all points x_i at once; t_e is the event e's number.

Forward. Given h_{l-1}, z_l(x_i)/p_l(x_i) is standard normal in R^{m_l}, p_l^2 = c_l^2|h_{l-1}|^2 + sigma_b^2, and its norm is
1-Lipschitz with mean at most sqrt(m_l). Hence |z_l| <= p_l (sqrt(m_l) + t_signals) and |h_l| <= sqrt(m_l)|phi(0)| + Lp |z_l|:
of degree 1 in |x|. (The operator norm of W_l would cost a factor of about 2 a layer here.) Unit by unit, |h_{l,j}| <= |phi(0)|
+ Lp t_units p_l.

Backward. |W_l| <= w_l (Davidson and Szarek; for k = 1 and l = L, a vector's norm; +-1 entries: sqrt(k m_{L-1})), so |delta_l| <=
Delta_l := Lp c_{l+1} w_{l+1} Delta_{l+1}, Delta_L = 1: constants. W_1 enters nowhere.

Sup-norms, by leave-one-out. Let e_l bound the largest column norm of the k x m_l Jacobian eta_l (|eta_l|_inf for k = 1). First
e_{L-1} = c_L times the largest column of W_L: sqrt(k) for +-1. For l < L-1 the column of eta_l of unit j is c_{l+1}
delta_{l+1}^T w, w = W_{l+1} e_j. Put z' = z_{l+1} - c_{l+1} w h_{l,j} in place of z_{l+1}, all weights above unchanged, and
write delta' = delta^(j) for the signal that results: it depends on the columns of W_{l+1} other than j and on the layers above
(h_l does not depend on W_{l+1}), so it is independent of w.

    (1) Given delta', delta'^T w is normal in R^k with covariance delta'^T delta': its norm is at most |delta'|(sqrt(k) + t), and
        |delta'| t for k = 1, with t = t_leave_one_out; |delta'| <= Delta_{l+1}, a bound in which only norms of weights enter.
    (2) |(delta - delta')^T w| <= |w||delta - delta'|, |w| <= omega_{l+1} := sqrt(m_{l+1}) + t_columns, and |z - z'| <= r(x) :=
        c_{l+1} omega_{l+1} (|phi(0)| + Lp t_units p_l(x)), because |z - z'| = c_{l+1}|w||h_{l,j}|.
    (3) With d_{l+1} = r, d_{i+1} = c_{i+1} w_{i+1} Lp d_i the signals differ by |z_i - z'_i| <= d_i, and delta_i - delta'_i =
        phi'(z'_i)(eta_i - eta'_i) + (phi'(z_i) - phi'(z'_i)) eta_i is at most Lp |eta_i - eta'_i| + Lpp d_i e_i, as
        |eta diag(a)| <= |a| max_j |eta e_j|. Going up, |eta_i - eta'_i| <= c_{i+1} w_{i+1} |delta_{i+1} - delta'_{i+1}|, and 0
        for i = L-1. So |delta_i - delta'_i| <= d_i nu_i with nu_{L-1} = Lpp e_{L-1}, nu_i = Lpp e_i + (Lp c_{i+1} w_{i+1})^2
        nu_{i+1}. Only sup-norms at the true signals above l enter: the recursion closes.

    e_l = c_{l+1} (sqrt(k) + t) Delta_{l+1} + (c_{l+1} omega_{l+1})^2 (|phi(0)| + Lp t_units p_l) nu_{l+1}, of degree L-1-l in |x|

(t alone for k = 1; (2) at i = l+1 reads |delta - delta'| <= r nu_{l+1}).
The union is over units and points, so e_l, unlike an expectation, holds at every point.

Source: docs/theory.md, F; Davidson and Szarek (2001), Local operator theory, random matrices and Banach spaces, Theorem II.13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from theorems.apriori.blueprint import Blueprint
from theorems.apriori.budget import Tails
from theorems.apriori.polynomial import Signal, constant_like, root_of_squares
from theorems.arithmetic import Arithmetic

Naming = Callable[[str, Any], Any]
"""Called with a name and a signal or number just computed; returns what the recursion goes on with."""


def unnamed(name: str, value: Any) -> Any:
    """Names nothing."""
    return value


@dataclass(frozen=True)
class StartBounds:
    """What holds at theta0; entry l - 1 of a tuple belongs to layer l.

    plan: the network's scales as numbers of the arithmetic. fan_in_scales: c_l. gains: c_l w_l >= c_l |W_l|; None for l = 1,
    which is never used. signals: h_0, ..., h_{L-1}, bounds of |h_l|. squares: p_l^2. preactivations: p_l. backward_sup:
    e_1..e_{L-1}. backward_norms: Delta_1..Delta_L, numbers.
    """

    plan: Scales
    fan_in_scales: tuple[Any, ...]
    gains: tuple[Any, ...]
    signals: tuple[Signal, ...]
    squares: tuple[Signal, ...]
    preactivations: tuple[Signal, ...]
    backward_sup: tuple[Signal, ...]
    backward_norms: tuple[Any, ...]

    @property
    def layers(self) -> int:
        """The number L of layers."""
        return len(self.fan_in_scales)


@dataclass(frozen=True)
class Scales:
    """A blueprint's numbers in one arithmetic: sigma_b, alpha, Lp, Lpp, |phi(0)|, and which layers move."""

    bias_scale: Any
    output_scale: Any
    slope: Any
    curvature: Any
    at_zero: Any
    trained: tuple[bool, ...]


def scales_of(plan: Blueprint, arithmetic: Arithmetic) -> Scales:
    """The numbers of a blueprint in this arithmetic."""
    return Scales(
        bias_scale=arithmetic.numbers(plan.bias_scale),
        output_scale=arithmetic.numbers(plan.output_scale),
        slope=arithmetic.numbers(plan.slope),
        curvature=arithmetic.numbers(plan.curvature),
        at_zero=arithmetic.numbers(plan.at_zero),
        trained=plan.trained,
    )


def start_bounds(plan: Blueprint, tails: Tails, inputs: Signal, arithmetic: Arithmetic, named: Naming = unnamed) -> StartBounds:
    """Evaluate the bounds of this module.

    Arguments: ``tails``, the numbers t_e, from a budget or from anywhere else: the bounds hold wherever the events hold with these
    numbers. ``inputs``, Polynomial((0, 1)) for bounds that are polynomials in X = |x|, or an array of the norms |x_i|.
    """
    with arithmetic.context():
        scales = scales_of(plan, arithmetic)
        c = _fan_in_scales(plan, arithmetic, named)
        gains = _gains(plan, tails, c, arithmetic, named)
        signals, squares, preactivations = _forward(plan, tails, scales, c, inputs, arithmetic, named)
        norms = _backward_norms(scales, gains, arithmetic, named)
        sup = _backward_sup(plan, tails, scales, c, gains, preactivations, norms, arithmetic, named)
        return StartBounds(scales, c, gains, signals, squares, preactivations, sup, norms)


def _fan_in_scales(plan: Blueprint, arithmetic: Arithmetic, named: Naming) -> tuple[Any, ...]:
    sigma = arithmetic.numbers(plan.weight_scale)
    roots = [arithmetic.sqrt(arithmetic.numbers(size)) for size in plan.sizes[:-1]]
    return tuple(named(f"c_{layer}", sigma / root) for layer, root in enumerate(roots, 1))


def _gains(plan: Blueprint, tails: Tails, c: tuple[Any, ...], arithmetic: Arithmetic, named: Naming) -> tuple[Any, ...]:
    found: list[Any] = [None]
    for index in range(1, plan.layers):
        rows, columns = (arithmetic.sqrt(arithmetic.numbers(plan.sizes[i])) for i in (index + 1, index))
        if index == plan.layers - 1 and not plan.gaussian_output:
            norm = rows * columns
        else:
            tail = named("t_operator_norms", tails.tail("operator_norms", arithmetic))
            # A hidden layer of one unit is treated as any other: its bound must fall where the layer grows (``threshold``).
            vector = index == plan.layers - 1 and plan.outputs == 1
            norm = columns + tail if vector else rows + columns + tail
        found.append(named(f"g_{index + 1}", c[index] * norm))
    return tuple(found)


def _forward(
    plan: Blueprint,
    tails: Tails,
    scales: Scales,
    c: tuple[Any, ...],
    inputs: Signal,
    arithmetic: Arithmetic,
    named: Naming,
) -> tuple[tuple[Signal, ...], tuple[Signal, ...], tuple[Signal, ...]]:
    signals, squares, preactivations = [inputs], [], []
    tail = named("t_signals", tails.tail("signals", arithmetic))
    bias = constant_like(inputs, scales.bias_scale)
    for index in range(plan.layers):
        scaled = signals[-1] * c[index]
        squares.append(scaled * scaled + bias * bias if plan.has_bias else scaled * scaled)
        p = root_of_squares(scaled, bias, arithmetic) if plan.has_bias else scaled
        preactivations.append(named(f"p_{index + 1}", p))
        if index < plan.layers - 1:
            root = arithmetic.sqrt(arithmetic.numbers(plan.sizes[index + 1]))
            grown = preactivations[-1] * (scales.slope * (root + tail))
            offset = constant_like(inputs, root * scales.at_zero)
            signals.append(named(f"h_{index + 1}", grown + offset if plan.at_zero != 0 else grown))
    return tuple(signals), tuple(squares), tuple(preactivations)


def _backward_norms(scales: Scales, gains: tuple[Any, ...], arithmetic: Arithmetic, named: Naming) -> tuple[Any, ...]:
    norms = [arithmetic.numbers(1)]
    for index in range(len(gains) - 1, 0, -1):
        norms.insert(0, named(f"Delta_{index}", scales.slope * gains[index] * norms[0]))
    return tuple(norms)


def _backward_sup(
    plan: Blueprint,
    tails: Tails,
    scales: Scales,
    c: tuple[Any, ...],
    gains: tuple[Any, ...],
    preactivations: tuple[Signal, ...],
    norms: tuple[Any, ...],
    arithmetic: Arithmetic,
    named: Naming,
) -> tuple[Signal, ...]:
    layers = plan.layers
    inputs = preactivations[0]
    root_k = arithmetic.sqrt(arithmetic.numbers(plan.outputs))
    if plan.gaussian_output:
        tail = named("t_output_weights", tails.tail("output_weights", arithmetic))
        column = tail if plan.outputs == 1 else root_k + tail
    else:
        column = root_k
    found: list[Signal] = [None] * (layers - 1)
    found[-1] = named(f"e_{layers - 1}", constant_like(inputs, c[-1] * column))
    if layers == 2:
        return tuple(found)
    tail, units, longest = (named(f"t_{event}", tails.tail(event, arithmetic)) for event in ("leave_one_out", "units", "columns"))
    spread = tail if plan.outputs == 1 else root_k + tail
    turned = found[-1] * scales.curvature  # nu_{L-1}
    for index in range(layers - 3, -1, -1):  # index = l - 1; position index + 1 is layer l + 1
        omega = named(f"omega_{index + 2}", arithmetic.sqrt(arithmetic.numbers(plan.sizes[index + 2])) + longest)
        unit = preactivations[index] * (scales.slope * units)
        unit = unit + constant_like(inputs, scales.at_zero) if plan.at_zero != 0 else unit
        straight = constant_like(inputs, c[index + 1] * spread * norms[index + 1])
        reach = c[index + 1] * omega
        found[index] = named(f"e_{index + 1}", straight + unit * turned * (reach * reach))
        step = scales.slope * gains[index + 1]
        turned = named(f"nu_{index + 1}", found[index] * scales.curvature + turned * (step * step))
    return tuple(found)
