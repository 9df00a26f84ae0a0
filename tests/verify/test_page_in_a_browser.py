"""report.html in headless Chromium: every claim of result.json is on the page as rendered, nothing overflows, no labels overlap.

Run with ``pytest --browser`` where Chromium is installed; ``.ci/run`` installs it.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from verify.output import write_results
from verify.problem import built_in_problem, rigorously
from verify.verification import verify

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=3000",
)
# The page has no script of its own; this one is added to a copy of it, and writes down what a reader could stumble over.
MEASURING = f"<script>{(Path(__file__).parent / 'measuring.js').read_text()}</script>"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("browser")
    write_results(verify(rigorously(built_in_problem())), out)
    return out


def rendered(folder: Path, size: str, *flags: str) -> dict[str, object]:
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    assert browser is not None, f"--browser needs one of {', '.join(NAMES)} on the path"
    copy = folder / "measured.html"
    copy.write_text((folder / "report.html").read_text().replace("</body>", MEASURING + "</body>"))
    command = [
        browser,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={size}",
        *flags,
        "--dump-dom",
        copy.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match is not None, done.stdout[-500:]
    found: dict[str, object] = json.loads(html.unescape(match.group(1)))
    return found


@pytest.mark.parametrize("size", ["1200,900", "500,900"])
@pytest.mark.parametrize("flags", [(), ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")], ids=["light", "dark"])
def test_every_claim_is_on_the_rendered_page_and_nothing_overlaps(written: Path, size: str, flags: tuple[str, ...]) -> None:
    found = rendered(written, size, *flags)
    text = " ".join(str(found["text"]).split())
    document = json.loads((written / "result.json").read_text())
    for claim in document["claims"]:
        assert claim["id"] in text
        assert " ".join(claim["statement"].split()) in text, claim["id"]
        assert claim["verdict"] in text
    assert found["overlaps"] == []
    assert found["invisible"] == []
    assert int(str(found["scrollWidth"])) <= int(str(found["innerWidth"])), "the page is wider than the window"
