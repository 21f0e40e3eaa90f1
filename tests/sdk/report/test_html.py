# SPDX-License-Identifier: Apache-2.0
"""The HTML page: complete, self-contained, escaped; and in a real browser, light and dark."""

import html.parser
import re

import numpy as np
import pytest
from graph_builder import Build
from PIL import Image
from sdk.serve.browser import Browser

from tealight.bundle import writer
from tealight.emulator.layer_errors import LayerError
from tealight.lower.emit import emit
from tealight.report import html as report
from tealight.report.diff import diff
from tealight.report.summary import summarize


class Checker(html.parser.HTMLParser):
    """Collects tags that open and never close, and links."""

    VOID = ("meta", "rect", "br", "img", "path", "polyline", "!doctype")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass


def summary(tmp_path, name: str = "m.tea"):
    b = Build()
    b.graph.outputs = [b.unary("exp", b.conv(b.input(1, 8, 8, 3, name="<x>"), 5))]
    path = tmp_path / name
    writer.write(path, writer.to_bytes(emit(b.graph).bundle))
    return summarize(path)


def test_page_is_whole_and_links_nothing(tmp_path):
    page = report.page(summary(tmp_path))
    checker = Checker()
    checker.feed(page)
    assert checker.open == [] and checker.links == []
    assert "prefers-color-scheme: dark" in page and "&lt;x&gt;" in page and "<x>" not in page


def test_times_get_a_picture(tmp_path):
    s = summary(tmp_path)
    assert "Time per instruction" not in report.page(s)
    for i, row in enumerate(s.programs[0].rows):
        row.min_ns = 1000 * (i + 1)
    assert "Time per instruction" in report.page(s)


def test_same_bundle_same_page(tmp_path):
    assert report.page(summary(tmp_path)) == report.page(summary(tmp_path))


def whole(tmp_path) -> str:
    """Returns a page with every section."""
    s = summary(tmp_path)
    for row in s.programs[0].rows:
        row.min_ns = 1000
    b = Build()
    operands = [b.const(np.full((5, 8), 9), np.int8), b.const(np.zeros(5), np.int32), b.const(np.ones(5))]
    x = b("quantize", b.input(1, 8), b.const(1.0), b.const(0, np.int8), to=4, axis=0)
    output = {"zero_point": 0, "lo": -128, "hi": 127, "wide": False}
    b.graph.outputs = [b("q_fully_connected", x, *operands, x_zero_point=0, weight_zero_point=0, output=output)]
    writer.write(tmp_path / "q.tea", writer.to_bytes(emit(b.graph).bundle))
    errors = [
        LayerError(i, "conv2d", "n", f"a value with a rather long name {i}" * 3, (1, 8, 8, 5), 0.1, 0, 30.0 - 20 * i,
                   35.0 - 20 * i, 0.99, 0.1, 1.0, 0.0, 0, 5)
        for i in range(len(s.programs[0].rows))
    ]  # fmt: skip
    row = {"model": "m", "recipe": "float32", "engine": "native", "file_bytes": 1, "median_ns": None,
           "samples": 5, "figures": {"top1": 0.5}, "drop": 0.0}  # fmt: skip
    accuracy = {"data": "set", "samples": 5, "unit": "points", "rows": [row]}
    previous = diff(tmp_path / "m.tea", tmp_path / "q.tea")
    return report.page(s, report.Extras.of(tmp_path / "q.tea", errors=errors, previous=previous, accuracy=accuracy))


def test_every_section_is_there_and_nothing_is_loaded(tmp_path):
    page = whole(tmp_path)
    checker = Checker()
    checker.feed(page)
    assert checker.open == [] and all(link.startswith("data:image/png") for link in checker.links) and checker.links
    for title in ("Accuracy", "Against m.tea", "Memory plan", "Time per instruction", "Error per instruction", "Graph",
                  "Weights per channel"):  # fmt: skip
        assert f"<h2>{title}" in page
    assert "<td class=n>50.00%</td>" in page
    assert not re.search(r"https?://|@import|url\(", page)


@pytest.mark.slow
def test_in_a_browser_light_and_dark(tmp_path):
    page = tmp_path / "r.html"
    page.write_text(whole(tmp_path), encoding="utf-8")
    browser = Browser(tmp_path / "profile")
    try:
        browser.call("Page.navigate", url=page.as_uri())
        browser.wait("document.readyState === 'complete' && document.querySelector('h1')")
        corners = []
        for scheme in ("light", "dark"):
            browser.look(scheme, 1280, 1600)
            browser.screenshot(tmp_path / f"{scheme}.png", whole=False)
            pixels = np.asarray(Image.open(tmp_path / f"{scheme}.png").convert("RGB"))
            corners.append(tuple(pixels[2, 2].tolist()))
            assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100  # text and pictures were drawn
        assert corners == [(255, 255, 255), (20, 23, 29)]
        for width in (1280, 320):
            browser.look("light", width)
            root = "document.documentElement"
            assert browser.js(f"{root}.scrollWidth <= {root}.clientWidth"), width  # nothing sticks out
    finally:
        browser.close()
    assert browser.errors == []
