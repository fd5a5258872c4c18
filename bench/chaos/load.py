"""The client: asks for work at a constant rate, whatever happens, and logs every answer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.chaos.plan import Task
from bench.chaos.system import System

CLIENTS = 256  # so many requests may hang at once, on a server that is paused, before the rate falls


@dataclass(frozen=True)
class Answer:
    task: Task
    sent_at: datetime
    job_id: str | None  # None: refused, or no answer at all


class Load:
    def __init__(self, system: System, tasks: list[Task]):
        self.system, self.tasks = system, tasks
        self.answers: list[Answer] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """What was not asked for yet will not be."""
        self._stopped = True

    def join(self) -> None:
        self._thread.join()

    @property
    def is_busy(self) -> bool:
        return self._thread.is_alive()

    @property
    def accepted(self) -> dict[str, Task]:
        return {answer.job_id: answer.task for answer in list(self.answers) if answer.job_id}

    def _run(self) -> None:
        with ThreadPoolExecutor(CLIENTS) as clients:
            for task in self.tasks:
                time.sleep(max(0.0, self._began + task.at - time.monotonic()))
                if self._stopped:
                    return
                clients.submit(self._ask, task)

    def _ask(self, task: Task) -> None:
        sent_at = datetime.now(UTC)
        self.answers.append(Answer(task, sent_at, self.system.post(task)))
