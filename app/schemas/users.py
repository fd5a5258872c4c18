"""Bodies about accounts."""

from app.helpers.validation import Schema
from app.schemas.common import ID, MOMENT, answer

EMAIL = {"type": "string", "format": "email", "maxLength": 254}
PASSWORD = {"type": "string", "minLength": 8, "maxLength": 128}
ANY_TEXT = {"type": "string", "maxLength": 1000}
EXAMPLE = {"email": "alice@example.com", "password": "correct horse battery"}

CREDENTIALS = {
    "type": "object",
    "properties": {"email": EMAIL, "password": PASSWORD},
    "required": ["email", "password"],
    "additionalProperties": False,
    "examples": [EXAMPLE],
}

sign_up = Schema(CREDENTIALS | {"title": "SignUp"}, status=400)  # the brief's own status; everywhere else it is 422

# Whoever signs in is told only whether it worked: rules for new passwords have no place here.
authenticate = Schema(CREDENTIALS | {"title": "SignIn", "properties": {"email": ANY_TEXT, "password": ANY_TEXT}})

with_token = answer("AccountWithToken", {"id": ID, "token": {"type": "string"}})
shown = answer("Account", {"id": ID, "email": {"type": "string"}, "created_at": MOMENT, "updated_at": MOMENT})
