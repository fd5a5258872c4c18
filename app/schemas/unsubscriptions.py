"""Whether an address gets campaigns, and what its owner says."""

from app.helpers.validation import Schema
from app.schemas.common import answer

shown = answer("Subscription", {"email": {"type": "string"}, "subscribed": {"type": "boolean"}})
given = Schema(
    {
        "title": "SubscriptionAnswer",
        "type": "object",
        "properties": {"answer": {"description": "`subscribe` takes it back. Anything else, or nothing, is an end."}},
        "examples": [{"List-Unsubscribe": "One-Click"}],
    }
)
