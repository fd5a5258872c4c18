"""Points at which the engine may be killed on purpose: all of them named, and dead weight unless a folder is given."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from app.config import ROOT
from app.queue import failpoints

REACH = "from app.queue import failpoints; failpoints.reach('popped'); print('alive')"


def reach(**environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **environment}
    command = [sys.executable, "-c", REACH, "worker"]
    return subprocess.run(command, check=False, env=env, cwd=ROOT, capture_output=True, text=True)


def test_every_point_is_in_the_code_once():
    code = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    assert Counter(re.findall(r'failpoints\.reach\("([^"]+)"\)', code)) == Counter(failpoints.POINTS)


def test_nothing_is_done_without_a_folder(tmp_path: Path):
    (tmp_path / "popped").touch()
    assert reach().stdout == "alive\n"
    assert failpoints.reach is failpoints._pass


def test_whoever_takes_the_file_dies_and_nobody_after(tmp_path: Path):
    folder = {"ACCEPTED_FAILPOINTS": str(tmp_path)}
    (tmp_path / "claimed").touch()
    assert reach(**folder).stdout == "alive\n"
    (tmp_path / "popped").touch()
    assert reach(**folder).returncode == -signal.SIGKILL
    assert reach(**folder).stdout == "alive\n"
    [taken] = tmp_path.glob("popped.worker.*")
    assert {path.name for path in tmp_path.iterdir()} == {"claimed", taken.name}
