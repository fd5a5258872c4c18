"""The nouns: one file per table. Models remember and refuse illegal moves; they never commit and know no Flask."""

from app.models.api_token import ApiToken
from app.models.base import Base, Model
from app.models.campaign import Campaign
from app.models.event import Event
from app.models.file import File
from app.models.guest import Guest
from app.models.idempotency_key import IdempotencyKey
from app.models.job import Job
from app.models.job_event import JobEvent
from app.models.password_reset import PasswordReset
from app.models.recipient import Recipient
from app.models.recurrence import Recurrence
from app.models.task import Task
from app.models.unsubscription import Unsubscription
from app.models.user import User

__all__ = [
    "ApiToken",
    "Base",
    "Campaign",
    "Event",
    "File",
    "Guest",
    "IdempotencyKey",
    "Job",
    "JobEvent",
    "Model",
    "PasswordReset",
    "Recipient",
    "Recurrence",
    "Task",
    "Unsubscription",
    "User",
]
