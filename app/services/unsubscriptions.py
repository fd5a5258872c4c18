"""Who wants no more campaigns from an account: said, and taken back, by the link that is in each of them."""

from typing import NamedTuple

from sqlalchemy import and_, delete, select

from app.db import insert_unless_there, session
from app.errors import NotFound
from app.helpers import links
from app.models import Unsubscription, User


class Address(NamedTuple):
    """An e-mail address, and whether it gets the campaigns of this account."""

    user_id: int
    email_key: str
    is_subscribed: bool

    @property
    def columns(self) -> dict[str, int | str]:
        return {"user_id": self.user_id, "email_key": self.email_key}


def find(token: str, *, lock: bool = False) -> Address:
    """What the link names; NotFound, in the same words, if it is forged or the account is gone. `lock` keeps the
    account, to which the row refers, until the transaction ends."""
    user_id, email_key = links.read_unsubscribe(token) or (0, "")
    noted = and_(Unsubscription.user_id == User.id, Unsubscription.email_key == email_key)
    query = select(User.id, Unsubscription.id).outerjoin(Unsubscription, noted).where(User.id == user_id)
    if lock:
        query = query.with_for_update(of=User, read=True, key_share=True)
    row = session.execute(query).one_or_none() if user_id else None
    if row is None:
        raise NotFound("Whoever wrote to you is not here any more, or the link is not complete.")
    return Address(user_id, email_key, is_subscribed=row[1] is None)


def unsubscribe(token: str) -> Address:
    """No more campaigns. Of those who say so at once, one writes."""
    address = find(token, lock=True)
    insert = insert_unless_there(Unsubscription, index_elements=list(address.columns))
    session.execute(insert.values(**address.columns))
    return address._replace(is_subscribed=False)


def subscribe(token: str) -> Address:
    """Campaigns again: those that are sent from now on."""
    address = find(token, lock=True)
    session.execute(delete(Unsubscription).filter_by(**address.columns))
    return address._replace(is_subscribed=True)
