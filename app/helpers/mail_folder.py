"""Mails as `.eml` files of a folder, where no mail server is named."""

import os
from pathlib import Path
from typing import Self

from app.helpers import mailer
from app.helpers.mailer import Away, Mail


class MailFolder:
    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hand_over(self, mail: Mail) -> None:
        """Whole or not at all: written beside its place, then moved."""
        data = mailer.write(mail, utf8=True)
        draft = self.folder / f".{mail.key}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            draft.rename(self.folder / f"{mail.key}.eml")
        except OSError as error:
            raise Away(f"The folder of mails takes none: {error.strerror}") from error

    def close(self) -> None:
        """A folder is never open."""
