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
from verify.apriori.prior import value_at_zero
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
    """s_0: the residual of the function 0, and a bound of the initial function unless it is subtracted."""
    square = case["_loss"].is_square
    zero = ("|y|_nu", r"|y|_\nu") if square else ("sqrt(2*(h(0) - h*)/mu)", r"\sqrt{2(h(0)-h^*)/\mu}")
    if case["centered"]:
        return zero
    drawn = ("|f_0|_nu", r"|f_0|_\nu") if square else ("sqrt(L/mu)*|f_0|_nu", r"\sqrt{L/\mu}\,|f_0|_\nu")
    return f"{zero[0]} + {drawn[0]}", f"{zero[1]} + {drawn[1]}"


def width_formula(case: Mapping[str, Any]) -> tuple[str, str]:
    """The least width of one hidden layer whose first layer alone is trained: the least integer above the closed form.

    Theorem F-width where lambda0 is granted; by the matrix Chernoff bound lambda0 = (1 - sqrt(C/m))*lambda_inf grows with m.
    """
    # The norm of the columns of W_2, whose entries are +-1.
    outputs = ("", "") if case["outputs"] == 1 else ("sqrt(k)*", r"\sqrt{k}\,")
    where = "S = sqrt(lambda_max(G o G)), " if "data" in case else "S = sqrt(mean of p_1^4), p_1^2 = c_1^2*|x|^2 + sigma_b^2, "
    gram = "G_ij = c_1^2*x_i.x_j + sigma_b^2, G o G and lambda_max with sqrt(nu_i*nu_j), " if "data" in case else ""
    tex = r"S = \lambda_{\max}(G\circ G)^{1/2}" if "data" in case else r"S = \left(\overline{p_1^4}\right)^{1/2}"
    size = f"2*alpha*sigma_w*{outputs[0]}Lpp*S*s0/(q_target*"
    latex_size = rf"2\alpha\sigma_w {outputs[1]}L_{{pp}} S s_0"
    if "lambda0" in case:
        text = f"floor(({size}lambda0))**2) + 1; {where}{gram}c_1 = sigma_w/sqrt(d)"
        return text, rf"\left\lfloor\left(\frac{{{latex_size}}}{{q_* \lambda_0}}\right)^2\right\rfloor + 1,\quad {tex}"
    constant = "C = 2*alpha^2*sigma_w^2*Lp^2*lambda_max(G)*log(n/p)/lambda_inf, p the share of the event lambda0"
    limit = "lambda_inf the smallest eigenvalue of the infinite-width kernel"
    text = f"floor((sqrt(C) + {size}lambda_inf))**2) + 1; {constant}, {limit}; {where}{gram}c_1 = sigma_w/sqrt(d)"
    root = rf"\sqrt{{C}} + \frac{{{latex_size}}}{{q_* \lambda_\infty}}"
    tail = r"C = 2\alpha^2\sigma_w^2 L_p^2\lambda_{\max}(G)\ln(n/p)/\lambda_\infty"
    return text, rf"\left\lfloor\left({root}\right)^2\right\rfloor + 1,\quad {tail},\quad {tex}"
