"""The terminal report of ``overparam certify --solve``: the two answers side by side, and why they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from verify.report import shown_above, shown_below, shown_quotient, works_of
from verify.rigor import shown_probability
from verify.solving.document import statements_used
from verify.solving.factors import FactorRow, FactorTable, sentences
from verify.solving.solve import Solved
from verify.solving.start import Probe, ratios

if TYPE_CHECKING:
    from verify.apriori.solve import AprioriSolution
    from verify.apriori.step import StepSolution

DIGITS = 9  # of an a-priori scale, whose ends are a relative 2^-20 apart
NAMES = {"width": "width", "output_scale": "output scale", "label_scale": "label scale"}
CONSTANTS = (("q", True), ("lambda0", False), ("beta", True), ("s0", True), ("R", True))
SHOWN = {"s0": "s_0"}


def print_solution(solved: Solved, console: Console) -> None:
    """Print both answers, the events, the factors of q and the sentences that say what is claimed."""
    console.print(Group(*_parts(solved)))


def _parts(solved: Solved) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(line, style="bold") for line in _heading(solved)]
    parts += [Text(f"note: {note}") for note in solved.data.notes]
    parts += [Text(""), Text(f"{NAMES[solved.unknown]} that is certified at the start, q < {solved.target}"), _answers(solved)]
    parts += [Text(line) for line in _claims(solved)]
    if solved.prior is not None:
        parts += [Text(""), _events(solved.prior)]
    if solved.transfer is not None:
        title = "a priori: a step that is certified at this width and at every larger one"
        parts += [Text(""), Text(title), _steps(solved, solved.transfer)]
        limit = shown_below(solved.transfer.limit[0], 4)
        parts.append(Text(f"drawn networks: their largest certified step tends to 1/(L lambda_max(K_inf)) >= {limit}"))
    elif solved.transfer_reason:
        parts.append(Text(f"a priori: no step for all larger widths: {solved.transfer_reason}"))
    if solved.table is not None:
        parts += [Text(""), Text(_table_title(solved, solved.table)), _factors(solved.table)]
        if solved.table_reason:
            parts.append(Text(f"no a-priori column: {solved.table_reason}"))
        parts += [Text(""), Text("shares of beta (v'M_j v/v'M v, v the top eigenvector of E4's matrix M)"), _terms(solved)]
        parts += [Text(line) for line in sentences(solved.table)]
    used = statements_used(solved)
    return [*parts, *([Text(""), Text("sources", style="bold"), *(Text(f"  {line}") for line in works_of(used))] if used else [])]


def _heading(solved: Solved) -> list[str]:
    network = solved.problem.network
    trained = "all layers" if network.trained == "all" else "layers " + ", ".join(map(str, network.trained))
    scale = f"output scale {_scale(network.output_scale)}, {trained} trained; loss {solved.problem.loss.name}"
    hidden = "-".join(map(str, network.hidden))
    return [solved.data.description, f"hidden {hidden} {network.activation}, {scale}"]


def _answers(solved: Solved) -> Table:
    seed = solved.problem.network.seed
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column(f"at this initialization (seed {seed})", justify="right", overflow="fold")
    table.add_column("a priori", justify="right", overflow="fold")
    start, prior = solved.start, solved.prior
    certified = prior is not None and prior.certificate.certified
    measured = {name: (c.lower, c.upper) for name, c in start.reference.certificate.constants.items()}
    known = prior.certificate.constants if prior is not None else {}
    table.add_row(
        "certified",
        _value(solved, start.certified),
        _prior_value(solved, prior.value_certified, True) if prior and certified else "none",
    )
    table.add_row("not certified", _value(solved, start.refused), _prior_value(solved, prior.value_refused, False) if prior else "")
    theorem = start.reference.certificate.theorem
    if start.certified is not None and theorem is not None:
        kind = f"Theorem {theorem.id}, {start.reference.certificate.rigor.value}"
    else:
        measured, kind = {}, ""
    table.add_row("by", kind, f"Theorem {prior.certificate.theorem}, in balls" if prior is not None and certified else "")
    for name, above in CONSTANTS:
        sign = "<=" if above else ">="
        table.add_row(f"{SHOWN.get(name, name)} {sign}", _bound(measured, name, above), _bound(known, name, above))
    if prior is not None:
        table.add_row("lambda0 from", "measured" if measured else "", _origin(prior.eigenvalue_source))
        table.add_row("failure probability", "", shown_probability(prior.certificate.failure_probability, 6))
    return table


def _origin(source: str) -> str:
    return source.replace("hypothesis", "HYPOTHESIS")


def _value(solved: Solved, found: Probe | None) -> str:
    if found is None:
        return "none"
    return _hidden(solved, found.place) if solved.unknown == "width" else _scale(found.value)


def _scale(value: float) -> str:
    """A scale as it was asked: of six digits, or the problem's own."""
    short = f"{value:.6g}"
    return short if float(short) == value else repr(value)


