# SPDX-License-Identifier: Apache-2.0
"""The HTML page: complete, self-contained, escaped."""

import html.parser

from graph_builder import Build

from tealight.bundle import writer
from tealight.lower.emit import emit
from tealight.report import html as report
from tealight.report.summary import summarize


class Checker(html.parser.HTMLParser):
    """Collects tags that open and never close, and links."""

    VOID = ("meta", "rect", "br", "!doctype")

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
