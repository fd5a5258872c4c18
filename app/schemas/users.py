"""Bodies about accounts."""

from app.helpers.validation import LONGEST_EMAIL, Schema
from app.models.user import ROLES
from app.schemas.common import ID, MOMENT, answer

EMAIL = {"type": "string", "format": "email", "maxLength": LONGEST_EMAIL}
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

update = Schema(
    {
        "title": "AccountChange",
        "type": "object",
        "properties": {"email": EMAIL, "password": PASSWORD, "current_password": ANY_TEXT},
        "required": ["current_password"],
        "additionalProperties": False,
        "examples": [{"email": "alice@example.org", "current_password": "correct horse battery"}],
    }
)
delete = Schema(
    {
        "title": "AccountDeletion",
        "type": "object",
        "properties": {"current_password": ANY_TEXT},
        "required": ["current_password"],
        "additionalProperties": False,
        "examples": [{"current_password": "correct horse battery"}],
    }
)

with_token = answer("AccountWithToken", {"id": ID, "token": {"type": "string"}})
FIELDS = {
    "id": ID,
    "email": {"type": "string"},
    "role": {"enum": list(ROLES)},
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
shown = answer("Account", FIELDS)
NEW_TOKEN = {"type": "string", "description": "There only if the password was changed, which ended all earlier ones."}
changed = Schema(shown.schema | {"title": "ChangedAccount", "properties": FIELDS | {"token": NEW_TOKEN}})
