"""Bodies about files. An upload is no JSON: see `helpers/uploads.py`."""

from app.helpers.media_types import FORM
from app.helpers.validation import Schema
from app.models.file import LONGEST_NAME
from app.schemas.common import ID, MOMENT, MOMENT_OR_NULL, answer

# `(?!\n)`: to Python, $ is also before a last line break.
NAME = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_NAME,
    "pattern": r"^[^/\\\x00-\x1f\x7f]*[^/\\\x00-\x20\x7f][^/\\\x00-\x1f\x7f]*$(?!\n)",
}
TYPE = {"type": "string", "maxLength": 127, "pattern": rf"^{FORM.pattern}$(?!\n)"}
FIELDS = {"name": NAME, "type": TYPE}
EXAMPLE = {"name": "guests.csv", "type": "text/csv"}

replace = Schema(
    {
        "title": "FileReplacement",
        "type": "object",
        "properties": FIELDS,
        "required": list(FIELDS),
        "additionalProperties": False,
        "examples": [EXAMPLE],
    }
)
update = Schema(
    {
        "title": "FileChange",
        "type": "object",
        "properties": FIELDS,
        "additionalProperties": False,
        "examples": [{"name": "guests-2026.csv"}],
    }
)


def _digest(digits: int) -> dict[str, str]:
    return {"type": "string", "pattern": f"^[0-9a-f]{{{digits}}}$"}


SIZE = {"type": "integer", "minimum": 0, "description": "Bytes."}
DIGESTS = {"sha256": _digest(64), "sha1": _digest(40), "md5": _digest(32)}
shown = answer(
    "File",
    {
        "id": ID,
        **DIGESTS,
        **FIELDS,
        "size": SIZE,
        "preview_job_id": {"type": ["string", "null"], "format": "uuid"},
        "damaged_at": MOMENT_OR_NULL,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
)
link = Schema(
    {
        "title": "NewFileLink",
        "type": "object",
        "properties": {
            "expires_in": {
                "type": "integer",
                "minimum": 1,
                "maximum": 7 * 24 * 3600,
                "description": "Seconds; an hour if left out.",
            }
        },
        "additionalProperties": False,
        "examples": [{"expires_in": 3600}],
    }
)
linked = answer("FileLink", {"url": {"type": "string", "format": "uri"}, "expires_at": MOMENT})

V0_FIELDS = {"file_name": NAME, "file_type": TYPE}
v0_replace = Schema(
    {
        "title": "FileReplacementV0",
        "type": "object",
        "properties": V0_FIELDS,
        "required": list(V0_FIELDS),
        "examples": [{"file_name": "guests.csv", "file_type": "text/csv"}],
    },
    status=403,
)
V0_FILE = answer(
    "FileV0",
    {**V0_FIELDS, "file_size": SIZE, **{f"file_{name}": digest for name, digest in reversed(DIGESTS.items())}},
)
v0_shown = V0_FILE
v0_list = Schema({"title": "FileListV0", "type": "array", "items": V0_FILE.schema})
v0_deleted = Schema({"title": "FileDeletedV0", "type": "string"})
