# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: a hand drops real files on it and sees what real models say."""

from __future__ import annotations

import json
import pathlib
import re
import threading
import time
import wave
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from sdk.serve.browser import Browser

import tealight
from tealight.serve.jobs import devices_here
from tealight.serve.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("serve_page")]  # one Chromium for all
WORDS = "Down Go Left No Off On Right Stop Up Yes Silence Unknown".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def browser(folder) -> Iterator[Browser]:
    browser = Browser(folder / "profile")
    yield browser
    browser.close()


def served(*bundles: pathlib.Path | str) -> Iterator[Server]:
    with Server([str(b) for b in bundles], max_bytes=2_000_000) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def small(bundles) -> Iterator[Server]:
    yield from served(*bundles)


@pytest.fixture(scope="module")
def real(native, assets, folder) -> Iterator[Server]:
    """A classifier, a face detector, a keyword spotter and a judge of speech quality."""
    labels = [f"class {i}" for i in range(1001)]
    labels[282] = "tabby cat"
    image = {"mean": 128.0, "scale": 1 / 128}
    sources = {
        "mobilenet_v1_0.25_128/mobilenet_v1_0.25_128_float.onnx": {"labels": labels, "image": image},
        "ultraface_slim320/version-slim-320.onnx": {
            "labels": {"scores": ["background", "face"]}, "image": {"mean": 127.0, "scale": 1 / 128}
        },
        "mlperf_tiny_kws_dscnn/kws_ref.onnx": {"labels": WORDS},
        "dnsmos_onnx/sig_bak_ovr.onnx": {},
    }  # fmt: skip
    for i, (source, options) in enumerate(sources.items()):
        tealight.build(assets / source, folder / f"{i}.tea", **options)
    yield from served(*(folder / f"{i}.tea" for i in range(len(sources))))


def show(browser: Browser, server: Server, model: int = 0, scheme: str = "light") -> None:
    browser.errors.clear()
    browser.look(scheme)
    browser.open(server.url)
    browser.choose("#model", str(model))


def finished(browser: Browser) -> None:
    browser.wait("document.querySelector('#status').textContent.startsWith('Done')")
    assert browser.errors == []


