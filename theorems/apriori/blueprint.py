"""What is known of a network before any weight is drawn: sizes, scales, which layers move, and three numbers about phi.

z_l = c_l W_l h_{l-1} + sigma_b b_l, c_l = sigma_w/sqrt(m_{l-1}), h_l = phi(z_l) (l < L), f = alpha z_L, h_0 = x. Entries of
W_1, ..., W_{L-1} and of the biases are independent and standard normal, those of W_L standard normal or +-1 with equal chances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from theorems.errors import InputError
from theorems.exact import exactly


@dataclass(frozen=True)
class Blueprint:
    """A network and a number of points, in exact numbers or SymPy expressions.

    sizes: m_0 = d, m_1, ..., m_L = k. weight_scale, bias_scale, output_scale: sigma_w, sigma_b, alpha. trained: for each layer 1..L
    whether it moves. gaussian_output: whether W_L is standard normal; otherwise +-1. slope, curvature: bounds of sup|phi'| and
    sup|phi''|. at_zero: |phi(0)|. points: n.
    """

    sizes: tuple[Any, ...]
    weight_scale: Any
    bias_scale: Any
    output_scale: Any
    trained: tuple[bool, ...]
    gaussian_output: bool
    slope: Any
    curvature: Any
    at_zero: Any
    points: Any

    @property
    def layers(self) -> int:
        """The number L of layers."""
        return len(self.trained)

    @property
    def hidden(self) -> tuple[Any, ...]:
        """The widths m_1, ..., m_{L-1} of the hidden layers."""
        return self.sizes[1:-1]

    @property
    def outputs(self) -> Any:
        """The number k of outputs."""
        return self.sizes[-1]

    @property
    def has_bias(self) -> bool:
        """Whether there are biases."""
        return bool(self.bias_scale != 0)


def blueprint(
    sizes: Sequence[Any],
    *,
    slope: Any,
    curvature: Any,
    at_zero: Any = 0,
    points: Any,
    weight_scale: Any = 1,
    bias_scale: Any = 0,
    output_scale: Any = 1,
    trained: Sequence[bool] | None = None,
    output_layer: str = "signs",
) -> Blueprint:
    """Return a checked blueprint.

    Arguments: ``sizes``, (d, m_1, ..., m_{L-1}, k) with L >= 2, and ``points``, n: positive integers, or symbols declared
    positive (hidden widths, d and n; k is a number). ``slope``, ``curvature``, bounds of sup|phi'| > 0 and sup|phi''| >= 0;
    ``at_zero``, a bound of |phi(0)|; the scales: exact numbers, or symbols declared positive. ``trained``, one boolean a layer,
    all True by default. ``output_layer``, "signs" or "gaussian".

    Raises InputError naming the argument.
    """
    counts = tuple(_count(f"sizes[{i}]", size) for i, size in enumerate(sizes))
    if len(counts) < 3:
        raise InputError(f"sizes must be d, at least one hidden width, and k, got {tuple(sizes)!r}")
    if isinstance(counts[-1], sympy.Expr):
        raise InputError(f"the number k of outputs must be a number, got {counts[-1]}")
    moves = (True,) * (len(counts) - 1) if trained is None else tuple(trained)
    if len(moves) != len(counts) - 1 or not all(isinstance(x, bool) for x in moves) or not any(moves):
        raise InputError(f"trained must name {len(counts) - 1} layers, at least one of them True, got {trained!r}")
    if output_layer not in ("signs", "gaussian"):
        raise InputError(f'output_layer must be "signs" or "gaussian", got {output_layer!r}')
    return Blueprint(
        sizes=counts,
        weight_scale=_scale("weight_scale", weight_scale, positive=True),
        bias_scale=_scale("bias_scale", bias_scale),
        output_scale=_scale("output_scale", output_scale, positive=True),
        trained=moves,
        gaussian_output=output_layer == "gaussian",
        slope=_scale("slope", slope, positive=True),
        curvature=_scale("curvature", curvature),
        at_zero=_scale("at_zero", at_zero),
        points=_count("points", points),
    )


def _count(name: str, value: Any) -> Any:
    if isinstance(value, sympy.Expr) and not value.is_Integer:
        if value.is_positive and not value.is_number:
            return value
        raise InputError(f"{name} must be a positive integer or a symbol declared positive, got {value}")
    exact = exactly(value)
    if exact.denominator != 1 or exact < 1:
        raise InputError(f"{name} must be a positive integer, got {value!r}")
    return int(exact)


def _scale(name: str, value: Any, positive: bool = False) -> Any:
    wanted = "positive" if positive else "nonnegative"
    if isinstance(value, sympy.Expr) and not value.is_Rational:
        if value.is_positive:
            return value
        raise InputError(f"{name} must be a {wanted} number or an expression known to be positive, got {value}")
    exact: Fraction = exactly(value)
    if exact < 0 or (positive and exact == 0):
        raise InputError(f"{name} must be {wanted}, got {value!r}")
    return exact
