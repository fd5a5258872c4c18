"""The mail with the code that sets a new password."""

from typing import Any

from sqlalchemy import update

from app.config import settings
from app.db import session
from app.helpers import context, mailer
from app.helpers.mailer import Mail
from app.models import Job, User
from app.queue import checkpoint, job
from app.services import passwords

TEXT = """\
Somebody, most likely you, asked to set a new password for {email}.

Your code, good for one hour and for one time:

    {code}

Send it with the new password to

    {url}/api/v1/password-reset/confirm

If that was not you, there is nothing to do: your password has not changed.
"""


@job(queue="high", timeout_seconds=60)
def mail_reset(email: str) -> dict[str, Any]:
    """Mails a code that sets a new password to the account with this address, if there is one.

    A second attempt can't know whether the first one's mail arrived: it mails a code of its own, and both are good.
    """
    user = User.find_by_email(email, lock=True)
    if user is None:
        return {"sent": False}
    to, code, job_id = user.email, passwords.issue(user), context.get().job_id
    # Its owner may see it from now on, and it goes when the account goes: the arguments hold the address.
    session.execute(update(Job).where(Job.id == job_id).values(account_id=user.id))
    checkpoint()  # the code must be good when it arrives, and no transaction stays open for the mail server
    text = TEXT.format(email=to, code=code, url=settings().public_url)
    mailer.send(Mail(to, "Set a new password", text, key=f"password-reset-{job_id}"))
    return {"sent": True}
