"""The QR code to a licence's verification address, as SVG."""

from __future__ import annotations

from io import BytesIO

import segno


def draw(address: str) -> str:
    """The code of ``address`` as SVG of one path; a quarter of it may be damaged (error correction level Q).

    An address too long for a QR code (over 1,600 bytes) raises ``segno.DataOverflowError``.
    """
    code = segno.make_qr(address, error="q", boost_error=False)
    drawing = BytesIO()
    code.save(drawing, kind="svg", xmldecl=False, border=2, omitsize=True, light="white")
    return drawing.getvalue().decode("ascii")
