# SPDX-License-Identifier: Apache-2.0
"""One run at a time per model, a queue with an end, cancelling and timeouts, and what is kept."""

from __future__ import annotations

import ast
import json
import pathlib
import shutil
import threading
import time

import numpy as np
import pytest
from PIL import Image
from sdk.serve.client import endless, npy

import tealight
from tealight.bundle import golden, reader
from tealight.emulator import devices
from tealight.errors import TealightError
from tealight.serve import jobs


def short(seed: int = 0) -> tuple[tuple[str, str, bytes], ...]:
    x = np.random.default_rng(seed).standard_normal(4).astype(np.float32)
    return ("n.npy", "n", npy(np.array(3))), ("x.npy", "x", npy(x))


def test_a_run_can_be_cancelled_and_the_next_one_goes_on(client):
    _, job = client.submit(1, *endless())
    client.wait(job["id"], "running")
    start = time.monotonic()
    client.ask("POST", f"/api/jobs/{job['id']}/cancel", b"")
    job = client.wait(job["id"])
    assert job["state"] == "cancelled" and job["result"] is None and time.monotonic() - start < 5
    assert client.run(1, *short())["state"] == "done"


def test_a_waiting_run_can_be_cancelled(client):
    _, first = client.submit(1, *endless())
    _, second = client.submit(1, *short())
    client.wait(first["id"], "running")
    assert client.state(second["id"])["ahead"] == 1
    client.ask("POST", f"/api/jobs/{second['id']}/cancel", b"")
    assert client.state(second["id"])["state"] == "cancelled"
    client.ask("POST", f"/api/jobs/{first['id']}/cancel", b"")
    assert client.wait(first["id"])["state"] == "cancelled"


def test_a_model_runs_one_job_at_a_time_and_other_models_go_on(client):
    _, first = client.submit(1, *endless())
    client.wait(first["id"], "running")
    waiting = [client.submit(1, *short(i))[1] for i in range(jobs.MAX_WAITING)]
    status, data = client.submit(1, *short())
    assert status == 429 and "wait already" in data["error"]
    assert client.run(0, fill=True)["state"] == "done"
    assert {client.state(w["id"])["state"] for w in waiting} == {"queued"}
    client.ask("POST", f"/api/jobs/{first['id']}/cancel", b"")
    assert all(client.wait(w["id"])["state"] == "done" for w in waiting)


def test_a_run_that_takes_too_long_is_given_up(start):
    client = start(timeout=0.3)
    job = client.run(1, *endless())
    assert job["state"] == "failed" and "longer than 0.3 s" in job["error"]
    assert client.run(1, *short())["state"] == "done"


def test_many_callers_at_once_get_their_own_answers(client):
    wrong: list[object] = []

    def caller(seed: int) -> None:
        files = short(seed)
        for _ in range(4):
            while (answer := client.submit(1, *files))[0] == 429:
                time.sleep(0.01)
            done = client.wait(answer[1]["id"])
            x = np.random.default_rng(seed).standard_normal(4).astype(np.float32)
            if done["state"] != "done" or not np.allclose(done["result"]["outputs"][0]["values"], x):
                wrong.append(done)

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_only_the_last_results_are_kept(client):
    ids = [client.run(1, *short(i))["id"] for i in range(jobs.MAX_KEPT + 3)]
    status, data = client.ask("GET", f"/api/jobs/{ids[0]}")
    assert status == 404 and "run it again" in data["error"]
    assert client.state(ids[-1])["state"] == "done"


def test_the_files_of_a_run_are_forgotten_with_it(client):
    job = client.run(1, *short())
    assert client.server.results.get(job["id"]).request is None


def test_closing_cancels_what_runs(start, bundles):
    client = start()
    _, job = client.submit(1, *endless())
    client.wait(job["id"], "running")
    kept = client.server.results.get(job["id"])
    client.server.shutdown()
    client.server.server_close()
    assert kept.state == "cancelled"


def test_a_stopped_job_never_begins():
    job = jobs.Job(jobs.upload.Request(0, "host"))
    job.stop("cancelled")
    assert not job.begin() and job.state == "cancelled"


def test_stopping_between_begin_and_the_run_is_noticed():
    job = jobs.Job(jobs.upload.Request(0, "host"))
    assert job.begin()
    job.stop("cancelled")
    with pytest.raises(TealightError), job.stoppable(lambda: None):
        pytest.fail("ran")
    job.finish("stopped")
    assert job.state == "cancelled" and not job.error


def test_an_example_of_the_bundle_gives_what_it_gave(start, bundles, tmp_path):
    x = [np.random.default_rng(i).standard_normal((1, 3, 8, 12)).astype(np.float32) for i in range(2)]
    source = str(pathlib.Path(bundles[0]).with_name("c.onnx"))
    tealight.build(source, tmp_path / "g.tea", golden=[{"x": a} for a in x])
    client = start(bundles=[str(tmp_path / "g.tea")])
    assert client.ask("GET", "/api/models")[1]["models"][0]["examples"] == 2
    for i in range(2):
        job = client.run(0, example=i)
        assert job["state"] == "done" and job["result"]["differs"] == []
        assert job["result"]["inputs"][0]["max"] == x[i].max()
    for i in (2, -1):
        assert "expected 0 to 1" in client.run(0, example=i)["error"]
    sample = golden.samples(reader.read_bundle(tmp_path / "g.tea"))[0]
    assert sample.differing({"y": np.zeros(3, np.float32)}) == ["y"]


