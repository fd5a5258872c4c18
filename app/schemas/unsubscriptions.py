"""Whether an address gets campaigns."""

from app.schemas.common import answer

shown = answer("Subscription", {"email": {"type": "string"}, "subscribed": {"type": "boolean"}})