def as_picture(array: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    Image.fromarray(np.load(array)).save(path)
    return path


@pytest.mark.parametrize(("scheme", "back"), [("light", (255, 255, 255)), ("dark", (20, 23, 29))])
def test_a_dropped_photo_shows_its_label(browser, real, assets, folder, scheme, back):
    photo = as_picture(assets / "mobilenet_v1_0.25_128/inputs/kitten_128.u8.npy", folder / "kitten.png")
    show(browser, real, 0, scheme)
    browser.drop(photo)
    finished(browser)
    assert browser.text(".verdict").startswith("tabby cat")
    assert len(browser.text(".top").splitlines()) == 10
    assert browser.js("document.querySelectorAll('#strip i').length") > 20
    assert "placed on: cpu" in browser.text("#layers-summary")
    browser.screenshot(folder / "page.png", whole=False)
    pixels = np.asarray(Image.open(folder / "page.png").convert("RGB"))
    assert tuple(pixels[3, 3].tolist()) == back and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_dropped_photo_shows_its_faces(browser, real, assets, folder, scheme):
    photo = as_picture(assets / "ultraface_slim320/inputs/img13_320x240.u8.npy", folder / "two.png")
    show(browser, real, 1, scheme)
    browser.drop(photo)
    finished(browser)
    assert browser.text(".verdict").startswith("2 × face")
    sides = "['x', 'y', 'width', 'height'].map((k) => +r.getAttribute(k))"
    found = browser.js(f"[...document.querySelectorAll('.sight rect')].map((r) => {sides})")
    cases = json.loads((assets / "ultraface_slim320/meta.json").read_text())["cases"]
    answer = next(c["known_answer"] for c in cases if c["name"] == "img13_decoded")
    wanted = np.array(json.loads(re.search(r"normalised: (.*)$", answer).group(1)))[:, :4]
    corners = np.array(found)
    corners[:, 2:] += corners[:, :2]
    np.testing.assert_allclose(corners[np.argsort(corners[:, 0])], wanted[np.argsort(wanted[:, 0])], atol=0.01)
    browser.js("(() => { const s = document.querySelector('#least'); s.value = 0.95;"
               "s.dispatchEvent(new Event('input')) })()")  # fmt: skip
    assert browser.text(".verdict").startswith("2 × face")
    assert browser.js("document.querySelectorAll('.tag').length") == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dropped_features_show_their_word(browser, real, assets, scheme):
    show(browser, real, 2, scheme)
    browser.drop(assets / "mlperf_tiny_kws_dscnn/inputs/yes.input.npy")
    finished(browser)
    assert browser.text(".verdict").startswith("Yes")


def test_an_emulated_phone_is_chosen_and_has_the_same_bits(browser, real, assets):
    show(browser, real, 2)
    if missing := next(d["missing"] for d in devices_here() if d["name"] == "cortex-a53"):
        pytest.skip(missing)
    browser.drop(assets / "mlperf_tiny_kws_dscnn/inputs/yes.input.npy")
    finished(browser)
    browser.choose("#device", "cortex-a53")
    assert "hundreds of times as long" in browser.text("#device-note")
    browser.wait("document.querySelector('#status').textContent.endsWith('emulated cortex-a53') &&"
                 "document.querySelector('#status').textContent.startsWith('Done: Yes, 99.9 % sure;')")  # fmt: skip
    assert browser.text(".verdict").startswith("Yes") and "the same as on host" in browser.text(".chips")
    assert "not how long a phone takes" in browser.text("#layers-note") and browser.errors == []


def test_a_phone_that_is_not_set_up_says_what_is_missing(browser, small, monkeypatch):
    monkeypatch.setenv("TEALIGHT_RUNNER", "/nowhere/runner")
    show(browser, small)
    browser.choose("#device", "cortex-a76")
    assert "not found" in browser.text("#device-note")
    browser.click("#random")
    browser.wait("!document.querySelector('#error').hidden")
    assert "cortex-a76" in browser.text("#error") and browser.errors == []


def test_a_dropped_sound_shows_its_waves_and_its_scores(browser, real, assets, folder):
    samples = np.load(assets / "dnsmos_onnx/inputs/clean.input_1.npy").reshape(-1)
    with wave.open(str(folder / "clean.wav"), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16000)
        w.writeframes((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes())
    show(browser, real, 3)
    browser.drop(folder / "clean.wav")
    finished(browser)
    scores = [float(v) for v in browser.text(".verdict").split()[:3]]
    np.testing.assert_allclose(scores, [4.010, 3.380, 3.279], atol=0.05)
    assert "9.0 s at 16.0 kHz, mono" in browser.text("#scene")
    assert browser.js("document.querySelector('.spectrum').naturalWidth") > 400


def test_what_is_wrong_is_said_and_the_next_file_works(browser, small, folder):
    show(browser, small)
    for name, data, words in (
        ("text.txt", b"no picture", "kind '.txt'"),
        ("broken.png", b"no picture", "no picture that is known here"),
        ("large.png", bytes(3_000_000), "3.0 MB"),
    ):
        (folder / name).write_bytes(data)
        browser.drop(folder / name)
        shown = "document.querySelector('#error')"
        browser.wait(f"!{shown}.hidden && {shown}.textContent.includes({json.dumps(words)})")
        browser.wait("document.querySelector('#scene').hidden && !document.querySelector('#empty').hidden")
    Image.new("RGB", (40, 30), (10, 250, 20)).save(folder / "green.png")
    browser.drop(folder / "green.png")
    browser.wait("document.querySelector('#error').hidden")
    finished(browser)
    assert browser.text(".verdict").startswith("<green>")  # a text, not an element


def test_everything_works_with_keys_alone(browser, small):
    show(browser, small)
    order = []
    for _ in range(8):
        browser.press("Tab")
        order.append(browser.js("document.activeElement.id"))
        if order[-1] == "random":
            break
    assert order[-5:] == ["model", "device", "pick", "example", "random"]
    browser.press("Enter", text="\r")
    finished(browser)
    assert "random numbers" in browser.text("#scene")


def test_a_screen_reader_is_told(browser, small):
    show(browser, small)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = {(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if "role" in n}
    wanted = [("heading", "Input"), ("heading", "Answer"), ("combobox", "Device"), ("button", "Try random numbers")]
    for role, name in wanted:
        assert (role, name) in named
    assert any(role == "button" and name.startswith("Drop a picture here") for role, name in named)
    assert {"status", "alert", "banner", "main"} & {r for r, _ in named} >= {"status", "main"}


def test_a_long_run_can_be_cancelled(browser, small, folder):
    np.save(folder / "n.npy", np.array(10**12))
    np.save(folder / "x.npy", np.ones(4, np.float32))
    show(browser, small, 1)
    browser.drop(folder / "n.npy")
    browser.wait("document.querySelector('#in-note').textContent === 'Still open: x.'")
    browser.drop(folder / "x.npy")
    browser.wait("document.querySelector('#status').textContent.includes('Running … 1 s')")
    browser.click("#cancel")
    browser.wait("document.querySelector('#status').textContent === 'Cancelled.'")
    assert browser.js("document.querySelector('#progress').hidden") and browser.errors == []


def test_the_example_of_a_bundle_has_the_bits_of_its_build(browser, small):
    show(browser, small)
    browser.click("#example")
    finished(browser)
    assert browser.text(".verdict").startswith("<green>") and "as when it was built ✓" in browser.text(".chips")
    assert "random" not in browser.text("#scene")
    browser.choose("#model", "1")
    assert browser.js("document.querySelector('#example').hidden")


def test_a_run_ends_when_its_page_goes(browser, small, folder):
    np.save(folder / "n.npy", np.array(10**12))
    np.save(folder / "x.npy", np.ones(4, np.float32))
    show(browser, small, 1)
    browser.drop(folder / "n.npy", folder / "x.npy")
    browser.wait("document.querySelector('#status').textContent.startsWith('Running')")
    (job,) = [j for j in small.results._jobs.values() if j.state == "running"]
    browser.call("Page.navigate", url="about:blank")
    end = time.monotonic() + 20
    while job.state != "cancelled":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_outputs_can_be_saved(browser, small, folder):
    show(browser, small)
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder / "saved"))
    browser.click("#random")
    finished(browser)
    browser.click("#save")
    file = folder / "saved" / "colours_outputs.npz"
    for _ in range(200):
        if file.exists():
            break
        browser.js("new Promise((done) => setTimeout(done, 50))")
    with np.load(file) as archive:
        assert archive["y"].shape == (1, 3)


def test_nothing_sticks_out_on_a_small_screen(browser, small):
    browser.errors.clear()
    browser.look("light", 360, 700)
    browser.open(small.url)
    browser.click("#random")
    finished(browser)
    assert browser.js("document.documentElement.scrollWidth <= innerWidth")
