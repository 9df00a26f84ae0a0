"""Empirical even moments of a sample: what n independent points of a law give, with probability at least 1 - delta'.

For points x_1, ..., x_n drawn independently from one law with moments M_{2j} = E|x|^{2j}, write m_{2j} = (1/n) sum_i |x_i|^{2j}.
The a-priori constants of a network with L layers ask for m_2, ..., m_{2L}: L events, each given the share p = delta'/L of the
failure probability. The bounds are exact expressions; whatever the method, with probability at least 1 - delta' all L of them hold.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy

from theorems.errors import InputError, nearest
from theorems.exact import exactly
from theorems.laws import parameters
from theorems.laws.matrices import rational
from theorems.laws.record import MAX_INDEX, Law
from theorems.ledger import Assumed, Identity, ProofStep

INDEPENDENT = "the points are independent and of this law"


@dataclass(frozen=True)
class SampleMomentBound:
    """P(m_{2j} <= bound) >= 1 - failure, one event of the union.

    ``order``, 2j. ``moment``, M_{2j}. ``bound`` and ``failure`` = delta'/L, exact expressions. ``method``, the inequality used.
    ``condition``, what the symbols must satisfy for the moments used to exist. ``hypotheses``, in words.
    """

    order: int
    moment: sympy.Expr
    bound: sympy.Expr
    failure: sympy.Expr
    method: str
    condition: sympy.Basic
    hypotheses: tuple[str, ...]


def markov(law: Law, j: int, n: sympy.Expr, p: sympy.Expr) -> sympy.Expr:
    """Return M_{2j}/p: P(m_{2j} >= t) <= M_{2j}/t for t > 0."""
    return law.even_moment(j) / p


def chebyshev(law: Law, j: int, n: sympy.Expr, p: sympy.Expr) -> sympy.Expr:
    """Return M_{2j} + sqrt(M_{4j}/(n p)): the variance of m_{2j} is (M_{4j} - M_{2j}^2)/n <= M_{4j}/n."""
    return law.even_moment(j) + sympy.sqrt(law.even_moment(2 * j) / (n * p))


def cantelli(law: Law, j: int, n: sympy.Expr, p: sympy.Expr) -> sympy.Expr:
    """Return M_{2j} + sqrt((M_{4j} - M_{2j}^2)(1 - p)/(n p)), never above Chebyshev's.

    P(m_{2j} >= M_{2j} + t) <= v/(v + t^2) with v = (M_{4j} - M_{2j}^2)/n. For a law on a sphere the root is 0.
    """
    mean = law.even_moment(j)
    spread = law.even_moment(2 * j) - mean**2
    return mean + sympy.sqrt((spread if spread.is_Rational else sympy.factor(spread)) * (1 - p) / (n * p))


def least(law: Law, j: int, n: sympy.Expr, p: sympy.Expr) -> sympy.Expr:
    """Return the smaller of Markov's and Cantelli's bounds, Markov's where M_{4j} does not exist for all values of the symbols.

    Both are constants, so the smaller one holds with the same probability.
    """
    if 2 * j > MAX_INDEX or law.condition(2 * j) is not sympy.true:
        return markov(law, j, n, p)
    return sympy.Min(markov(law, j, n, p), cantelli(law, j, n, p))


METHODS: dict[str, Callable[[Law, int, sympy.Expr, sympy.Expr], sympy.Expr]] = {
    method.__name__: method for method in (markov, chebyshev, cantelli, least)
}
_SECOND = ("chebyshev", "cantelli")  # these need M_{4j}

_M, _p, _v, _n = sympy.symbols("M p v n", positive=True)
PROOF = (
    ProofStep("Markov: P(X >= t) <= E X/t for X >= 0 and t > 0", Assumed("A. A. Markov (1884); any course in probability")),
    ProofStep("at t = M/p that is p", Identity(_M / (_M / _p), _p)),
    ProofStep(
        "Cantelli: P(X >= E X + t) <= v/(v + t^2) for a variance v and t > 0; hence also <= v/t^2 (Chebyshev)",
        Assumed("F. P. Cantelli (1928); any course in probability"),
    ),
    ProofStep("at t = sqrt(v (1 - p)/p) that is p", Identity(_v / (_v + sympy.sqrt(_v * (1 - _p) / _p) ** 2), _p)),
    ProofStep("and v/t^2 at t = sqrt(v/p) is p", Identity(_v / sympy.sqrt(_v / _p) ** 2, _p)),
    ProofStep(
        "the variance of a mean of n independent copies is 1/n of one's: M_{4j} - M_{2j}^2 <= M_{4j}",
        Assumed("Bienaymé's identity; any course in probability"),
    ),
    ProofStep("L events of probability at most delta'/L each: all hold with probability 1 - delta'", Assumed("the union bound")),
)


def sample_moment_bounds(
    law: Any, layers: Any, points: Any, failure_probability: Any, method: Any = "markov"
) -> tuple[SampleMomentBound, ...]:
    """Return bounds of m_2, ..., m_{2L} that all hold with probability at least 1 - delta' over the sample.

    Arguments: ``law``, of one point. ``layers``, L, an integer from 1 to 64. ``points``, n, an integer or a symbol.
    ``failure_probability``, delta', an exact number in (0, 1) or a symbol declared positive (then delta' < 1 is a hypothesis).
    ``method``: "markov" (needs M_{2L}), "chebyshev" and the sharper "cantelli" (need M_{4L}), or "least", for each order the
    smaller of Markov's and Cantelli's.

    Raises InputError for anything else, and for a law without a moment that the method needs, naming its order.

    Source: docs/theory.md, section F.
    """
    if not isinstance(law, Law):
        raise InputError(f"law must be a law, got {law!r}")
    if isinstance(layers, bool) or not isinstance(layers, numbers.Integral) or not 1 <= int(layers) <= MAX_INDEX:
        raise InputError(f"layers must be an integer from 1 to {MAX_INDEX}, got {layers!r}")
    n, delta = parameters.whole("points", points), _probability(failure_probability)
    if not isinstance(method, str) or method not in METHODS:
        suggestion = nearest(method, METHODS) if isinstance(method, str) else ""
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}{suggestion}")
    count = int(layers)
    return tuple(_bound(law, j, n, delta / count, method) for j in range(1, count + 1))


def _bound(law: Law, j: int, n: sympy.Expr, p: sympy.Expr, method: str) -> SampleMomentBound:
    moments = f"E|x|^{4 * j} exists" if method in _SECOND else f"E|x|^{2 * j} exists"
    return SampleMomentBound(
        order=2 * j,
        moment=law.even_moment(j),
        bound=METHODS[method](law, j, n, p),
        failure=p,
        method=method,
        condition=law.condition(2 * j if method in _SECOND else j),
        hypotheses=(INDEPENDENT, moments, "0 < delta' < 1"),
    )


def _probability(value: Any) -> sympy.Expr:
    if isinstance(value, sympy.Symbol) and value.is_positive:
        return value
    try:
        exact = exactly(value)
    except InputError as reason:
        raise InputError(f"failure_probability: {reason}") from None
    if not 0 < exact < 1:
        raise InputError(f"failure_probability must lie strictly between 0 and 1, got {value!r}")
    return rational(exact)
