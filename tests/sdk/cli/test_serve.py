# SPDX-License-Identifier: Apache-2.0
"""tealight serve as a process: it says where it listens and ends cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest
from sdk.test_cli import negation

from tealight import cli


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(how, tmp_path, native, capsys):
    assert cli.main(["build", str(negation(tmp_path / "n.onnx", 2, 3))]) == 0
    command = [sys.executable, "-m", "tealight.cli", "serve", "--json", "--port", "0", str(tmp_path / "n.tea")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as p:  # fmt: skip
        try:
            url = json.loads(p.stdout.readline())["url"]
            with urllib.request.urlopen(url, timeout=20) as answer:
                assert b"<title>Tealight</title>" in answer.read()
            p.send_signal(how)
            out, err = p.communicate(timeout=20)
        finally:
            p.kill()
    assert (p.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--max-upload", "0"], "--max-upload: 0 MB"), (["--decode", "nothing:here"], "expected module:function"),
     (["--threads", "0"], "threads: 0"), ([], "none.tea")],
)  # fmt: skip
def test_wrong_options_are_one_clean_line(options, words, tmp_path, capsys):
    assert cli.main(["serve", str(tmp_path / "none.tea"), *options]) == 1
    assert words in capsys.readouterr().err
