"""The formulas beside a-priori constants: with the named definitions of ``theorems.apriori.display``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import sympy

from theorems.activations import activation
from theorems.apriori.blueprint import blueprint
from theorems.apriori.budget import event_counts
from theorems.apriori.display import Formulas, formulas
from verify.apriori import value_at_zero
from verify.tables.keys import moves

OF_SEVERAL = ("beta(R*) by the recursions of theorems.apriori for k outputs", r"\beta(R^*)")


def beta_formula(case: Mapping[str, Any]) -> tuple[str, str]:
    """beta from the moments of |x|, or the smaller of its mean over the points and E4: SymPy text and LaTeX.

    The formulas are those of one output; of several only the recursions speak, and a data set says how many it has when it is read.
    """
    if case["outputs"] != 1:
        return OF_SEVERAL
    found = _formulas(
        case["layers"],
        case["bias_scale"] != 0,
        value_at_zero(activation(case["activation"])) != 0,
        case["output_layer"],
        moves("trained", case["trained"], case["layers"]),
    )
    names, ratio = found.latex_names(), _ratio_of_shares(case)
    definitions = [(symbol, expression.xreplace(ratio)) for symbol, expression in found.definitions]
    text = [f"{symbol} = {expression}" for symbol, expression in definitions]
    tex = [f"{names[symbol]} = {sympy.latex(expression, symbol_names=names)}" for symbol, expression in definitions]
    if "law" in case:
        square = _square_by_moments(found)
        text.append(f"beta = sqrt({square})")
        tex.append(rf"\beta = \sqrt{{{sympy.latex(square, symbol_names=names)}}}")
    else:
        polynomial = sympy.Add(*(b * sympy.Symbol("X", positive=True) ** k for k, b in enumerate(found.beta) if b != 0))
        text += [f"beta(X) = {polynomial}", "beta = Min(sqrt(Sum(nu_i*beta(|x_i|)**2)), E4)"]
        tex.append(rf"\beta(X) = {found.latex_beta()}")
        tex.append(r"\beta = \min\left(\sqrt{\sum_i \nu_i\beta(|x_i|)^2}, \mathrm{E4}\right)")
    return "; ".join(text), r",\quad ".join(tex)


@functools.lru_cache(maxsize=32)
def _formulas(layers: int, bias: bool, at_zero: bool, output_layer: str, trained: tuple[bool, ...]) -> Formulas:
    return formulas(layers, bias=bias, at_zero=at_zero, output_layer=output_layer, trained=trained)


def _square_by_moments(found: Formulas) -> sympy.Expr:
    """The mean of beta(X)^2: M_k for an even power X^k, sqrt(M_{k-1} M_{k+1}) for an odd one (Cauchy and Schwarz), M_0 = 1."""
    degree = 2 * (len(found.beta) - 1)
    moments = [sympy.S.One, *(sympy.Symbol(f"M_{2 * j}", positive=True) for j in range(1, degree // 2 + 1))]
    total = sympy.S.Zero
    for i, b in enumerate(found.beta):
        for j, c in enumerate(found.beta):
            half, odd = divmod(i + j, 2)
            total += b * c * (sympy.sqrt(moments[half] * moments[half + 1]) if odd else moments[half])
    return total


def _ratio_of_shares(case: Mapping[str, Any]) -> dict[sympy.Symbol, sympy.Expr]:
    """delta times a number: the formulas split delta over the events of a centered network with known points, this case over its
    own."""
    plan = blueprint(
        (1,) * (case["layers"] + 1),
        slope=1,
        curvature=1,
        points=1,
        bias_scale=case["bias_scale"],
        output_layer=case["output_layer"],
    )
    here = event_counts(plan, centered=case["centered"], eigenvalue=not case["certain"], sampled="law" in case)
    delta = sympy.Symbol("delta", positive=True)
    return {delta: delta * sympy.Rational(len(event_counts(plan)), len(here))}


def kernel_formula(case: Mapping[str, Any]) -> tuple[str, str]:
    """lambda_max: alpha^2 times the sum over trained layers of Delta_l^2 times the mean of p_l^2."""
    moved = [index for index, moving in enumerate(moves("trained", case["trained"], case["layers"]), 1) if moving]
    text = " + ".join(f"Delta_{index}**2*mean(p_{index}(|x|)**2)" for index in moved)
    tex = " + ".join(rf"\Delta_{index}^2\,\overline{{p_{index}(|x|)^2}}" for index in moved)
    return f"alpha**2*({text})", rf"\alpha^2\left({tex}\right)"


def residual_formula(case: Mapping[str, Any]) -> tuple[str, str]:
    """s_0: the labels' root mean square, and a bound of the initial function unless it is subtracted."""
    return ("|y|_nu", r"|y|_\nu") if case["centered"] else ("|y|_nu + |f_0|_nu", r"|y|_\nu + |f_0|_\nu")
