"""What guests read: the messages of campaigns, and invitations."""

from datetime import datetime

from app.helpers import links, templates
from app.helpers.mailer import Attached, Mail
from app.models import Campaign, Event, Guest, Recipient

INVITATION_SUBJECT = "Invitation: {{ event.name }}"
INVITATION_BODY = """\
Dear {{ guest.name | default: "guest" }},

you are invited to {{ event.name }}.

    When:  {{ event.starts_at | default: "to be announced" }}
    Where: {{ event.place | default: "to be announced" }}

Please say whether you come; you can change your mind until it begins:

    {{ guest.link }}
"""
UNSUBSCRIBE = "\n\n-- \nNo more messages like this: {{ unsubscribe.link }}\n"


def invitation(guest: Guest, key: str) -> Mail:
    """The mail with the link to the guest's page."""
    values = _values(guest.event, guest)
    subject, body = (templates.render(text, values) for text in (INVITATION_SUBJECT, INVITATION_BODY))
    return Mail(to=guest.email, name=guest.name, subject=subject, text=body, key=key)


def message(
    campaign: Campaign, event: Event, guest: Guest, recipient: Recipient, attached: Attached | None = None
) -> Mail:
    """The campaign's message to this guest. A repeat has the same Message-ID."""
    stop = links.unsubscribe_url(campaign.user_id, recipient.email_key)
    values = _values(event, guest) | {"unsubscribe.link": stop}
    body = campaign.body if "unsubscribe.link" in templates.names(campaign.body) else campaign.body + UNSUBSCRIBE
    return Mail(
        to=recipient.email,
        name=guest.name,
        subject=templates.render(campaign.subject, values),
        text=templates.render(body, values),
        key=f"campaign-{campaign.id}-{recipient.id}",
        headers=(
            ("List-Unsubscribe", f"<{stop}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ),  # RFC 8058
        attached=attached,
    )


def invites(campaign: Campaign) -> bool:
    """Whether who gets the message is invited by it."""
    return "guest.link" in templates.names(campaign.subject + campaign.body)


def _values(event: Event, guest: Guest) -> dict[str, str]:
    return {
        "guest.name": guest.name,
        "guest.email": guest.email,
        "guest.role": guest.role,
        "guest.link": links.invitation_url(guest.link_key),
        "event.name": event.name,
        "event.place": event.place or "",
        "event.starts_at": readable(event.starts_at),
    }


def readable(moment: datetime | None) -> str:
    """`Thursday, 24 December 2026, 18:00 UTC`."""
    return f"{moment:%A}, {moment.day} {moment:%B %Y, %H:%M} UTC" if moment else ""
