# SPDX-License-Identifier: Apache-2.0
"""Manifests as text: what is read, and what is refused."""

from __future__ import annotations

import pytest
from sdk.doctor.packages import MANIFEST, binary_xml

from tealight.doctor import manifest
from tealight.errors import TealightError


@pytest.mark.parametrize("data", [MANIFEST.encode(), binary_xml(MANIFEST), b"\xef\xbb\xbf" + MANIFEST.encode()])
def test_text_and_binary_say_the_same(data):
    assert manifest.read(data, "m") == manifest.Manifest({"libcdsprpc.so": False}, False)


def test_required_is_the_default():
    text = MANIFEST.replace(' android:required="false"', "").replace('android:extractNativeLibs="false" ', "")
    assert manifest.read(text.encode(), "m") == manifest.Manifest({"libcdsprpc.so": True}, None)


def test_a_namespace_of_another_name():
    text = MANIFEST.replace("android:", "a:").replace("xmlns:a:", "xmlns:a=")
    text = text.replace("xmlns:android", "xmlns:a")
    assert manifest.read(text.encode(), "m").native_libraries == {"libcdsprpc.so": False}


def test_no_application():
    assert manifest.read(b"<manifest />", "m") == manifest.Manifest({}, None)


BOMB = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa">]><manifest>&a;</manifest>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<manifest", "unclosed token"),
        ('<?xml version="1.0" encoding="usf-8"?><manifest/>', "unknown encoding"),
        (BOMB, "a document type, expected none"),
        ("<manifest>" + "<a>" * 70 + "</a>" * 70 + "</manifest>", "more than 64 levels"),
        ("<resources />", "root element 'resources', expected 'manifest'"),
        ("<manifest/>" + " " * (1 << 22), "expected at most 4194304"),
        ("", "0 bytes|file chunk at byte 0"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(TealightError, match=message):
        manifest.read(text.encode(), "m")
