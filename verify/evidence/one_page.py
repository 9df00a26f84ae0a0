"""All experiments of a run as one self-contained page: what was run, seen and not seen for each claim, with tables and figures."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from importlib.resources import files

from markdown_it import MarkdownIt

from verify.evidence.findings import FIGURES, Findings
from verify.result import versions
from verify.verdict import counted

NAME = "evidence.html"


def one_page(found: Mapping[str, Findings]) -> bytes:
    """The page, from the Markdown and the figures of each experiment; nothing is fetched when it is read."""
    style = (files("verify.page") / "style.css").read_text(encoding="utf-8")
    parts = [f'<section id="{name}">{_rendered(item)}</section>' for name, item in found.items()]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evidence — overparam</title>
<style>{style}
section {{ overflow-x: auto; }} section img {{ max-width: 100%; background: #fff; }}</style>
</head>
<body>
<p class="soft small">overparam {html.escape(versions()["overparam"])}, experiments</p>
<h1>Evidence</h1>
{_totals(found)}
{"".join(parts)}
</body>
</html>
""".encode()


def _rendered(item: Findings) -> str:
    """The page of an experiment, its headings one level lower and its figures within."""
    text = re.sub(r"^(#+ )", r"#\1", item.page, flags=re.MULTILINE)
    rendered = str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
    for name, figure in item.figures.items():
        data = base64.b64encode(figure).decode()
        rendered = rendered.replace(f'src="../{FIGURES}/{name}"', f'src="data:image/svg+xml;base64,{data}"')
    return rendered


def _totals(found: Mapping[str, Findings]) -> str:
    """The four counts of every experiment."""
    verdicts = list(counted())
    head = "".join(f'<th class="n">{verdict.name}</th>' for verdict in verdicts)
    rows = "".join(
        f'<tr><td><a href="#{name}">{name}</a></td>'
        + "".join(f'<td class="n">{counted(dict(item.counts))[verdict]}</td>' for verdict in verdicts)
        + "</tr>"
        for name, item in found.items()
    )
    return f"<table><thead><tr><th>experiment</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
