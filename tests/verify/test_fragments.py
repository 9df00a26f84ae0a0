"""Results in notebooks: pieces of HTML that say what the report says, every text escaped."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest

from verify.problem import problem_from_mapping
from verify.report import number_shown
from verify.result import Verification
from verify.verdict import Verdict
from verify.verification import certify_only, verify


class Tags(HTMLParser):
    """Whether tags nest, and which there are."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(text: str) -> list[str]:
    parser = Tags()
    parser.feed(text)
    parser.close()
    assert not parser.open
    return parser.seen


@pytest.fixture(scope="module")
def found() -> Verification:
    sections = {"data": {"source": "digits", "classes": [3, 8], "points": 4}, "training": {"steps": 400}}
    return verify(problem_from_mapping(sections))


def test_a_verification_shows_every_claim(found: Verification) -> None:
    text = found._repr_html_()
    assert tags(text).count("tr") == 1 + len(found.claims)
    for claim in found.claims:
        assert f"<td>{claim.id}</td>" in text
        assert number_shown(claim.bound, above=not claim.lower) in text
    assert f"Certified from step {found.certificate.step} on" in text
    assert len(repr(found)) < 200


def test_a_certificate_shows_its_constants_or_why_there_is_none(found: Verification) -> None:
    text = found.certificate._repr_html_()
    assert tags(text).count("tr") == 1 + len(found.certificate.constants)
    assert "by Theorem A-square" in text
    assert "A-square" in repr(found.certificate)
    refused = certify_only(problem_from_mapping({"data": {"source": "digits", "classes": [3, 8], "points": 16}})).certificate
    text = refused._repr_html_()
    assert "Not certified" in text
    assert "would satisfy it: residual" in text
    assert "table" not in tags(text)
    assert "not certified" in repr(refused)


def test_texts_are_escaped(found: Verification) -> None:
    claim = dataclasses.replace(
        found.claims[0], id="<script>", statement="<img src=x> & s < t", verdict=Verdict.UNDECIDED, reason="</td><b>"
    )
    text = claim._repr_html_()
    assert set(tags(text)) == {"table", "thead", "tbody", "tr", "th", "td", "br", "small"}
    for part in ("&lt;script&gt;", "&lt;img src=x&gt; &amp; s &lt; t", "&lt;/td&gt;&lt;b&gt;", "UNDECIDED"):
        assert part in text
