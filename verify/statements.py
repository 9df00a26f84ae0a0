"""Rendering of theorem records for the terminal, Markdown, LaTeX and JSON; every formula comes from the record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import sympy

from theorems.records import Hypothesis, Theorem
from verify.errors import ProblemError
from verify.explicit_formulas import EXPLICIT, PAGE_LAYERS, markdown_formulas
from verify.files import atomic_writer
from verify.latex import escape
from verify.proving.words import describe

# Letters that SymPy's own translation of the names would not give. No raw "|": in a Markdown table it would end the cell.
SYMBOL_NAMES = {
    "beta_prime": r"\beta'",
    "rate": r"\varrho",
    "gap_rate": r"\varrho_J",
    "lambda_floor": r"\lambda_{\mathrm{floor}}",
    "lambda_max": r"\lambda_{\max}",
    "lambda_min_k": r"\lambda_{\min}(K_k)",
    "sigma_tilde": r"\tilde\sigma",
    "d_max": r"d_{\max}",
    "k0": "k_0",
    "s": "s_k",
    "s_next": "s_{k+1}",
    "r_next": "r_{k+1}",
    "g": "g_k",
    "gap": r"\Delta_k",
    "gap_next": r"\Delta_{k+1}",
    "remaining": r"\textstyle\sum_{j\geq k} d_j",
    "summed": r"\textstyle\mu\sum_{j\leq k} \eta s_j",
    "rho": r"\lvert\theta_k-\theta_0\rvert",
    "forward_ratio": r"\max_{l,i} \lvert z_l-z_l^0\rvert(x_i)/D_l(x_i)",
    "jacobian_drift": r"\lvert DF_k-DF_0\rvert",
    "kernel_drift": r"\lvert K_k-K_0\rvert",
    "newton_step": r"\lvert DF^+e\rvert",
    "Lp": "L_p",
    "Lpp": "L_{pp}",
    "q_target": "q_*",
    "gram": r"\lambda_{\max}(G)",
    "lambda_limit": r"\lambda_{\infty}",
    "width": r"m_{\mathrm{width}}",
    "m_mono": r"m_{\mathrm{mono}}",
    "Lambda_first": r"\Lambda(m_0)",
    "Lambda_later": r"\Lambda(m)",
    "q_later": "q(m)",
    "kernel_top": r"\lambda_{\max}(K_0)",
    "jacobian_square": r"\lvert DF(\theta)\rvert^2",
    "failure": r"P(\lambda_{\min}(K_0) < \lambda_0)",
    "refused_width": r"m_{\mathrm{refused}}",
    "certified_width": r"m_{\mathrm{certified}}",
    "reach": r"R_{\wedge}",
    "rbar_flow": r"\bar r_{\mathrm{flow}}",
    "rbar_descent": r"\bar r_0(\eta)",
    "q_descent": r"q_0(\eta)",
    "certified_step": r"\eta_{\mathrm{certified}}",
    "refused_step": r"\eta_{\mathrm{refused}}",
    "other_quotient": r"q_{A,A+,A0}",
    "other_path": r"\bar r_{A,A+,A0}",
    "scale": "a",
    "q_scaled": "q_a",
    "q_output": r"q(\alpha a)",
    "q_labels": "q(y/a)",
    "q_initial": r"\max(q(\alpha a), q(y/a))",
    "rbar_first": r"\bar r(m_0)",
    "rbar_later": r"\bar r(m)",
    "quotient_later": "q(m)",
    "rate_later": r"\varrho(m)",
    "rho_loss": r"\rho",
    "k0_mean": r"\overline{\lvert df_{\theta_0}(x_i)\rvert_F^2}",
    "beta_mean": r"\overline{\beta_i}",
    "contraction": r"\gamma",
    "distance": r"\lvert\theta-\theta_0\rvert",
    "linear_term": r"t_{\mathrm{linear}}",
    "curvature_term": r"t_{\mathrm{curvature}}",
    "deviation_term": r"t_{\mathrm{deviation}}",
    "gap_bound": r"t_{\mathrm{gap}}",
    "risk": r"E\,\ell",
    "empirical_risk": r"\textstyle\frac1n\sum_i \ell_i",
    "gain": r"\Gamma",
    "gain_0": r"\Gamma_0",
    "Lip": r"\mathrm{Lip}_x",
    "transport": r"W",
    "input_slope": r"\lvert f(x)-f(x')\rvert/\lvert x-x'\rvert",
    "risk_difference": r"\lvert\textstyle\frac1n\sum_i \ell_i-\frac1m\sum_j \ell'_j\rvert",
    "markov": r"t_{\mathrm{Markov}}",
    "chebyshev": r"t_{\mathrm{Chebyshev}}",
    "cantelli": r"t_{\mathrm{Cantelli}}",
    "exceeds_markov": r"P(m_{2j} > t_{\mathrm{Markov}})",
    "exceeds_chebyshev": r"P(m_{2j} > t_{\mathrm{Chebyshev}})",
    "exceeds_cantelli": r"P(m_{2j} > t_{\mathrm{Cantelli}})",
}
INDEX = "theorems.md"
FOLDER = "theorems"


def latex(expression: sympy.Basic) -> str:
    """The expression in LaTeX, in the letters of the notation."""
    names = {symbol: SYMBOL_NAMES[symbol.name] for symbol in expression.free_symbols if symbol.name in SYMBOL_NAMES}
    return str(sympy.latex(expression, symbol_names=names, order="none"))


def render(theorems: Sequence[Theorem], style: str, full: bool, ledger: Mapping[str, Sequence[str]] | None = None) -> str:
    """Render records; ``full`` shows everything, otherwise one line each. style: terminal, markdown, latex or json.

    ledger: for each theorem's id how the steps of its proof fared, one phrase a step; markdown, which is for documents, needs it.
    """
    if style == "json":
        documents = [as_document(theorem) for theorem in theorems]
        return json.dumps(documents[0] if full else documents, indent=1, ensure_ascii=False)
    if style == "markdown":
        assert ledger is not None, "a document says how the steps of a proof fared"
        return "\n".join(theorem_page(item, ledger[item.id]) for item in theorems).rstrip("\n")
    one: Callable[[Theorem], str] = {"terminal": _terminal, "latex": _latex}[style]
    if style == "terminal" and not full:
        width = max(len(theorem.id) for theorem in theorems) + 2
        return "\n".join(f"{theorem.id:<{width}}{theorem.title} ({theorem.role.value})" for theorem in theorems)
    return "\n\n".join(one(theorem) for theorem in theorems)


def page_name(identifier: str) -> str:
    """The file of a theorem's page: letters, digits and hyphens, as in A-plus.md."""
    name = identifier.replace("+", "-plus")
    assert re.fullmatch("[A-Za-z0-9][A-Za-z0-9-]*", name), f"no file can be named after theorem {identifier!r}"
    return f"{name}.md"


