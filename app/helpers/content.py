"""What doors and services tell one another about the bytes of files: one that came, and one that is to be sent."""

from dataclasses import dataclass, field
from urllib.parse import quote

CONFUSING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])  # turn text around


@dataclass
class Upload:
    """A blob that a request brought. `keep()` is the service's word that a row names it from now on."""

    key: str
    name: str
    type: str
    size: int  # bytes
    digests: dict[str, str]  # hexadecimal: sha256, sha1, md5
    is_kept: bool = field(default=False)

    def keep(self) -> None:
        self.is_kept = True

    @property
    def fingerprint(self) -> bytes:
        """What a repeat of the request has in common with it."""
        return f"{self.digests['sha256']} {self.name}".encode()


@dataclass(frozen=True)
class Attachment:
    """A blob that a response takes along."""

    key: str
    size: int  # bytes
    etag: str
    type: str
    disposition: str


def as_attachment(name: str) -> str:
    """Content-Disposition for a download of that name: in ASCII for old clients, and as it is (RFC 6266)."""
    safe = name.translate(CONFUSING) or "file"
    plain = "".join(char if " " <= char <= "~" and char not in '"\\%;/' else "_" for char in safe)
    return f'attachment; filename="{plain}"' + ("" if plain == safe else f"; filename*=UTF-8''{quote(safe, safe='')}")
