"""Keeps the mail server alive: whenever it was killed, another one takes its place, at the same port, with the same
file."""

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Self

import psutil
from copies import free_ports

from app.config import ROOT

DOWN_SECONDS = 0.3  # between its death and the next one's start
SERVER = Path(__file__).parent / "postbox.py"


class Postbox:
    def __init__(self, folder: Path, answer_seconds: float = 0.0):
        [self.port] = free_ports(1)
        self.file = folder / "received"
        self.words = [str(self.port), str(self.file), str(answer_seconds)]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        self.file.touch()
        self._start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.process.kill()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid)] if self.process.poll() is None else []

    def received(self) -> Counter[tuple[str, str]]:
        """How often each mail came, by what stands before the @ of its Message-ID, and to whom."""
        return Counter((key, to) for _, key, to in self._lines())

    def number(self) -> int:
        return sum(1 for _ in self._lines())

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self.file.read_text().splitlines()]

    def _start(self) -> None:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen([sys.executable, SERVER, *self.words], env=env)

    def _keep(self) -> None:
        while True:
            self.process.wait()
            if self._ending.wait(DOWN_SECONDS):
                return
            self._start()