def theorem_pages(theorems: Sequence[Theorem], ledger: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The index and the page of every theorem, by their names in docs/; ledger as in ``render``."""
    head = (
        "# Theorems\n\nOne page each, rendered from the records by `overparam theorems --format markdown --out docs`, which runs "
        "the [proof ledger](ledger.md); letters as in [notation](notation.md).\n\n| theorem | title | use |\n|---|---|---|\n"
    )
    names = {item.id: f"{FOLDER}/{page_name(item.id)}" for item in theorems}
    rows = [f"| [{item.id}]({names[item.id]}) | {item.title} | {item.role.value} |\n" for item in theorems]
    return {INDEX: head + "".join(rows)} | {names[item.id]: theorem_page(item, ledger[item.id]) for item in theorems}


def write_pages(theorems: Sequence[Theorem], ledger: Mapping[str, Sequence[str]], directory: Path, index: bool) -> list[str]:
    """Write the pages, and the index if wanted, into a directory and return their names. Raises ProblemError where that fails."""
    pages = {name: text for name, text in theorem_pages(theorems, ledger).items() if index or name != INDEX}
    try:
        (directory / FOLDER).mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            with atomic_writer(directory / name) as file:
                file.write(text.encode())
    except OSError as error:
        raise ProblemError(f"--out {str(directory)!r} cannot be written: {error.strerror or error}") from None
    return list(pages)


def _relation(hypothesis: Hypothesis, printer: Callable[[sympy.Basic], str]) -> str:
    # Written by hand: SymPy would decide "lambda0 > 0" for a symbol declared positive and print "True".
    sign = ">" if hypothesis.strict else (r"\geq" if printer is latex else ">=")
    return f"{printer(hypothesis.margin)} {sign} 0"


def as_document(theorem: Theorem) -> dict[str, object]:
    """The record as plain data, formulas as SymPy text and LaTeX."""
    return {
        "id": theorem.id,
        "title": theorem.title,
        "statement": theorem.statement,
        "role": theorem.role.value,
        "losses": theorem.loss_class.value,
        "strength": theorem.strength.value,
        "quantities": [{"symbol": str(item.symbol), "meaning": item.meaning} for item in theorem.quantities],
        "hypotheses": [
            {"id": item.id, "statement": item.statement, "condition": _relation(item, str), "strict": item.strict}
            for item in theorem.hypotheses
        ],
        "constants": [
            {
                "name": item.name,
                "formula": str(item.expression),
                "latex": latex(item.expression),
                "meaning": item.meaning,
            }
            for item in theorem.constants
        ],
        "claims": [
            {
                "id": item.id,
                "statement": item.statement,
                "measured": str(item.measured),
                "relation": ">=" if item.lower else "<=",
                "bound": str(item.bound),
                "checked": item.scope.value,
            }
            for item in theorem.claims
        ],
        "proof": [{"kind": step.kind, "statement": step.statement, "evidence": describe(step.evidence)} for step in theorem.proof],
        "source": str(theorem.source),
    }


def _terminal(theorem: Theorem) -> str:
    lines = [f"Theorem {theorem.id}: {theorem.title}", "", f"  {theorem.statement}", "", "quantities"]
    lines += [f"  {item.symbol!s:<14}{item.meaning}" for item in theorem.quantities]
    lines += ["", "hypotheses"]
    lines += [f"  {item.id:<10}{item.statement}   [{_relation(item, str)}]" for item in theorem.hypotheses]
    if theorem.constants:
        lines += ["", "constants"]
        lines += [f"  {item.name} = {item.expression}\n      {item.meaning}" for item in theorem.constants]
    if theorem.claims:
        lines += ["", "claims"]
        lines += [f"  {item.id:<12}{item.statement}   ({item.scope.value})" for item in theorem.claims]
    lines += ["", "proof"]
    lines += [f"  {number}. [{step.kind}] {step.statement}" for number, step in enumerate(theorem.proof, 1)]
    lines += ["", f"strength: {theorem.strength.value}", f"source: {theorem.source}"]
    return "\n".join(lines)


def theorem_page(theorem: Theorem, ledger: Sequence[str]) -> str:
    """The Markdown page of one record; ledger: how the steps of its proof fared."""
    lines = [f"# Theorem {theorem.id}: {theorem.title}", "", theorem.statement, "", "**Quantities**", ""]
    lines += [f"- ${latex(item.symbol)}$: {item.meaning}" for item in theorem.quantities]
    lines += ["", "**Hypotheses**", ""]
    lines += [f"- {item.id}: {item.statement} (${_relation(item, latex)}$)" for item in theorem.hypotheses]
    if theorem.constants:
        lines += ["", "**Constants**", "", "| constant | formula | meaning |", "|---|---|---|"]
        lines += [
            "| ${}$ | ${}$ | {} |".format(latex(item.symbol), latex(item.expression), item.meaning.replace("|", r"\|"))
            for item in theorem.constants
        ]
    if theorem.id == EXPLICIT:
        lines += ["", f"**Formulas for {PAGE_LAYERS} layers**", "", *markdown_formulas(PAGE_LAYERS)]
    if theorem.claims:
        lines += ["", "**Claims**", ""]
        lines += [f"- {item.id}, {item.scope.value}: {item.statement}" for item in theorem.claims]
    lines += ["", "**Proof**", ""]
    steps = zip(theorem.proof, ledger, strict=True)
    # The status comes first and without emphasis: statements hold asterisks, as in DF^*.
    lines += [f"{number}. [{how}] {step.statement}" for number, (step, how) in enumerate(steps, 1)]
    lines += ["", f"*Strength:* {theorem.strength.value}.", "", f"*Source:* {theorem.source}.", ""]
    lines += [f"[All theorems](../{INDEX}), [proof ledger](../ledger.md), [notation](../notation.md)"]
    return "\n".join(lines) + "\n"


def _latex(theorem: Theorem) -> str:
    lines = [rf"\paragraph{{Theorem {theorem.id}: {escape(theorem.title)}.}}", escape(theorem.statement), r"\begin{align*}"]
    rows = [rf"  {latex(item.symbol)} &= {latex(item.expression)}" for item in theorem.constants]
    for claim in theorem.claims:
        relation = r"\geq" if claim.lower else r"\leq"
        rows.append(rf"  {latex(claim.measured)} &{relation} {latex(claim.bound)}")
    lines = [*lines, " \\\\\n".join(rows), r"\end{align*}"] if rows else lines[:-1]
    lines += [r"\emph{Proof}, step by step.", r"\begin{enumerate}"]
    lines += [rf"  \item ({step.kind}) {escape(step.statement)}" for step in theorem.proof]
    return "\n".join([*lines, r"\end{enumerate}"])