def _prior_value(solved: Solved, value: Fraction | None, certified: bool) -> str:
    below = (solved.unknown == "label_scale") == certified
    if value is None:
        return "none"
    if solved.unknown == "width":
        return _hidden(solved, int(value))
    # Each end is rounded away from the other, to the side on which what is said of it stays true.
    return (shown_below if below else shown_above)(Fraction(value), DIGITS)


def _hidden(solved: Solved, width: int) -> str:
    parts = ratios(solved.problem.network.hidden)
    return f"{width}" if len(parts) == 1 else "-".join(str(part * width) for part in parts)


def _bound(constants: Mapping[str, tuple[Fraction, Fraction]], name: str, above: bool) -> str:
    if name not in constants:
        return ""
    low, high = constants[name]
    if name == "q":
        return shown_quotient(high)
    return shown_above(high, 4) if above else shown_below(low, 4)


def _claims(solved: Solved) -> list[str]:
    """What each side says, and what it does not."""
    start, lines = solved.start, []
    if start.certified is None:
        lines.append(f"at this initialization: no answer: {start.reason}")
    else:
        kept = "each width is a draw of this seed" if solved.unknown == "width" else "nothing is said of values between or beyond"
        asked = f"both values were asked ({start.draws} certificates tried); monotonicity is not proved, and {kept}"
        lines += [f"at this initialization: {asked}", *([start.reason] if start.reason else [])]
    if solved.prior is None:
        return [*lines, f"a priori: no answer: {solved.prior_reason}"]
    chance = shown_probability(solved.prior.certificate.failure_probability, 6)
    lines.append(
        f"a priori: every initialization but a share of at most {chance}, lambda0 by {_origin(solved.prior.eigenvalue_source)}"
    )
    return [*lines, *(f"a priori: {note}" for note in solved.prior.notes)]


def _events(prior: AprioriSolution) -> Table:
    from theorems.apriori.budget import EVENTS

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("event")
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("what it says")
    for name, share in prior.budget.shares.items():
        table.add_row(name, shown_probability(Fraction(share), 4), EVENTS[name])
    return table


def _steps(solved: Solved, transfer: StepSolution) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("width at least", "step"):
        table.add_column(name, justify="right", no_wrap=True)
    for width, step in transfer.steps:
        table.add_row(_hidden(solved, width), shown_below(step, 4))
    return table


def _table_title(solved: Solved, table: FactorTable) -> str:
    reference = solved.start.reference
    at = _hidden(solved, reference.place) if solved.unknown == "width" else _scale(reference.value)
    return (
        f"factors of q = 2 beta s_0/lambda0 at the {NAMES[solved.unknown]} {at}, on the ball R = {shown_above(table.radius, 4)}"
        + (f"; lambda0 a priori by {_origin(table.source)}" if table.source else "")
    )


def _factors(table: FactorTable) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("factor", "at this initialization", "a priori", "makes q larger by"):
        shown.add_column(name, justify="left" if name == "factor" else "right", no_wrap=True)
    for row in table.rows:
        bound = _bound_of(row)
        ratio = "" if row.ratio is None else f"{row.ratio:.4g}"  # inf where lambda0 is not known to be positive
        prior = "" if row.prior is None else bound(row.prior)
        shown.add_row(f"{row.name} {'<=' if row.above else '>='}", bound(row.measured), prior, ratio)
    return shown


def _bound_of(row: FactorRow) -> Callable[[Fraction], str]:
    if row.name == "q":
        return shown_quotient
    return lambda value: shown_above(value, 4) if row.above else shown_below(value, 4)


def _terms(solved: Solved) -> Table:
    assert solved.table is not None
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("term of beta")
    shown.add_column("share", justify="right", no_wrap=True)
    for term, share in solved.table.terms:
        shown.add_row(term.name, f"{share:.1%}")
    prior = solved.prior
    for item in () if prior is None else prior.factors:
        if item.share is not None:
            shown.add_row(f"a priori, {item.name}", f"{item.share:.1%}")
    return shown
