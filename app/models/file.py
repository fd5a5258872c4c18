"""What is known of a file that an account has uploaded. Its bytes are a blob of the storage (`helpers/storage.py`)."""

import re
from datetime import datetime
from typing import Any, Self

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, String, Uuid, func, select
from sqlalchemy.orm import Mapped, mapped_column

from app.db import session
from app.errors import NotFound
from app.models.base import BigId, NumberedModel, now

LONGEST_NAME = 255
DIGESTS = {32: "md5", 40: "sha1", 64: "sha256"}  # by the number of their hexadecimal digits
HASH = re.compile(r"[0-9A-Fa-f]+", re.ASCII)


class File(NumberedModel):
    __tablename__ = "files"
    __table_args__ = (
        Index("uq_files_user_id_sha256", "user_id", "sha256", unique=True),
        Index(None, "user_id", "sha1"),
        Index(None, "user_id", "md5"),
        Index(None, "user_id", "created_at", "id"),
        Index(None, "checked_at"),
    )
    __repr_attrs__ = ["size"]
    DIGESTS = ("sha256", "sha1", "md5")
    PUBLIC = (
        "id",
        "sha256",
        "sha1",
        "md5",
        "name",
        "type",
        "size",
        "preview_job_id",
        "damaged_at",
        "created_at",
        "updated_at",
    )
    FILTERS = ("user_id", "type", "created_at")
    SORTS = ("created_at",)

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(String(64))
    sha1: Mapped[str] = mapped_column(String(40))
    md5: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))  # data, never a path
    type: Mapped[str] = mapped_column(String(127))  # a media type
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    key: Mapped[str] = mapped_column(String(32), unique=True)  # of its blob
    preview_key: Mapped[str | None] = mapped_column(String(32), unique=True)  # of the preview's blob, once there is one
    preview_type: Mapped[str | None] = mapped_column(String(127))
    preview_size: Mapped[int | None]  # bytes
    preview_job_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))  # the job that makes it, past or planned
    checked_at: Mapped[datetime] = mapped_column(default=now)  # when the bytes were last compared with sha256
    damaged_at: Mapped[datetime | None]  # since when they are known to be missing or others

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.user_id == int(actor.id)

    @classmethod
    def find_for(cls, actor: Any, id_: Any, *, lock: bool = False) -> Self:
        """By sha256, sha1 or md5, in whatever case – or by the number that a job's target gives."""
        text = str(id_)
        digest = DIGESTS.get(len(text))
        if digest is None or not HASH.fullmatch(text):
            number = int(text) if len(text) < 20 and text.isascii() and text.isdigit() else 0
            return super().find_for(actor, number, lock=lock)
        wanted = (getattr(cls, digest) == text.lower(), cls.visible_to(actor))
        query = select(cls).where(*wanted).order_by(cls.id).limit(1)  # two may share an md5, made to do so
        found = session.scalars(query.with_for_update() if lock else query).one_or_none()
        if found is None:
            raise NotFound
        return found

    @classmethod
    def find_same(cls, owner: Any, sha256: str) -> Self | None:
        """The account's file with this content."""
        return session.scalars(select(cls).where(cls.visible_to(owner), cls.sha256 == sha256)).one_or_none()

    @classmethod
    def find_by_key(cls, key: str) -> Self | None:
        return session.scalars(select(cls).where(cls.key == key)).one_or_none()

    @classmethod
    def bytes_of(cls, user_id: int) -> int:
        """How much all files of the account hold together."""
        return int(session.scalar(select(func.coalesce(func.sum(cls.size), 0)).where(cls.user_id == user_id)) or 0)
