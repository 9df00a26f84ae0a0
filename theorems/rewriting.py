"""Equal expressions that balls enclose better and that doubles evaluate without overflow.

exp(s)/(1 + exp(s)) evaluated on an interval divides by a quantity it does not know to be the numerator's companion, and far
out the enclosure is useless; in doubles it becomes infinity over infinity. (1 + tanh(s/2))/2 is bounded and monotone
whatever the argument. SymPy's derivatives of softplus, sigmoid and log(cosh(s)) come in the first form.
"""

from __future__ import annotations

from typing import Any

import sympy


def bounded_form(expression: sympy.Expr) -> sympy.Expr:
    """Return an expression equal to ``expression`` at every real point where it is defined.

    Within products, with v and m, n, k natural: exp(m v)/(1 + exp(v))^n becomes powers of (1 +- tanh(v/2))/2 and of exp(v),
    and sinh(v)^k/cosh(v)^n powers of tanh(v), cosh(v) and sinh(v).
    """
    if not expression.args:
        return expression
    if isinstance(expression, sympy.Mul | sympy.Pow):
        # Factor by factor, so that a quotient is seen before its denominator alone is rewritten.
        product = sympy.Mul(*(bounded_form(base) ** exponent for base, exponent in _factors(expression)))
        return _rewritten_product(dict(_factors(product)), product)
    return expression.func(*(bounded_form(argument) for argument in expression.args))


def overflow_free(expression: sympy.Expr) -> sympy.Expr:
    """Return an expression equal to ``expression`` at every real point, for evaluation only: it is not differentiable.

    log(1 + exp(v)) becomes max(v, 0) + log(1 + exp(-|v|)), and log(cosh(v)) becomes |v| + log(1 + exp(-2|v|)) - log 2.
    """
    if not expression.args:
        return expression
    expression = expression.func(*(overflow_free(argument) for argument in expression.args))
    if not isinstance(expression, sympy.log):
        return expression
    v = _softplus_argument(expression.args[0])
    if v is not None:
        return sympy.Max(v, 0) + sympy.log(1 + sympy.exp(-sympy.Abs(v)))
    if isinstance(expression.args[0], sympy.cosh):
        size = sympy.Abs(expression.args[0].args[0])
        return size + sympy.log(1 + sympy.exp(-2 * size)) - sympy.log(2)
    return expression


def _factors(product: sympy.Expr) -> list[tuple[Any, Any]]:
    """Return the bases and exponents of a product, an exponential exp(v) as the base exp(v) with exponent 1."""
    factors = sympy.Mul.make_args(product)
    return [(f, sympy.S.One) if isinstance(f, sympy.exp) else f.as_base_exp() for f in factors]


def _rewritten_product(powers: dict[Any, Any], product: sympy.Expr) -> sympy.Expr:
    for base, exponent in list(powers.items()):
        if not (exponent.is_Integer and exponent < 0):
            continue
        v = _softplus_argument(base)
        if v is not None:
            product = _without_sigmoid(product, base, -exponent, v)
        elif isinstance(base, sympy.cosh):
            product = _without_quotient(product, base, -exponent, powers)
    return product


def _softplus_argument(base: Any) -> Any:
    """Return v when the base is 1 + exp(v), else None."""
    if isinstance(base, sympy.Add) and len(base.args) == 2 and sympy.S.One in base.args:
        other = base - 1
        if isinstance(other, sympy.exp):
            return other.args[0]
    return None


def _without_sigmoid(product: sympy.Expr, base: Any, n: int, v: Any) -> sympy.Expr:
    rest = product * base**n
    rising, falling = (1 + sympy.tanh(v / 2)) / 2, (1 - sympy.tanh(v / 2)) / 2
    for factor in sympy.Mul.make_args(rest):
        if isinstance(factor, sympy.exp):
            multiple = (factor.args[0] / v).cancel()
            if multiple.is_Integer and multiple > 0:
                m = min(multiple, n)
                return rest / factor * sympy.exp((multiple - m) * v) * rising**m * falling ** (n - m)
    return rest * falling**n


def _without_quotient(product: sympy.Expr, base: Any, n: int, powers: dict[Any, Any]) -> sympy.Expr:
    sine = sympy.sinh(base.args[0])
    k = powers.get(sine, sympy.S.Zero)
    if not (k.is_Integer and k > 0):
        return product
    m = min(k, n)
    return product * sympy.tanh(base.args[0]) ** m * base**m / sine**m
