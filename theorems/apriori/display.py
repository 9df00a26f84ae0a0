"""The formulas on paper: beta(x) for L layers with its common factors named, each name with a short formula.

The recursions run over SymPy, and every number or coefficient that they compute is replaced by a symbol as it appears: c_l, g_l
= c_l w_l, a_l, the tails t_e, and the coefficients p_{l,k} of X^k in p_l(X), and so on. What is left of beta(x) = sum_k b_k X^k
is a list of short definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from theorems.apriori.ball import ball_signals
from theorems.apriori.blueprint import blueprint
from theorems.apriori.budget import budget, event_counts
from theorems.apriori.polynomial import Polynomial, mapped, with_even_powers
from theorems.apriori.start import start_bounds
from theorems.arithmetic import SYMBOLIC

LETTERS = {
    "c": "sigma_w over the root of the fan-in",
    "g": "bound of c_l |W_l|",
    "t": "tail of an event: sqrt(2 ln(N/p))",
    "p": "|z_l| for a unit vector's worth of noise: the root of c_l^2 |h_{l-1}|^2 + sigma_b^2",
    "h": "bound of |h_l|",
    "Delta": "bound of |delta_l|",
    "omega": "bound of the columns of W_l",
    "nu": "change of delta_l per change of z_l, in leave-one-out",
    "e": "bound of |eta_l|_inf at theta0",
    "a": "c_l (|W_l| + R) on the ball, for a trained layer",
    "D": "forward drift over R",
    "V": "bound of |v_l|, the first derivative of z_l",
    "U": "bound of |v_l|^2",
    "B": "backward drift",
    "E": "bound of |eta_l|_inf on the ball",
    "N": "bound of |delta_l| on the ball",
    "b": "coefficients of beta(x)",
}


GREEK = ("Delta", "omega", "nu")


@dataclass(frozen=True)
class Formulas:
    """definitions: symbols with their formulas in the symbols before them and in those of the problem, in order. beta: the
    coefficients b_0..b_L as symbols. square: the coefficients of 1, M_2, M_4, ... in the bound of beta^2, for the scale s > 0
    of the odd powers."""

    layers: int
    definitions: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    beta: tuple[sympy.Expr, ...]
    square: tuple[sympy.Expr, ...]

    def latex_names(self) -> dict[sympy.Symbol, str]:
        """The definitions' names in LaTeX."""
        return {symbol: _latex_name(symbol.name) for symbol, _ in self.definitions}

    def latex_beta(self) -> str:
        """beta(x), a polynomial in X = |x|."""
        names = self.latex_names()
        powers = [
            str(sympy.latex(b, symbol_names=names)) + ("" if k == 0 else " X" if k == 1 else f" X^{{{k}}}")
            for k, b in enumerate(self.beta)
            if b != 0
        ]
        return " + ".join(powers)

    def latex_square(self) -> tuple[str, ...]:
        """The terms of the bound of beta^2, one an even moment."""
        names = self.latex_names()
        return tuple(
            rf"\left({sympy.latex(g, symbol_names=names)}\right)" + (f" M_{{{2 * j}}}" if j else "")
            for j, g in enumerate(self.square)
            if g != 0
        )

    def latex(self) -> str:
        """The definitions and both bounds, as an align* environment (amsmath)."""
        names = self.latex_names()
        lines = [rf"{names[symbol]} &= {sympy.latex(expression, symbol_names=names)}" for symbol, expression in self.definitions]
        lines.append(rf"\beta(x) &\leq {self.latex_beta()}, \quad X = |x|")
        first, *others = self.latex_square()
        lines += [rf"\beta^2 &\leq {first}", *(rf"&\quad {{}} + {term}" for term in others)]
        return "\n".join([r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"])


class _Names:
    """The definitions in the order in which they were made."""

    def __init__(self) -> None:
        self.known: dict[sympy.Symbol, sympy.Expr] = {}

    def __call__(self, name: str, value: Any) -> Any:
        if isinstance(value, Polynomial):
            return mapped(value, lambda k, a: self.define(f"{name}_{k}", a))
        return self.define(name, value)

    def define(self, name: str, value: sympy.Expr) -> sympy.Expr:
        """The symbol of that name for an expression; a symbol or a number stays what it is."""
        if value.is_Atom:
            return value
        symbol = sympy.Symbol(name, positive=True)
        assert self.known.setdefault(symbol, value) == value, f"{name} is defined twice"
        return symbol


def _latex_name(name: str) -> str:
    letter, _, rest = name.partition("_")
    letter = f"\\{letter}" if letter in GREEK else letter
    if rest.replace("_", "").isdigit():
        return f"{letter}_{{{rest.replace('_', ',')}}}"
    return rf"{letter}_{{\text{{{rest.replace('_', ' ')}}}}}"


def formulas(layers: int, *, bias: bool = True, at_zero: bool = True, output_layer: str = "signs", trained: Any = None) -> Formulas:
    """The formulas for L = ``layers`` with symbols for everything: d, m_1, ..., m_{L-1}, n, delta, sigma_w, sigma_b, alpha, Lp,
    Lpp, |phi(0)|, R; k = 1.

    Arguments: ``bias``, ``at_zero``: False to leave out sigma_b, |phi(0)|. ``trained``, ``output_layer`` as for ``blueprint``.
    """
    symbol = {name: sympy.Symbol(text, positive=True) for name, text in _SYMBOLS.items()}
    widths = [sympy.Symbol(f"m_{index}", positive=True) for index in range(1, layers)]
    plan = blueprint(
        [symbol["d"], *widths, 1],
        slope=symbol["slope"],
        curvature=symbol["curvature"],
        at_zero=symbol["at_zero"] if at_zero else 0,
        points=symbol["n"],
        weight_scale=symbol["weight_scale"],
        bias_scale=symbol["bias_scale"] if bias else 0,
        output_scale=symbol["output_scale"],
        trained=trained,
        output_layer=output_layer,
    )
    shares = budget(event_counts(plan), symbol["delta"])
    names = _Names()
    start = start_bounds(plan, shares, Polynomial((sympy.Integer(0), sympy.Integer(1))), SYMBOLIC, names)
    signals = ball_signals(start, symbol["R"], SYMBOLIC, names)
    beta = mapped(signals.beta, lambda k, b: names.define(f"b_{k}", b))
    square = with_even_powers(beta * beta, symbol["s"])
    return Formulas(layers, _used(names.known, beta), beta.coefficients, square.coefficients[::2])


_SYMBOLS = {
    "d": "d",
    "n": "n",
    "delta": "delta",
    "weight_scale": "sigma_w",
    "bias_scale": "sigma_b",
    "output_scale": "alpha",
    "slope": "L_p",
    "curvature": "L_pp",
    "at_zero": "phi_0",
    "R": "R",
    "s": "s",
}


def _used(known: dict[sympy.Symbol, sympy.Expr], beta: Polynomial) -> tuple[tuple[sympy.Symbol, sympy.Expr], ...]:
    """The definitions on which beta depends, in order."""
    needed = set().union(*(b.free_symbols for b in beta.coefficients))
    kept = []
    for symbol, expression in reversed(known.items()):
        if symbol in needed:
            needed |= expression.free_symbols
            kept.append((symbol, expression))
    return tuple(reversed(kept))
