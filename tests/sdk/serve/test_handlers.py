# SPDX-License-Identifier: Apache-2.0
"""Who gets an answer, and which: hosts, origins, tokens, sizes, routes."""

from __future__ import annotations

import io
import json
import socket
import zipfile

import numpy as np
import pytest
from PIL import Image
from sdk.serve.client import endless, message, npy


def picture(colour: tuple[int, int, int], kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (30, 20), colour).save(stream, kind)
    return stream.getvalue()


# ---- who may ask ----


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_rebound_name_gets_nothing(client, host):
    for path in ("/", "/api/models"):
        status, data = client.ask("GET", path, Host=host)
        assert status == 403 and "not this machine" in data["error"]


@pytest.mark.parametrize("host", ["localhost:{}", "127.0.0.1:{}", "[::1]:{}", "localhost", "LOCALHOST:9"])
def test_names_of_this_machine_are_answered(client, host):
    assert client.raw("GET", "/", Host=host.format(client.port))[0] == 200


def test_no_host_at_all_gets_nothing(client):
    assert client.ask("GET", "/", Host=None)[0] == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{}", "http://localhost:{}", "file://"]
)
def test_other_origins_get_nothing(client, origin):
    origin = origin.format(client.port)
    for method, path, body in (("POST", "/api/run", message(0)), ("GET", "/api/models", None)):
        status, data = client.ask(method, path, body, Origin=origin)
        assert status == 403 and "another site" in data["error"]


def test_our_own_origin_is_answered(client):
    assert client.ask("GET", "/api/models", Origin=f"http://127.0.0.1:{client.port}")[0] == 200


def test_a_browser_that_says_cross_site_gets_nothing(client):
    assert client.ask("GET", "/api/models", Sec_Fetch_Site="cross-site")[0] == 403
    assert client.raw("GET", "/", Sec_Fetch_Site="none")[0] == 200


@pytest.mark.parametrize("token", [None, "wrong", "\xe9"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/models"), ("GET", "/api/jobs/x"), ("POST", "/api/run"), ("POST", "/api/jobs/x/cancel")],
)
def test_every_call_needs_the_token(client, method, path, token):
    status, data = client.ask(method, path, b"" if method == "POST" else None, token=token)
    assert status == 403 and "reload the page" in data["error"]


# ---- sizes and forms ----


def test_too_large_uploads_get_a_clear_413(start):
    client = start(max_bytes=1000)
    status, data = client.ask("POST", "/api/run", bytes(1001))
    assert status == 413 and "expected at most 0.0 MB; start with --max-upload" in data["error"]
    status, data = client.ask("POST", "/api/run", b"", Content_Length="9" * 30)
    assert status == 413
    assert client.ask("POST", "/api/run", bytes(1000))[0] == 400


@pytest.mark.parametrize("length", [None, "-1", "x", "1_0", "\xb2"])
def test_a_body_without_a_length_is_refused(client, length):
    assert client.ask("POST", "/api/run", b"", Content_Length=length)[0] == 411


def test_a_body_in_chunks_is_refused(client):
    assert client.ask("POST", "/api/run", b"", Transfer_Encoding="chunked")[0] == 411


def test_a_body_that_ends_early_is_refused(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as s:
        s.sendall(f"POST /api/run HTTP/1.1\r\nHost: localhost\r\nX-Tealight-Token: {client.token}\r\n"
                  "Content-Length: 100\r\n\r\nshort".encode())  # fmt: skip
        s.shutdown(socket.SHUT_WR)
        assert b"408" in s.recv(100)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/api/jobs/none", 404), ("POST", "/", 404), ("PUT", "/", 501),
     ("DELETE", "/api/models", 501), ("GET", "/../../etc/passwd", 404), ("GET", "/page.js", 404),
     ("POST", "/api/jobs/none/cancel", 404), ("GET", "/api/jobs/none/outputs.npz", 404)],
)  # fmt: skip
def test_other_paths_and_methods_get_an_error_as_data(client, method, path, status):
    found, data = client.ask(method, path, b"" if method in ("POST", "PUT") else None)
    assert found == status and data["error"]


@pytest.mark.parametrize("model", [2, -1, 10**30])
def test_other_models_are_refused(client, model):
    status, data = client.submit(model)
    assert status == 400 and "expected what is offered" in data["error"]


def test_other_devices_are_refused(client):
    assert client.submit(0, device="../../bin/sh")[0] == 400


def test_nonsense_gets_an_error_and_the_server_goes_on(client):
    for nonsense in (b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 70000 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as s:
            s.sendall(nonsense)
            s.shutdown(socket.SHUT_WR)
            s.recv(1000)
    assert client.ask("GET", "/api/models")[0] == 200


# ---- answers ----


def test_the_page_loads_nothing_and_may_run_only_itself(client):
    status, headers, page = client.raw("GET", "/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    text = page.decode()
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "") and "https:" not in text and "src=" not in text
    assert "Access-Control-Allow-Origin" not in headers


def test_models_and_devices(client):
    _, data = client.ask("GET", "/api/models")
    assert [m["file"] for m in data["models"]] == ["colours.tea", "loop.tea"]
    assert data["models"][0]["inputs"][0]["kind"] == "picture" and data["models"][0]["labels"]
    assert [d["name"] for d in data["devices"]][:3] == ["host", "cortex-a53", "cortex-a76"]


@pytest.mark.parametrize(("colour", "label"), [((250, 9, 9), "red"), ((9, 250, 9), "<green>"), ((9, 9, 250), "blue")])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_classified(client, colour, label, kind):
    job = client.run(0, (f"a.{kind.lower()}", None, picture(colour, kind)))
    assert job["state"] == "done", job
    (output,) = job["result"]["outputs"]
    assert output["top"][0]["label"] == label and output["probabilities"]
    assert job["result"]["inputs"][0]["kind"] == "picture" and job["result"]["boxes"] is None
    assert sum(layer["ns"] for layer in job["result"]["layers"]) > 0
    assert all(layer["on"] == "cpu" for layer in job["result"]["layers"])


def test_outputs_can_be_downloaded(client):
    x = np.arange(4, dtype=np.float32)
    job = client.run(1, ("n.npy", "n", npy(np.array(2))), ("x.npy", "x", npy(x)))
    _, _, data = client.raw("GET", f"/api/jobs/{job['id']}/outputs.npz")
    with np.load(io.BytesIO(data)) as archive:
        np.testing.assert_array_equal(archive["y"], x)
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def test_outputs_of_a_run_that_is_not_done(client):
    _, job = client.submit(1, *endless())
    status, data = client.ask("GET", f"/api/jobs/{job['id']}/outputs.npz")
    assert status == 409 and "expected one that is done" in data["error"]


def test_faults_of_a_file_come_as_the_error_of_the_run(client):
    for name, data, words in (("a.png", b"broken", "no picture"), ("a.npy", npy(np.zeros(3)), "expected")):
        job = client.run(0, (name, None, data))
        assert job["state"] == "failed" and words in job["error"] and job["result"] is None
    assert "missing" in client.run(0)["error"]


def test_answers_are_json_even_for_numbers_that_json_does_not_have(client):
    x = np.array([np.nan, np.inf, 1, 2], np.float32)
    job = client.run(1, ("n.npy", "n", npy(np.array(1))), ("x.npy", "x", npy(x)))
    assert job["result"]["outputs"][0]["not_finite"] == 2
    assert json.dumps(job, allow_nan=False)
