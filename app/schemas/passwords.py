"""Bodies about setting a new password by a code that was mailed."""

from app.helpers.validation import Schema
from app.schemas.common import answer
from app.schemas.users import EMAIL, PASSWORD

ask = Schema(
    {
        "title": "PasswordReset",
        "type": "object",
        "properties": {"email": EMAIL},
        "required": ["email"],
        "additionalProperties": False,
        "examples": [{"email": "alice@example.com"}],
    }
)
confirm = Schema(
    {
        "title": "NewPassword",
        "type": "object",
        "properties": {
            "code": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The one that was mailed."},
            "password": PASSWORD,
        },
        "required": ["code", "password"],
        "additionalProperties": False,
        "examples": [{"code": "acr_4Vq0…", "password": "correct horse battery"}],
    }
)
accepted = answer("PasswordResetAccepted", {"status": {"const": "accepted"}})
