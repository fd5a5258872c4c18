"""Pictures of the first pages of PDFs. Runs where strangers' files are opened (`app/commands/preview.py`)."""

from typing import BinaryIO

from pypdfium2 import PdfDocument, PdfiumError
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from app.errors import PreviewImpossible
from app.helpers.thumbnails import SIDE, shrunk


def of_pdf(file: BinaryIO) -> bytes:
    """As WebP. Scripts do not run, and form fields are empty: pdfium has not been asked for them."""
    try:
        document = PdfDocument(file)
    except PdfiumError as error:
        if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
            raise PreviewImpossible("The PDF is encrypted.") from None
        raise
    page = document[0]
    return shrunk(page.render(scale=SIDE / max(page.get_size())).to_pil())
