"""Bodies about accounts."""

from app.helpers.validation import Schema

EMAIL = {"type": "string", "format": "email", "maxLength": 254}
PASSWORD = {"type": "string", "minLength": 8, "maxLength": 128}

CREDENTIALS = {
    "type": "object",
    "properties": {"email": EMAIL, "password": PASSWORD},
    "required": ["email", "password"],
    "additionalProperties": False,
}

sign_up = Schema(CREDENTIALS, status=400)  # the brief's own status; everywhere else it is 422

# Whoever signs in is told only whether it worked: rules for new passwords have no place here.
authenticate = Schema(
    CREDENTIALS
    | {
        "properties": {
            "email": {"type": "string", "maxLength": 1000},
            "password": {"type": "string", "maxLength": 1000},
        }
    }
)
