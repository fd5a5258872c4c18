"""Bodies about campaigns and their messages."""

from typing import Any

from app.helpers.templates import FIELDS as PLACES
from app.helpers.validation import FILLED_LINE, ONE_LINE, Schema
from app.models.campaign import LINKS, POLICIES
from app.models.campaign import STATUSES as CAMPAIGN_STATUSES
from app.models.guest import STATUSES as GUEST_STATUSES
from app.models.recipient import STATES
from app.schemas import jobs
from app.schemas.common import ID, IGNORED, MOMENT, MOMENT_OR_NULL, answer

ID_OR_NULL = ID | {"type": ["integer", "null"]}
COUNT = {"type": "integer", "minimum": 0}
TEXT_OR_NULL = {"type": ["string", "null"]}
TEMPLATE = "Text with fields in two braces: " + ", ".join(PLACES) + "."


def _choice(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": 50, "uniqueItems": True}


CHOICES = {
    "status": _choice({"enum": list(GUEST_STATUSES)}),
    "role": _choice({"type": "string", "minLength": 1, "maxLength": 50}),
}
AUDIENCE = {
    "type": "object",
    "properties": CHOICES,
    "additionalProperties": False,
    "description": "Which guests of the event get it: with one of these statuses and one of these roles. {}: all.",
}
FIELDS = {
    "name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": FILLED_LINE},
    "description": {"type": "string", "maxLength": 10_000},
    "active": {"type": "boolean", "description": "One that is not can't be launched."},
    "event_id": ID_OR_NULL,
    "subject": {"type": "string", "maxLength": 500, "pattern": ONE_LINE, "description": TEMPLATE},
    "body": {"type": "string", "maxLength": 100_000, "description": TEMPLATE},
    "audience": AUDIENCE,
    "attachment": {
        "type": ["string", "null"],
        "pattern": "^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$",
        "description": "A hash of a file of the account; its sha256 is kept.",
    },
    "messages_per_minute": {"type": ["integer", "null"], "minimum": 1, "maximum": 100_000},
    "if_unknown": {
        "enum": list(POLICIES),
        "description": "What becomes of a message of which nobody knows whether it was sent.",
    },
}
EXAMPLE = {
    "name": "A week to go",
    "subject": "{{ event.name }}: see you soon",
    "body": 'Dear {{ guest.name | default: "guest" }},\n\nwe look forward to seeing you.\n',
    "audience": {"status": ["accepted"]},
    "messages_per_minute": 600,
}

create = Schema(
    {
        "title": "NewCampaign",
        "type": "object",
        "properties": FIELDS,
        "required": ["name"],
        "additionalProperties": False,
        "examples": [EXAMPLE],
    }
)
replace = Schema(create.schema | {"title": "CampaignReplacement", "properties": FIELDS | {"id": IGNORED}})
# In a merge patch, null takes a member away.
AUDIENCE_CHANGE = AUDIENCE | {
    "properties": {name: {"anyOf": [choice, {"type": "null"}]} for name, choice in CHOICES.items()}
}
update = Schema(
    {
        "title": "CampaignChange",
        "type": "object",
        "properties": FIELDS | {"audience": AUDIENCE_CHANGE, "id": IGNORED},
        "additionalProperties": False,
        "examples": [{"messages_per_minute": 60}],
    }
)

SHOWN = {
    "id": ID,
    **FIELDS,
    "status": {"enum": list(CAMPAIGN_STATUSES)},
    "fault": TEXT_OR_NULL | {"description": "Why it was paused, if nobody asked for that."},
    "job_id": {"type": ["string", "null"], "format": "uuid"},
    "scheduled_at": MOMENT_OR_NULL,
    "started_at": MOMENT_OR_NULL,
    "finished_at": MOMENT_OR_NULL,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
item = answer("CampaignInList", SHOWN)
COUNTS = answer("CampaignCounts", dict.fromkeys(STATES, COUNT)).schema
shown = answer(
    "Campaign",
    SHOWN
    | {
        "counts": COUNTS,
        "links": answer(
            "CampaignLinks", {name: {"type": "string"} for name in ("self", *LINKS)} | {"job": TEXT_OR_NULL}
        ).schema,
    },
)

launch = Schema(
    {
        "title": "Launch",
        "type": "object",
        "properties": {
            "at": MOMENT_OR_NULL | {"description": "Not before this moment; at once if left out."},
            "validate_only": {"type": "boolean", "description": "Only tell who would get it, and who would not."},
        },
        "additionalProperties": False,
        "examples": [{"at": "2026-12-17T09:00:00Z"}, {"validate_only": True}],
    }
)
REFUSED = answer("RefusedRecipient", {"email": {"type": "string"}, "reason": {"type": "string"}}).schema
checked = answer(
    "LaunchCheck",
    {
        "recipients": COUNT | {"description": "How many would get it."},
        "refused": {"type": "array", "items": REFUSED, "maxItems": 100},
        "refused_total": COUNT,
    },
)
launched_or_checked = Schema({"anyOf": [checked.schema, jobs.shown.schema]})
retry = Schema(
    {
        "title": "CampaignRetry",
        "type": "object",
        "properties": {"states": {"type": "array", "items": {"enum": ["failed", "unknown"]}, "minItems": 1}},
        "required": ["states"],
        "additionalProperties": False,
        "examples": [{"states": ["failed"]}],
    }
)
preview = Schema(
    {
        "title": "PreviewRequest",
        "type": "object",
        "properties": {"guest_id": ID_OR_NULL | {"description": "For which guest; an invented one if left out."}},
        "additionalProperties": False,
        "examples": [{}],
    }
)
previewed = answer("MessagePreview", {"subject": {"type": "string"}, "body": {"type": "string"}})

recipient = answer(
    "Recipient",
    {
        "id": ID,
        "guest_id": ID_OR_NULL,
        "email": {"type": "string"},
        "state": {"enum": list(STATES)},
        "attempts": COUNT,
        "error": TEXT_OR_NULL | {"description": "What the mail server said, or why it was skipped."},
        "sending_at": MOMENT_OR_NULL,
        "sent_at": MOMENT_OR_NULL,
    },
)

V0_FIELDS = {"name": FIELDS["name"], "description": FIELDS["description"], "is_active": {"type": "boolean"}}
v0_create = Schema(
    {
        "title": "NewCampaignV0",
        "type": "object",
        "properties": V0_FIELDS,
        "required": ["name"],
        "examples": [{"name": "A week to go", "description": "For all who come", "is_active": True}],
    }
)
v0_shown = answer("CampaignV0", {"id": ID, **V0_FIELDS})
v0_list = Schema({"title": "CampaignListV0", "type": "array", "items": v0_shown.schema})
