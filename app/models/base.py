"""What every model shares: sqlalchemy-mixins, tamed.

`save()`, `create()`, `update()` and `delete()` flush and never commit; clients filter and sort only by what a model
lists; `to_dict()` shows only what a model lists; times are aware and in UTC.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, Self, cast

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Integer, MetaData, false, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator
from sqlalchemy_mixins import AllFeaturesMixin
from sqlalchemy_mixins.utils import classproperty

from app.db import session
from app.errors import NotFound

LARGEST_ID = 2**63 - 1
BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only under plain INTEGER


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-11-21T13:30:00Z`; fractions only where there are some."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC, on every database. A naive one is a bug and is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a naive datetime: give it a time zone")
        return value.astimezone(UTC) if dialect.name != "sqlite" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    # Names for every constraint, so that a migration can drop what another made, on both databases.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime}


class Model(AllFeaturesMixin, Base):
    """Base of all models. Subclasses list what leaves the house: PUBLIC, FILTERS, SORTS."""

    __abstract__ = True
    PUBLIC: ClassVar[tuple[str, ...]] = ()  # attributes that the API shows, in this order
    FILTERS: ClassVar[tuple[str, ...]] = ()  # attributes that a list may be filtered by
    SORTS: ClassVar[tuple[str, ...]] = ()  # attributes that a list may be sorted by
    SORT_COLUMNS: ClassVar[dict[str, str]] = {}  # where the column that sorts is another one than its name

    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    @classproperty
    def filterable_attributes(cls) -> list[str]:
        return list(cls.FILTERS)

    @classproperty
    def sortable_attributes(cls) -> list[str]:
        return list(cls.SORTS)

    def _commit_or_fail(self) -> None:
        """The mixins' save, create, update and delete all end here: they flush; the boundary commits."""
        self.session.flush()

    @classmethod
    def create(cls, commit: bool = True, **values: Any) -> Self:
        return cast(Self, super().create(commit=commit, **values))

    @classmethod
    def find(cls, id_: Any) -> Self | None:
        return session.get(cls, id_)

    @classmethod
    def find_or_fail(cls, id_: Any) -> Self:
        found = cls.find(id_)
        if found is None:
            raise NotFound
        return found

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        """Which rows this account may see: none, unless the model says which."""
        return false()

    @classmethod
    def find_for(cls, actor: Any, id_: Any, *, lock: bool = False) -> Self:
        """The row with this id if the actor may see it, else NotFound: a stranger learns nothing.

        `lock` keeps others from changing it until the transaction ends.
        """
        key = cls.__mapper__.primary_key[0]
        if isinstance(id_, int) and not 0 < id_ <= LARGEST_ID:
            raise NotFound
        query = select(cls).where(key == id_, cls.visible_to(actor))
        found = session.scalars(query.with_for_update(of=cls) if lock else query).one_or_none()
        if found is None:
            raise NotFound
        return found

    def to_dict(self, *_args: Any, **_options: Any) -> dict[str, Any]:
        """What the API shows of this row."""
        values = ((name, getattr(self, name)) for name in self.PUBLIC)
        return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in values}

    def to_details(self) -> dict[str, Any]:
        """What the API shows of this row alone: more than in a list, where a list would have to ask row by row."""
        return self.to_dict()


class NumberedModel(Model):
    """A model whose key is a number that the database gives."""

    __abstract__ = True
    id: Mapped[int] = mapped_column(BigId, primary_key=True, sort_order=-1)


Model.set_session(session)  # type: ignore[arg-type]  # a scoped session serves
