"""A throw-away server that speaks S3: rclone over a folder, behind a door that mends one of its answers."""

import http.client
import shutil
import signal
import socket
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from servers import Server

KEY_ID, SECRET = "AKIATEST", "secret-key-of-a-throw-away-bucket"
BUCKET = "blobs"


class S3Server(Server):
    stop_signal = signal.SIGKILL  # nothing here is worth a good end

    def __init__(self) -> None:
        super().__init__()
        self.objects = self.folder / "objects"
        self.socket = self.folder / "s3.sock"
        self.door: _Door | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": self.url,
        }

    @property
    def url(self) -> str:
        assert self.door is not None
        return f"http://127.0.0.1:{self.door.server_port}"

    def files(self, prefix: str) -> list[Path]:
        """What is on the disk, unfinished uploads too."""
        return [path for path in (self.objects / BUCKET / prefix).rglob("*") if path.is_file()]

    def start(self) -> None:
        if self.process is not None:
            return
        (self.objects / BUCKET).mkdir(parents=True, exist_ok=True)
        options = {"addr": f"unix://{self.socket}", "auth-key": f"{KEY_ID},{SECRET}"}
        options |= {"config": "", "cache-dir": str(self.folder / "cache")}  # nothing from elsewhere, nothing to there
        words = [f"--{name}={value}" for name, value in options.items()]
        rclone = Path(sysconfig.get_path("scripts")) / "rclone"
        self.socket.unlink(missing_ok=True)  # left by one that was killed
        self.process = self._spawn(rclone, "serve", "s3", *words, self.objects, log="rclone.log")
        self._wait_until(self._ask, OSError)
        if self.door is None:
            self.door = _Door(self.socket)

    def _ask(self) -> None:
        connection = _Connection(self.socket)
        connection.connect()
        connection.close()

    def close(self) -> None:
        if self.door is not None:
            self.door.shutdown()
            self.door.server_close()
        super().close()


class _Door(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.behind = behind
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class _Visit(BaseHTTPRequestHandler):
    """Hands requests on. S3 answers a range with 206 and rclone with 200, which obstore takes for a refusal."""

    protocol_version = "HTTP/1.1"
    server: _Door

    def hand_on(self) -> None:
        rclone = _Connection(self.server.behind)
        body = _body(self.rfile, int(self.headers.get("Content-Length", 0)))
        self.close_connection = True  # unless all goes well
        with suppress(OSError, http.client.HTTPException):  # either side has gone away: so does the other
            rclone.request(self.command, self.path, body, dict(self.headers))
            self.answer(rclone.getresponse())
        rclone.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = hand_on

    def answer(self, answer: http.client.HTTPResponse) -> None:
        is_range = answer.status == 200 and "Content-Range" in answer.headers
        self.send_response_only(206 if is_range else answer.status)
        for name, value in answer.headers.items():
            if name not in ("Connection", "Transfer-Encoding"):
                self.send_header(name, value)
        has_end = "Content-Length" in answer.headers or answer.status == 204
        if not has_end:
            self.send_header("Connection", "close")
        self.end_headers()
        shutil.copyfileobj(answer, self.wfile)
        self.close_connection = not has_end or bool(answer.length)  # rclone died before the end

    def log_message(self, *_: object) -> None:
        """rclone keeps a log."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.connect(str(self.path))
        except OSError:
            self.close()
            raise


def _body(file: BinaryIO, left: int) -> Iterator[bytes]:
    while left:
        piece = file.read(min(left, 1 << 16))
        if not piece:
            raise ConnectionError("the client went away in the middle of its request")
        left -= len(piece)
        yield piece