def test_a_fault_of_ours_is_an_error_and_the_worker_goes_on(client, monkeypatch, capsys):
    monkeypatch.setattr(jobs.views, "digest", lambda _: 1 / 0)
    job = client.run(0, fill=True)
    assert job["state"] == "failed" and "ZeroDivisionError" in job["error"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.undo()
    assert client.run(0, fill=True)["state"] == "done"


def test_a_function_of_the_user_decodes_boxes(start, tmp_path):
    def decode(outputs):
        return {"boxes": [[1, 2, 6, 6]], "scores": outputs["y"][0, :1], "classes": [0]}

    Image.new("RGB", (24, 16), (250, 0, 0)).save(tmp_path / "r.png")
    files = ("r.png", None, (tmp_path / "r.png").read_bytes())
    (box,) = start(decode=decode).run(0, files)["result"]["boxes"]
    assert box["label"] == "red" and box["score"] > 0.9
    np.testing.assert_allclose(box["box"], [1 / 12, 2 / 8, 6 / 12, 6 / 8])
    job = start(decode=lambda outputs: outputs["none"]).run(0, files)
    assert job["state"] == "failed" and job["error"].startswith("decode: KeyError")


def test_a_bundle_that_was_built_again_is_read_again(start, bundles, tmp_path):
    path = tmp_path / "m.tea"
    shutil.copy(bundles[1], path)
    client = start(bundles=[str(path)])
    assert client.run(0, *short())["state"] == "done"
    shutil.copy(bundles[0], tmp_path / "new.tea")
    (tmp_path / "new.tea").replace(path)
    job = client.run(0, fill=True)
    assert job["result"]["outputs"][0]["top"][0]["label"] in ("red", "<green>", "blue")
    assert job["result"]["model"]["inputs"][0]["kind"] == "picture"
    path.unlink()
    assert "m.tea" in client.run(0, fill=True)["error"]


def fastest_det(outputs):
    """Decodes FastestDet's map [1, 85, h, w]: whether something is there, four of its box, 80 classes."""
    (table,) = outputs.values()
    there, box, classes = table[0, 0], table[0, 1:5], table[0, 5:]
    height, width = there.shape
    y, x = np.mgrid[:height, :width]
    centre = np.stack([(x + np.tanh(box[0])) / width, (y + np.tanh(box[1])) / height], axis=-1)
    half = np.stack([1 / (1 + np.exp(-box[2])), 1 / (1 + np.exp(-box[3]))], axis=-1) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1).reshape(-1, 4)
    return {"boxes": boxes, "scores": there**0.6 * classes.max(axis=0) ** 0.4, "classes": classes.argmax(axis=0)}


@pytest.mark.slow
def test_a_real_detector_of_another_form_with_its_function(start, assets, tmp_path):
    labels = ["person", *(f"class {i}" for i in range(1, 80))]
    source = assets / "fastestdet_onnx"
    tealight.build(
        source / "FastestDet.onnx", tmp_path / "d.tea", labels=labels,
        image={"mean": 0.0, "scale": 1 / 255, "order": "BGR"},
    )  # fmt: skip
    photo = np.load(source / "inputs/img3_352_bgr.u8.npy")[:, :, ::-1]
    job = start(bundles=[str(tmp_path / "d.tea")], decode=fastest_det).run(0, ("p.npy", None, npy(photo)))
    found = [(b["label"], *b["box"], b["score"]) for b in job["result"]["boxes"] if b["score"] > 0.65]
    cases = json.loads((source / "meta.json").read_text())["cases"]
    answer = next(c["known_answer"] for c in cases if c["name"] == "img3")
    wanted = ast.literal_eval(answer.partition("NMS: ")[2])
    assert [f[0] for f in found] == [w[0] for w in wanted]
    np.testing.assert_allclose([f[1:] for f in found], [w[1:] for w in wanted], atol=2e-3)


def test_devices_that_are_not_here_say_why(monkeypatch):
    monkeypatch.setattr(devices.shutil, "which", lambda _: None)
    found = jobs.devices_here()
    assert found[0] == {"name": "host", "emulated": False, "missing": ""}
    assert all("not found" in d["missing"] for d in found[1:])


@pytest.mark.slow
def test_an_emulated_phone_gives_the_same_bits_and_can_be_cancelled(client):
    try:
        devices.runner_command("cortex-a53")
    except TealightError as e:
        pytest.skip(str(e))
    assert shutil.which("qemu-aarch64")
    here = client.run(1, *short())
    phone = client.run(1, *short(), device="cortex-a53")
    assert phone["state"] == "done", phone
    assert phone["result"]["digest"] == here["result"]["digest"] and phone["result"]["emulated"]
    _, job = client.submit(1, *endless(), device="cortex-a53")
    client.wait(job["id"], "running")
    client.ask("POST", f"/api/jobs/{job['id']}/cancel", b"")
    assert client.wait(job["id"], seconds=20)["state"] == "cancelled"
