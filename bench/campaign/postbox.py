"""A mail server that can be killed: in a process of its own, it writes down what it takes before it says so.

    python bench/campaign/postbox.py PORT FILE SECONDS

A line of FILE for each mail: when, its Message-ID, and to whom. What was written survives the process, as the kernel
has it. An answer takes up to SECONDS, as with a server far away.
"""

import asyncio
import os
import random
import sys
import time
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.smtp import SMTP

from app.commands.lifeline import die_with_parent


class Keeper:
    def __init__(self, path: str, seconds: float):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.seconds = seconds

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message_id = BytesHeaderParser().parsebytes(envelope.content)["Message-ID"]
        if self.seconds:
            await asyncio.sleep(random.uniform(0, self.seconds))
        key = message_id.strip().strip("<>").rpartition("@")[0]
        os.write(self.file, f"{time.time()} {key} {envelope.rcpt_tos[0]}\n".encode())
        if self.seconds:
            await asyncio.sleep(random.uniform(0, self.seconds))
        return "250 OK"


async def serve(port: int, path: str, seconds: float) -> None:
    keeper = Keeper(path, seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keeper, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
