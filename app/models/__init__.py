"""The nouns: one file per table. Models remember and refuse illegal moves; they never commit and know no Flask."""

from app.models.base import Base, Model
from app.models.job import Job
from app.models.recurrence import Recurrence
from app.models.task import Task
from app.models.user import User

__all__ = ["Base", "Job", "Model", "Recurrence", "Task", "User"]
