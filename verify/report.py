"""The terminal report: the certificate in plain words, the claims with their room, the four counts, the sources."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from theorems.catalogue import THEOREMS
from theorems.losses import LOSSES, RIDGED_LOSSES
from verify.certificate import Certificate
from verify.floating_run import NotCovered
from verify.result import Verification, statements_used
from verify.rigor import Rigor, decimal_above, decimal_below
from verify.run_guarantee import RunGuarantee
from verify.verdict import CheckedClaim, Verdict

NOT_COUNTED = "not counted as checks"
STYLES = {
    Verdict.HOLDS: "green",
    Verdict.VIOLATED: "bold red",
    Verdict.UNDECIDED: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
}


def print_report(verification: Verification, console: Console) -> None:
    """Print the report of a verification, or of a certificate without a run."""
    console.print(Group(*_parts(verification)))


def _parts(verification: Verification) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(line, style="bold") for line in problem_lines(verification)]
    parts += [Text(f"note: {note}") for note in verification.setup.notes]
    if verification.run is not None:
        parts.append(Text(_run_line(verification)))
    parts.append(Text(""))
    parts += [Text(line) for line in certificate_lines(verification)]
    if verification.claims:
        parts += [Text(""), claims_table(verification.claims), counts_line(verification)]
        parts += [Text(line) for line in reason_lines(verification.claims)]
        parts += _waterfall_parts(verification)
        parts += _unseen_parts(verification)
    parts += [Text(""), Text("sources", style="bold")]
    parts += [Text(f"  {source}") for source in source_lines(verification)]
    return parts


def _waterfall_parts(verification: Verification) -> list[RenderableType]:
    from verify.waterfall.document import reading_lines

    lines = [Text(f"  {line}") for line in reading_lines(verification.waterfall)]
    return [Text(""), Text("where the slack comes from (floating point)", style="bold"), *lines] if lines else []


def _unseen_parts(verification: Verification) -> list[RenderableType]:
    from verify.unseen_report import COLUMNS, unseen_lines, unseen_rows

    lines, rows = unseen_lines(verification.unseen), unseen_rows(verification.unseen)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("H1", *COLUMNS):
        table.add_column(name, justify="left" if name == "H1" else "right", no_wrap=name != "H1")
    for row in rows:
        table.add_row(*row)
    return [Text(""), *(Text(line) for line in lines), *([table] if rows else [])] if lines else []


def _run_line(verification: Verification) -> str:
    assert verification.run is not None
    trajectory = verification.run.trajectory
    ended = {
        "steps": "all steps done",
        "residual": "the residual asked for was reached",
        "not finite": f"the run diverged at step {trajectory.steps}",
    }
    return (
        f"run: {trajectory.steps} steps of {verification.step_size:.6g}, residual {trajectory.residual[0]:.3g} -> "
        f"{trajectory.residual[-1]:.3g} ({ended[trajectory.stopped]})"
    )


def source_lines(verification: Verification) -> list[str]:
    """The sources of the statements used, each work once, with the statements it stands for."""
    return works_of(statements_used(verification))


def works_of(names: list[str]) -> list[str]:
    """The sources of these statements, each work once, with the statements it stands for."""
    works: dict[str, list[str]] = {}
    for name in names:
        source = THEOREMS[name].source
        works.setdefault(f"{source.authors} ({source.year}), {source.title}, {source.identifier}", []).append(name)
    lines = [f"{', '.join(those)}: {work}" for work, those in works.items()]
    return [*lines, "constants are derived by overparam (see `overparam theorems`); none is quoted from a paper"]


def problem_lines(verification: Verification) -> list[str]:
    """The data in one line, network and loss in another."""
    setup = verification.setup
    sizes = "-".join(str(size) for size in setup.architecture.sizes)
    moved = [str(index) for index, moves in enumerate(setup.architecture.trained, 1) if moves]
    trained = "all layers" if len(moved) == setup.architecture.layers else f"layers {', '.join(moved)}"
    return [setup.dataset.description, f"network {sizes} {setup.activation.name}, {trained} trained; loss {setup.loss.name}"]


def certificate_lines(verification: Verification) -> list[str]:
    """What is proved, in plain words, with its constants; or why nothing is."""
    certificate, run = verification.certificate, verification.run
    lines = []
    if run is not None and not verification.start.certified and verification.start.failure is not None:
        lines += [f"at the start: not certified: {verification.start.failure.detail}", *_remedy_lines(verification.start, True)]
    if certificate.certified:
        lines += _certified_lines(certificate, run is not None)
        lines += _rigor_lines(verification)
        lines += _consequence_lines(verification)
    elif run is None or verification.start.failure is None or certificate.failure is None:
        lines += [f"NOT CERTIFIED: {certificate.failure.detail if certificate.failure else ''}", *_remedy_lines(certificate, True)]
    elif certificate.failure.detail == verification.start.failure.detail:
        lines.append("NOT CERTIFIED, at the start or along the run")
    else:
        lines.append(f"NOT CERTIFIED; tried last at step {certificate.step}: {certificate.failure.detail}")
        lines += _remedy_lines(certificate, False)
    if run is not None and run.existence is not None:
        found = run.existence
        lines.append(
            f"a global optimum exists from step {found.step} on, within a distance of {shown_above(found.bound.distance, 4)} "
            f"(Theorem N, {found.bound.rigor.value}: N <= {shown_above(found.bound.quotient, 4)})"
        )
    return lines


def _certified_lines(certificate: Certificate, along: bool) -> list[str]:
    assert certificate.point is not None
    assert certificate.theorem is not None
    value = certificate.constants
    where = (
        f"from step {certificate.step} on (a posteriori)" if certificate.step else "at the start" if along else "at these weights"
    )
    # Theorem A asks for a step of at most 1/(L Lambda), the descent form A0 for one below 2/L_J.
    limit, name = 2 / value["L_J"].upper if "L_J" in value else 1 / (value["L"].upper * value["Lambda"].upper), "1/(L Lambda)"
    largest = f"< {shown_below(limit, 6)} <= 2/L_J" if "L_J" in value else f"<= {shown_below(limit, 6)} <= {name}"
    return [
        f"CERTIFIED {where} by Theorem {certificate.theorem.id}, {certificate.rigor.value}:",
        "  exact gradient descent from there converges to a global optimum within a path of "
        f"{shown_above(value['rbar'].upper, 4)};",
        f"  its residual, at most {shown_above(value['s0'].upper, 4)} there, falls at least by the factor "
        f"{shown_above(value['rate'].upper, 8)} per step",
        f"  q <= {shown_quotient(value['q'].upper)} < 1, lambda0 >= {shown_below(value['lambda0'].lower, 4)}, "
        f"lambda_max <= {shown_above(value['lambda_max'].upper, 4)}, beta <= {shown_above(value['beta'].upper, 4)}, "
        f"step {shown_below(value['eta'].lower, 6)} {largest}",
        *(f"  also certified there by Theorem {other.theorem.id}" for other in certificate.others if other.theorem),
    ]


def _consequence_lines(verification: Verification) -> list[str]:
    from verify.consequence_lines import consequence_lines

    return consequence_lines(verification.consequences, verification.certificate.constants["rbar"].upper)


def _rigor_lines(verification: Verification) -> list[str]:
    """What of all that is printed is enclosed and what is not, where a certificate is rigorous."""
    if verification.certificate.rigor is not Rigor.RIGOROUS:
        return []
    lines = [*_covered_lines(verification.guarantee, verification.certificate.constants["s0"].upper)]
    if verification.certificate.theorem is not None and verification.setup.loss.name not in DERIVED_LOSSES:
        lines.append('  the checker does not derive the constants of a loss of one\'s own: it will answer "not decided"')
    lines += ["  rigorous: every number of this certificate is enclosed, from the exact weights and data (docs/rigor.md)"]
    return [*lines, "  floating point: the run as it was measured, hence the checks below"] if verification.claims else lines


def _covered_lines(guarantee: RunGuarantee | None, value: Fraction) -> list[str]:
    """Theorem A1: how many steps of the float64 run of this program are covered, with which path and envelope; value: s_0."""
    if guarantee is None:
        return []
    found = guarantee.best
    if isinstance(found, NotCovered):
        return [f"  the float64 run from there is not covered (Theorem A1): {found.reason}"]
    floor = found.lasting if found.settling is None else found.settling
    error, rate = shown_above(Fraction(found.gradient_error), 2), shown_above(Fraction(floor.rate), 6)
    radius, level = shown_above(Fraction(found.ball_radius), 4), shown_above(Fraction(floor.floor), 2)
    lines = [
        f"  the float64 run of this program (Theorem A1, {found.rigor.value}): "
        f"for {found.steps:,} steps its gradients err by at most {error}",
        f"  and its path stays below {radius}; for {floor.steps:,} steps its residual is at most "
        f"{rate}^k {shown_above(value, 4)} + {level}",
    ]
    return [*lines, *([f"    not enclosed: {'; '.join(found.taints)}"] if found.taints else [])]


DERIVED_LOSSES = (*LOSSES, *RIDGED_LOSSES)
REMEDIES = {
    "residual": "a residual of {:.4g} (more steps may reach it)",
    "label_scale": "labels scaled by {:.4g}",
    "output_scale": "an output scale of {:.4g}",
    "width_estimate": "hidden widths of about {:.3g} (an estimate from the signals' scaling)",
}


def _remedy_lines(certificate: Certificate, at_start: bool) -> list[str]:
    """What would satisfy the hypothesis that failed; along a run only the residual, which more steps may reach."""
    remedies = certificate.failure.remedies if certificate.failure is not None else {}
    names = [name for name in REMEDIES if name in remedies and (at_start or name == "residual")]
    told = [REMEDIES[name].format(remedies[name]) for name in names]
    return [f"  would satisfy it: {told[0]}", *(f"                    {line}" for line in told[1:])] if told else []


def claims_table(claims: tuple[CheckedClaim, ...]) -> Table:
    """Bound, measured, slack and verdict of each claim, at the check with the least room."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("claim", "left"),
        ("bound", "right"),
        ("measured", "right"),
        ("slack", "right"),
        ("at step", "right"),
        ("checks", "right"),
        ("verdict", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=name != "claim")  # type: ignore[arg-type]
    for claim in claims:
        verdict = Text(claim.outcome, style=STYLES[claim.verdict])
        checks = sum(count for kind, count in claim.counts.items() if kind is not Verdict.NOT_APPLICABLE)
        title = claim.statement.split(":", 1)[0]
        table.add_row(
            f"{claim.id} {title}",
            f"{'>= ' if claim.lower and claim.bound is not None else ''}{number_shown(claim.bound, above=not claim.lower)}",
            number_shown(claim.measured, above=not claim.lower),
            slack_shown(claim.slack),
            "" if claim.step is None else str(claim.step),
            str(checks) if checks else "",
            verdict,
        )
    return table


