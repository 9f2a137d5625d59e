"""The report of a comparison in a browser: it renders, fits a phone, and asks the network for nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace

import vernal
from vernal.comparing import Comparison
from vernal.comparing.report import fragment

pytestmark = pytest.mark.browser

ROWS, SECONDS = 4000, 120
HOSTILE = "<script>document.title = 'taken over'</script>"
MEASURE = """\
<script>
const page = document.documentElement, sections = [...document.querySelectorAll("details:has(> .vnl-inside)")];
const shown = one => one.checkVisibility({contentVisibilityAuto: true});
const right = one => one.getBoundingClientRect().right;
const beyond = one => !one.closest(".vnl-wrap, svg") && shown(one) && right(one) > innerWidth + 1;
const charts = [...document.querySelectorAll("svg[role=img]")].filter(shown).map(one => one.getBoundingClientRect());
const measured = {
  title: document.title,
  overflow: page.scrollWidth - page.clientWidth,
  window: innerWidth,
  beyond: [...document.querySelectorAll("body *")].filter(beyond).map(one => one.outerHTML.slice(0, 80)),
  charts: charts.filter(box => box.height > 40 && box.width > 200).length,
  sections: document.querySelectorAll("section").length,
  before: sections.map(one => one.open),
};
location.hash = `#${sections.at(-1).querySelector(".vnl-inside").id}`;
setTimeout(() => {
  measured.after = sections.at(-1).open;
  measured.requests = performance.getEntriesByType("resource").length;
  parent.document.title = JSON.stringify(measured);
}, 100);
</script>
"""

COMPARE = """\
<script>
onload = () => {
  const facts = (page, what) => {
    const style = getComputedStyle(page.querySelector(what));
    return [style.color, style.backgroundColor, style.font, style.padding, style.textAlign, style.fill, style.float];
  };
  const parts = ["h3", "td", "th", "a", "b", "summary", "svg", "path", "article", "ul", "footer"];
  const bare = document.querySelector("iframe").contentDocument;
  document.title = JSON.stringify({
    alone: parts.map(what => facts(document, `#alone ${what}`)),
    beset: parts.map(what => facts(document, `#beset ${what}`)),
    outside: ["td", "b"].map(what => facts(document, `#outside ${what}`)),
    untouched: ["td", "b"].map(what => facts(bare, `#outside ${what}`)),
  });
};
</script>
"""

HOUSE_STYLE = """\
<style>
#beset { font: italic 9px serif; color: lime; text-align: right; line-height: 3; }
.notebook.cell td, .notebook.cell th { text-align: right; color: red; background: yellow; padding: 20px; }
.notebook.cell * { float: right; font-weight: 100; } .notebook.cell svg path { fill: red; }
</style>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("VERNAL_REQUIRE_BROWSER") == "1":
            pytest.fail("VERNAL_REQUIRE_BROWSER=1, but there is no chromium on the PATH")
        pytest.skip("no chromium on the PATH: the report was NOT looked at in a browser")
    return found


@pytest.fixture(scope="module")
def found() -> Comparison:
    rng = np.random.default_rng(5)

    def table(shift: float) -> pa.Table:
        columns = {f"a_rather_long_name_of_a_feature_number_{place}": rng.normal(shift, 1, ROWS) for place in range(3)}
        when = pa.array((1.37e15 + 1e12 * rng.normal(5 * shift, 1, ROWS)).astype(np.int64), pa.timestamp("us", "UTC"))
        return pa.table(
            {
                **columns,
                "when": when,
                HOSTILE: rng.choice([HOSTILE, "</title></svg><b>", "عمر", *(f"c{place}" for place in range(22))], ROWS),
                "calm": rng.normal(size=ROWS),
            }
        )

    return vernal.compare(table(0.0), table(0.7).append_column("seat", pa.array(["1A"] * ROWS)))


def told(browser: str, folder: Path, html: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Open a page and return what a script in it put into the title."""
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    ended = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *("--hide-scrollbars", "--virtual-time-budget=2000", "--dump-dom"),
            *(f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900", page.as_uri()),
        ],
        capture_output=True,
        check=True,
        timeout=SECONDS,
    )
    found = re.search(r"<title>(.*?)</title>", ended.stdout.decode(), re.DOTALL)
    assert found is not None, ended.stderr.decode()
    return json.loads(unescape(found[1]))


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_fits_the_window_and_opens_the_section_that_a_link_leads_to(
    browser: str, found: Comparison, tmp_path: Path, width: int
) -> None:
    # In a frame, as a window of Chromium cannot be as narrow as a phone.
    html = escape(found.to_html().replace("</body>", f"{MEASURE}</body>"))
    frame = f'<iframe srcdoc="{html}" style="border: 0; width: {width}px; height: 900px"></iframe>'
    drifted, features = len(found.drifted), len(found)
    assert 0 < drifted < features
    assert told(browser, tmp_path, f"<!doctype html><title></title>{frame}") == {
        "title": f"Vernal: {drifted} of {features} features drifted",
        "overflow": 0,
        "window": width,
        "beyond": [],
        "charts": drifted,
        "sections": 4,
        "before": [True] * drifted + [False] * (features - drifted),
        "after": True,
        "requests": 0,
    }


def test_a_fragment_neither_takes_nor_gives_styles(browser: str, found: Comparison, tmp_path: Path) -> None:
    other = replace(found, notes=("another result, so with another root",))
    words = "<table><tr><td>outside <b>bold</b></table>"
    frame = f"<iframe srcdoc='<!doctype html><div id=outside>{words}</div>'></iframe>"
    page = (
        f"<!doctype html><title></title>{HOUSE_STYLE}"
        f'<div id="alone">{fragment(found)}</div><div id="beset" class="notebook cell">{fragment(other)}</div>'
        f'<div id="outside">{words}</div>{frame}{COMPARE}'
    )
    measured = told(browser, tmp_path, page)
    assert measured["beset"] == measured["alone"]
    assert measured["outside"] == measured["untouched"]
