"""Theorem F on paper: the polynomial beta(x) with its common factors named, for the terminal, Markdown, LaTeX and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import sympy

from theorems.apriori.display import LETTERS, Formulas, formulas
from verify.errors import ProblemError
from verify.latex import escape

EXPLICIT = "F"  # the theorem whose formulas these are
PAGE_LAYERS = 2  # those on its page
FEWEST, MOST = 2, 6

GIVEN = {
    "d": "input dimension",
    "m_l": "width of hidden layer l",
    "n": "number of points",
    "delta": "failure probability, split evenly over the events",
    "sigma_w": "weight scale",
    "sigma_b": "bias scale",
    "alpha": "output scale",
    "L_p": "bound of sup|phi'|",
    "L_pp": "bound of sup|phi''|",
    "phi_0": "|phi(0)|",
    "R": "radius of the ball",
    "s": "any positive number: X^{2j+1} <= (s X^{2j} + X^{2j+2}/s)/2",
    "M_2j": "bound of the mean of |x|^{2j}",
}
SETTING = "One output, an output layer of +-1, all layers trained; lambda0 counts among the events."
INDICES = "Indices: the layer, then the power of X = |x| whose coefficient it is; b: the power alone."


def render_formulas(identifier: str | None, layers: int, style: str) -> str:
    """The formulas of a network with that many layers. style: terminal, markdown, latex or json.

    Raises ProblemError for another theorem, and for a number of layers outside 2..6.
    """
    if identifier != EXPLICIT:
        asked = "no theorem" if identifier is None else f"theorem {identifier}"
        raise ProblemError(f"--layers belongs to theorem {EXPLICIT}, whose formulas depend on the number of layers, got {asked}")
    if not FEWEST <= layers <= MOST:
        raise ProblemError(f"--layers must be an integer from {FEWEST} to {MOST}, got {layers}")
    one: dict[str, Callable[[int], str]] = {
        "terminal": _terminal,
        "markdown": lambda count: "\n".join(markdown_formulas(count)),
        "latex": _latex,
        "json": _json,
    }
    return one[style](layers)


def _letters(found: Formulas) -> dict[str, str]:
    """The letters of the definitions, in the order in which they appear."""
    used = dict.fromkeys(_letter(symbol) for symbol, _ in found.definitions)
    return {letter: LETTERS[letter] for letter in used}


def _letter(symbol: sympy.Symbol) -> str:
    return str(symbol.name).partition("_")[0]


def _polynomial(found: Formulas) -> str:
    powers = ["", "*X", *(f"*X**{k}" for k in range(2, len(found.beta)))][: len(found.beta)]
    return " + ".join(f"{b}{power}" for b, power in zip(found.beta, powers, strict=True) if b != 0)


def _square(found: Formulas) -> list[tuple[str, sympy.Expr]]:
    """The coefficients of 1, M_2, M_4, ... in the bound of beta^2."""
    return [("1" if j == 0 else f"M_{2 * j}", g) for j, g in enumerate(found.square)]


def _terminal(layers: int) -> str:
    found = formulas(layers)
    lines = [f"Theorem {EXPLICIT} for {layers} layers: beta(x) as a polynomial in X = |x|", "", f"  {SETTING}", "", "given"]
    lines += [f"  {name:<10}{meaning}" for name, meaning in GIVEN.items()]
    lines += ["", "letters", *(f"  {name:<10}{meaning}" for name, meaning in _letters(found).items()), "", f"  {INDICES}"]
    lines += ["", "definitions", *(f"  {symbol} = {expression}" for symbol, expression in found.definitions)]
    lines += ["", f"  beta(x) <= {_polynomial(found)}", "", "  beta^2 <= the sum of"]
    lines += [f"    {name} * ({g})" for name, g in _square(found)]
    return "\n".join(lines)


def _latex(layers: int) -> str:
    """An align* environment (amsmath) and the letters as a list."""
    found = formulas(layers)
    words = [rf"  \item ${_latex_letter(name)}$: {escape(meaning)}" for name, meaning in _letters(found).items()]
    given = [rf"  \item ${_latex_letter(name)}$: {escape(meaning)}" for name, meaning in GIVEN.items()]
    begin, end = r"\begin{itemize}", r"\end{itemize}"
    head = f"% Theorem {EXPLICIT} for {layers} layers. {SETTING} {INDICES} Needs amsmath."
    return "\n".join([head, begin, *given, *words, end, found.latex()])


_LATEX_LETTERS = {
    "m_l": "m_l",
    "delta": r"\delta",
    "sigma_w": r"\sigma_w",
    "sigma_b": r"\sigma_b",
    "alpha": r"\alpha",
    "L_pp": "L_{pp}",
    "phi_0": r"\phi_0",
    "M_2j": "M_{2j}",
    "Delta": r"\Delta",
    "omega": r"\omega",
    "nu": r"\nu",
}


def _latex_letter(name: str) -> str:
    return _LATEX_LETTERS.get(name, name)


def markdown_formulas(layers: int) -> list[str]:
    """Lines of Markdown: a table of the definitions with their letters, and the two bounds."""
    found = formulas(layers)
    names = found.latex_names()
    lines = [f"{SETTING} {INDICES} `overparam theorems F --layers L` prints them for L = {FEWEST}, ..., {MOST}.", ""]
    lines += ["| name | formula | letter |", "|---|---|---|"]
    for symbol, expression in found.definitions:
        meaning = LETTERS[_letter(symbol)].replace("|", r"\|")
        lines.append(f"| ${names[symbol]}$ | ${sympy.latex(expression, symbol_names=names)}$ | {meaning} |")
    square = " + ".join(found.latex_square())
    return [*lines, "", rf"$$\beta(x) \leq {found.latex_beta()}, \quad X = |x|$$", "", rf"$$\beta^2 \leq {square}$$"]


def _json(layers: int) -> str:
    found = formulas(layers)
    names = found.latex_names()
    document = {
        "theorem": EXPLICIT,
        "layers": layers,
        "setting": SETTING,
        "given": GIVEN,
        "letters": _letters(found),
        "definitions": [
            {
                "name": str(symbol),
                "formula": str(expression),
                "latex": f"{names[symbol]} = {sympy.latex(expression, symbol_names=names)}",
            }
            for symbol, expression in found.definitions
        ],
        "beta": [str(b) for b in found.beta],
        "beta_square": {name: str(g) for name, g in _square(found)},
    }
    return json.dumps(document, indent=1, ensure_ascii=False)
