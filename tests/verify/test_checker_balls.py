"""What the checker computes with: definite matrices, suprema of derivatives, expressions; against mpmath and SymPy."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from hypothesis import given
from hypothesis import strategies as st

from tests.verify import forge
from theorems.activations import ACTIVATIONS, activation
from verify import certificate_expression, checker_balls


@given(st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([-1e-6, -1e-12, 1e-12, 1e-6, 0.5]))
def test_definite_matrices(size: int, seed: int, margin: float) -> None:
    """A A^T - (1 - margin) lambda_min I is definite exactly when margin > 0; lambda_min from mpmath."""
    matrix = np.random.default_rng(seed).standard_normal((size, size + 3))
    exact = mpmath.matrix(matrix.tolist())
    smallest = min(mpmath.mp.eigsy(exact * exact.T, eigvals_only=True))
    shift = checker_balls.ball(forge.rational(smallest) * (1 - Fraction(margin)))
    factor = arb_mat(matrix.tolist())
    before = ctx.prec
    try:
        ctx.prec = 128
        shifted = checker_balls.shifted(factor * factor.transpose(), -shift)
        assert checker_balls.semidefinite(shifted, strictly=True) is (margin > 0)
        assert checker_balls.semidefinite(shifted) is (margin > 0)
    finally:
        ctx.prec = before


def test_semidefinite_matrices_at_the_edge() -> None:
    assert checker_balls.semidefinite(arb_mat([[0, 0], [0, 0]]))
    assert not checker_balls.semidefinite(arb_mat([[0, 0], [0, 0]]), strictly=True)
    assert checker_balls.semidefinite(arb_mat([[1, 1], [1, 1]]))
    assert not checker_balls.semidefinite(arb_mat([[1, 1], [1, 1]]), strictly=True)
    assert not checker_balls.semidefinite(arb_mat([[0, 1], [1, 0]]))
    assert not checker_balls.semidefinite(arb_mat([[arb.nan()]]))
    assert not checker_balls.semidefinite(arb_mat([[1, arb.nan()], [arb.nan(), 1]]))
    assert not checker_balls.semidefinite(arb_mat([[arb(0).union(arb(1))]]), strictly=True)


@pytest.mark.parametrize("name", forge.PHI)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("reach", [0.1, 1.0, 7.0, 400.0])
def test_suprema_are_decided_closely(name: str, order: int, reach: float) -> None:
    """A bound 1e-7 above the sampled supremum is proved, one 1e-7 below refuted."""
    phi = checker_balls.function(certificate_expression.parse_activation(name))
    supremum = forge.rational(forge.sampled_supremum(forge.PHI[name][order], reach))
    assert checker_balls.derivative_at_most(phi, order, supremum * (1 + Fraction(1, 10**7)), arb(reach))[0]
    if supremum > 0:
        assert not checker_balls.derivative_at_most(phi, order, supremum * (1 - Fraction(1, 10**7)), arb(reach))[0]
    assert not checker_balls.derivative_at_most(phi, order, Fraction(-1), arb(reach))[0]


EXPRESSIONS = (
    "-s**2 + 2*s",
    "-s^2^1",
    "s**-2 + .5e1",
    "2**3*s/4/2",
    "(1 + s**2)**(3/2) - s**(1/2)",
    "tanh(s) - sinh(s)/cosh(s) + atan(s)*pi",
    "softplus(s) + sigmoid(-s) + erf(s) + log(s) + exp(-s)*sin(s)*cos(s)",
    "1 - 2 - 3*s - -s",
    "+s*1.25e-3",
    "01*s + 007.5e-010 + 1e+040*s*00e5",
    "s**sqrt(4) + 10**-1^(1/2)*s + s**((9/4)**(1/2))",
    "1 - s + 2*s - 3*s/4*s/5 - 6 + s*7*-s - (s - 8 - s) - 9",
)


@pytest.mark.parametrize("text", [*EXPRESSIONS, *certificate_expression.ACTIVATIONS])
@pytest.mark.parametrize("at", ["0.3", "1.7"])
def test_expressions_mean_what_the_grammar_says(text: str, at: str) -> None:
    """Value and two derivatives against the theorem side's own parser and SymPy."""
    record = activation(text) if text in ACTIVATIONS else None
    from theorems.grammar import S, parse_expression

    expression = record.expression if record is not None else parse_expression(text)
    phi = checker_balls.function(certificate_expression.parse_activation(text))
    for order, value in enumerate(checker_balls.derivatives(phi, arb(float(at)), 2)):
        wanted = expression.diff(S, order).evalf(30, subs={S: float(at)}) if order else expression.evalf(30, subs={S: float(at)})
        assert abs(value - arb(str(wanted))) < 1e-12 * (1 + abs(arb(str(wanted))))
