"""The HTML page: everything in result.json stands on it, nothing is fetched, and text from outside stays text."""

from __future__ import annotations

import json
import tomllib
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from verify.output import write_results
from verify.page.figures import INK
from verify.page.page import headline, report_page
from verify.problem import Problem, load_problem, problem_from_mapping
from verify.result import result_json
from verify.verification import certify_only, verify

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Text by element, attributes that could fetch something, and whether every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "data", "action")]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style",):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def problem(**network: object) -> Problem:
    data = {"source": "digits", "classes": [3, 8], "points": 8}
    training = {"steps": 2000, "stop_residual": 1e-6}
    return problem_from_mapping({"data": data, "network": {"hidden": [32], **network}, "training": training}, Path())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("page")
    verification = verify(problem())
    write_results(verification, out)
    return verification, out


def test_every_claim_of_the_result_stands_on_the_page(written) -> None:
    verification, out = written
    document = json.loads((out / "result.json").read_text())
    page = Page((out / "report.html").read_text())
    assert document["claims"]
    for claim in document["claims"]:
        assert claim["id"] in page.words
        assert " ".join(claim["statement"].split()) in page.words, claim["id"]
    for name, count in document["counts"].items():
        assert f"{count} {name}" in page.words
    for constant in document["certificate"]["constants"].values():
        assert constant["lower"] in page.words
        assert constant["upper"] in page.words
    for digest in document["files"].values():
        assert digest in page.words
    assert headline(verification) in page.words


def test_the_page_fetches_nothing_and_has_a_figure_for_each_kind(written) -> None:
    _, out = written
    text = (out / "report.html").read_text()
    page = Page(text)
    assert all(target.startswith("#") for target in page.fetched), page.fetched
    assert "script" not in page.tags
    assert "url(http" not in text
    chains = json.loads((out / "result.json").read_text())["waterfall"]["chains"]
    assert text.count("<figure") == 3 + len(chains)
    assert {"A-a", "A0-descent", "B3", "C3-sum", "E-forward", "H1-risk"} <= {chain["claim"] for chain in chains}
    assert INK not in text


def test_its_figures_are_well_formed(written) -> None:
    _, out = written
    text = (out / "report.html").read_text()
    svgs = [part.partition("</svg>")[0] for part in text.split("<svg")[1:]]
    assert len(svgs) == 3 + len(json.loads((out / "result.json").read_text())["waterfall"]["chains"])
    for svg in svgs:
        ElementTree.fromstring("<svg" + svg + "</svg>")


def test_the_problem_on_the_page_is_the_problem_again(written, tmp_path) -> None:
    verification, out = written
    toml = Page((out / "report.html").read_text())
    shown = next(text for text in toml.text if text.lstrip().startswith("[data]"))
    path = tmp_path / "again.toml"
    path.write_text(shown)
    tomllib.loads(shown)
    assert load_problem(path).to_mapping() == verification.setup.problem.to_mapping()


def test_text_from_outside_stays_text(tmp_path) -> None:
    """A path is the user's own text; it comes out as characters, not as elements."""
    folder = tmp_path / "<script>alert(1)</script>"
    folder.mkdir(parents=True)
    source = folder / "x.csv"
    source.write_text("a,b,y\n1,2.5,1\n2,1,-1\n0,3,1\n")
    asked = problem_from_mapping({"data": {"source": str(source), "points": 3}, "network": {"hidden": [16]}}, Path())
    verification = certify_only(asked)
    page = report_page(verification, result_json(verification, {}))
    assert "script" not in Page(page).tags


def test_a_page_without_a_run_or_certificate_says_so() -> None:
    verification = certify_only(problem())
    page = Page(report_page(verification, result_json(verification, {})))
    assert "Not certified" in page.words
    assert verification.certificate.failure is not None
    assert verification.certificate.failure.detail in page.words
    assert "svg" not in page.tags
