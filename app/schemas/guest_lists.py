"""Bodies about guest lists. What a row of a list may hold is what a new guest may have: `schemas/guests.py`."""

from app.helpers.validation import Schema

read = Schema(
    {
        "title": "GuestImport",
        "type": "object",
        "properties": {
            "file": {
                "type": "string",
                "pattern": "^([0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})$",
                "description": "The sha256, sha1 or md5 of an uploaded table (CSV).",
            }
        },
        "required": ["file"],
        "additionalProperties": False,
        "examples": [{"file": "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"}],
    }
)