def reason_lines(claims: tuple[CheckedClaim, ...]) -> list[str]:
    """Why claims are not applicable, those with the same reason in one line, and which checks are not counted."""
    missing: dict[str, list[str]] = {}
    for claim in claims:
        if claim.verdict is Verdict.NOT_APPLICABLE:
            missing.setdefault(claim.reason, []).append(claim.id)
    lines = [f"{claim.id}: {claim.reason}" for claim in claims if NOT_COUNTED in claim.reason]
    return [*lines, *(f"not applicable: {', '.join(names)}: {reason}" for reason, names in missing.items())]


def shown_above(value: Fraction, digits: int) -> str:
    """A number to so many digits, rounded up: what is shown bounds it."""
    return _plain(decimal_above(value, digits))


def shown_quotient(value: Fraction) -> str:
    """q to 4 digits, rounded up, and to more where a q below 1 would be shown as 1."""
    shown = (shown_above(value, digits) for digits in range(4, 40))
    return next((text for text in shown if value >= 1 or Fraction(text) < 1), shown_above(value, 40))


def shown_below(value: Fraction, digits: int) -> str:
    """A number to so many digits, rounded down."""
    return _plain(decimal_below(value, digits))


def _plain(value: Decimal) -> str:
    """A decimal without trailing zeros, in the shorter of the two notations."""
    short = value.normalize()
    return f"{short:f}" if -5 <= short.adjusted() <= 6 else f"{short:e}"


def number_shown(value: float | None, above: bool) -> str:
    """A compared number, rounded to the side on which it remains a bound: of what is measured, or of what the theorem allows."""
    if value is None or not math.isfinite(value):
        return "" if value is None else str(value)
    return (shown_above if above else shown_below)(Fraction(value), 5)


def slack_shown(value: float | None) -> str:
    """At least 1 where a bound holds, rounded down; the excess over 1 is shown where 1 + excess would print as 1."""
    if value is None or not math.isfinite(value):
        return "" if value is None else str(value)
    excess = Fraction(value) - 1
    if excess == 0 or abs(excess) >= Fraction(1, 1000):
        return shown_below(Fraction(value), 4)
    return f"1{'+' if excess > 0 else ''}{shown_below(excess, 2)}"


def counts_line(verification: Verification) -> Text:
    """The four counts."""
    text = Text("checks: ", style="bold")
    for verdict, count in verification.counts.items():
        text.append(f"{count} {verdict.name}  ", style=STYLES[verdict])
    return text
