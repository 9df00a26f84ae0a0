"""Results as pieces of HTML, for notebooks: what the report shows of them, every text escaped. No number is computed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2

from theorems.records import Theorem
from verify.certificate_record import Certificate
from verify.page.page import claim_row, headline
from verify.report import certificate_lines, problem_lines
from verify.result import PUBLIC_NAMES, Verification, constant_json
from verify.verdict import CheckedClaim

if TYPE_CHECKING:
    from verify.assertions import TheoremReport

_TEMPLATE = """
{%- if headline %}<p><b>{{ headline }}</b></p>{% endif %}
{%- for line in lines %}<div>{{ line }}</div>{% endfor %}
{%- if claims %}<table><thead><tr>
{%- for name in ("claim", "statement", "bound", "measured", "slack", "step", "checks", "verdict") %}<th>{{ name }}</th>{% endfor -%}
</tr></thead><tbody>
{%- for row in claims %}<tr><td>{{ row.id }}</td><td style="text-align:left">{{ row.statement }}
{%- if row.remark %}<br><small>{{ row.remark }}</small>{% endif %}</td><td>{{ row.bound }}</td><td>{{ row.measured }}</td>
{#- #}<td>{{ row.slack }}</td><td>{{ row.step }}</td><td>{{ row.checks }}</td><td>{{ row.outcome }}</td></tr>
{%- endfor %}</tbody></table>{% endif %}
{%- if constants %}<table><thead><tr><th>constant</th><th>lower</th><th>upper</th><th>rigor</th></tr></thead><tbody>
{%- for row in constants %}<tr><td>{{ row.name }}</td><td>{{ row.lower }}</td><td>{{ row.upper }}</td><td>{{ row.rigor }}</td></tr>
{%- endfor %}</tbody></table>{% endif %}
{%- for line in notes %}<div><small>{{ line }}</small></div>{% endfor %}"""


def verification_html(verification: Verification) -> str:
    """The outcome, what is proved in plain words, and the table of claims."""
    lines = [*problem_lines(verification), *certificate_lines(verification)]
    return _rendered(headline=headline(verification), lines=lines, claims=verification.claims)


def certificate_html(certificate: Certificate) -> str:
    """Certified or not, by what, and the enclosed constants; or the hypothesis that failed."""
    if certificate.certified:
        title = f"Certified from step {certificate.step} on by Theorem {_id(certificate.theorem)}, {certificate.rigor.value}"
        constants = [{"name": PUBLIC_NAMES.get(name, name), **constant_json(x)} for name, x in certificate.constants.items()]
        return _rendered(headline=title, constants=constants)
    failure = certificate.failure
    lines = [] if failure is None else [failure.detail]
    lines += [] if failure is None else [f"would satisfy it: {name} {value:.4g}" for name, value in failure.remedies.items()]
    return _rendered(headline=f"Not certified at step {certificate.step}", lines=lines)


def claim_html(claim: CheckedClaim) -> str:
    """One row, with its headings."""
    return _rendered(claims=(claim,))


def theorem_report_html(report: TheoremReport) -> str:
    """What came of a theorem at a run of one's own."""
    notes = [f"{name} not checked: {why}" for name, why in report.unchecked]
    return _rendered(headline=report.headline, lines=[report.scope, *report.certificate_lines()], claims=report.claims, notes=notes)


def _id(theorem: Theorem | None) -> str:
    return theorem.id if theorem is not None else ""


def _rendered(
    headline: str = "", lines: Any = (), claims: tuple[CheckedClaim, ...] = (), constants: Any = (), notes: Any = ()
) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_TEMPLATE)
    rows = [claim_row(claim) for claim in claims]
    return template.render(headline=headline, lines=lines, claims=rows, constants=constants, notes=notes)
