# SPDX-License-Identifier: Apache-2.0
"""The sample app: its logic runs on real pictures here; its screens, which need an Apple SDK, are parsed."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
from ios.swift_build import PACKAGE, built, compile_with_package, run

SAMPLE = PACKAGE / "sample" / "TealightSample.swiftpm"
HERE = pathlib.Path(__file__).parent
pytestmark = built


@pytest.fixture(scope="module")
def report(package, data, environment, tmp_path_factory) -> dict:
    """What sample_check.swift prints."""
    check = tmp_path_factory.mktemp("sample") / "check"
    compile_with_package(environment, check, *sorted((SAMPLE / "Logic").glob("*.swift")), HERE / "sample_check.swift")
    return json.loads(run(environment, check, data, timeout=120))


def test_classification_names_what_the_picture_shows(report):
    assert report["guesses"][0]["id"] == 282
    assert report["guesses"][0]["name"] == "class 282"
    scores = [guess["score"] for guess in report["guesses"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)


def test_detection_finds_the_known_faces(report):
    # meta.json of the model: 2 faces, [x1, y1, x2, y2, score].
    known = [[0.205, 0.0479, 0.3412, 0.3026, 1.0], [0.6618, 0.2465, 0.8013, 0.5, 1.0]]
    np.testing.assert_allclose(sorted(report["boxes"]), known, atol=1e-3)


def test_benchmark_adds_up(report):
    assert 0 < report["median"] <= report["slowest"]
    assert 0.5 < sum(report["parts"]) <= 1.001


def test_a_model_without_pictures_is_refused(report):
    assert "no input is a picture" in report["refused"]


def test_screens_parse(environment):
    run(environment, "swiftc", "-parse", "-swift-version", "6", *sorted((SAMPLE / "App").glob("*.swift")))
    run(environment, "swiftc", "-parse", SAMPLE / "Package.swift")
    run(environment, "swiftc", "-parse", PACKAGE / "Sources" / "Tealight" / "ImageInput+Apple.swift")
