"""Where the bytes of a new file go, whether they come with a request or a job writes them: piece by piece into the
storage, while they are counted and their digests taken."""

from collections.abc import Iterable
from typing import Self

from app.config import settings
from app.errors import PayloadTooLarge, QuotaExceeded
from app.helpers import digests, media_types
from app.helpers.content import Upload
from app.helpers.storage import Writer, new_key, storage
from app.models import File


class Sink:
    """`room` is how many bytes may come. Used by `with`: nothing is left of what is not finished."""

    def __init__(self, room: int, algorithms: Iterable[str] = ()):
        self.room = room
        self.size = 0
        self.head = b""
        self.digests = digests.Digests({*File.DIGESTS, *algorithms})
        self.key = new_key()
        self.writer: Writer = storage().writer(self.key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.abandon()

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.size > self.room:
            limit = settings().max_upload_bytes
            raise PayloadTooLarge(max_bytes=limit) if self.room == limit else QuotaExceeded
        if len(self.head) < media_types.HEAD_BYTES:
            self.head += data[: media_types.HEAD_BYTES - len(self.head)]
        self.digests.update(data)
        self.writer.write(data)
        return len(data)

    def finish(self, name: str) -> Upload:
        """The file, durable, for `services/files.py` to store. If no row names it, the sweep takes it."""
        self.writer.finish()
        kind = media_types.media_type(self.head, name)
        return Upload(self.key, name, kind, self.size, {name: self.digests.hex(name) for name in File.DIGESTS})
