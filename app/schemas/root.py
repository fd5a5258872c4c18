"""What the server says of itself."""

from app.schemas.common import answer

alive = answer("Alive", {"status": {"const": "ok"}})
ready = answer(
    "Readiness",
    {"status": {"enum": ["ready", "unavailable"]}, "missing": {"type": "array", "items": {"type": "string"}}},
)
