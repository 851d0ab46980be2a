"""When there is nothing to verify: what was given is no identifier, no licence's file, or nobody here knows it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import unquote

from registry.api.pages.finding import Headline, Refusal, Text, Tone

FILE_BYTES = 8 << 20
"""Of a licence's file; one with many pages and fonts has less than a tenth of it."""
_SHOWN = 160


class Given(StrEnum):
    """Why nothing can be verified."""

    NOTHING = "nothing_given"
    MALFORMED = "malformed_identifier"
    WRONG_CHECK_CHARACTER = "wrong_check_character"
    UNKNOWN = "unknown"
    TOO_LARGE = "too_large"
    WRONG_KIND = "wrong_kind"
    UNAVAILABLE = "unavailable"


_STATUS = {
    Given.NOTHING: 400,
    Given.MALFORMED: 400,
    Given.WRONG_CHECK_CHARACTER: 404,
    Given.UNKNOWN: 404,
    Given.TOO_LARGE: 413,
    Given.WRONG_KIND: 415,
    Given.UNAVAILABLE: 503,
}

_COMPARE = Text(
    "请对照证照逐位核对，注意 0 与 O、1 与 I、5 与 S；也可以扫描二维码。",
    "Compare it with the licence character by character: mind 0 and O, 1 and I, 5 and S; or scan the QR code.",
)
_AS_PRINTED = Text(
    "如果证照上就是这样印的，它不是由本平台签发的，请向颁发机关查询。",
    "If that is just how it is printed, this hub did not issue it: ask the authority named on it.",
)
_ORIGINAL = Text(
    "请提交未经改动的原始文件：电子证照 PDF，或凭证 JSON、JWT。",
    "Submit the original, unaltered file: the licence's PDF, or its credential as JSON or JWT.",
)
_BY_IDENTIFIER = Text(
    "只有照片、扫描件或打印件时，请改为输入证照标识。",
    "If all you have is a photo, a scan or a printout, enter the identifier instead.",
)

_WORDS: dict[Given, tuple[Headline, Text, Sequence[Text]]] = {
    Given.NOTHING: (
        Headline(Tone.UNKNOWN, "question", Text("还没有要核验的内容", "Nothing to verify yet")),
        Text("没有输入证照标识，也没有选择文件。", "There is neither an identifier nor a file."),
        (),
    ),
    Given.MALFORMED: (
        Headline(Tone.UNKNOWN, "question", Text("这不是证照标识", "This is not an identifier of a licence")),
        Text("", ""),
        (
            Text(
                "证照标识形如 1.2.156.3005.2.类型代码.颁发机关代码.流水号.版本号.校验位，印在二维码旁。",
                "It reads 1.2.156.3005.2.type.authority.serial.version.check character and stands beside the QR code.",
            ),
            _COMPARE,
        ),
    ),
    Given.WRONG_CHECK_CHARACTER: (
        Headline(Tone.UNKNOWN, "question", Text("标识有误：校验位不符", "Mistyped: its check character does not fit")),
        Text(
            "最后一位是校验位，由前面各位算出；它与您输入的内容不符，至少有一位写错了。",
            "The last character follows from all others; it does not fit them, so at least one of them is wrong.",
        ),
        (_COMPARE, _AS_PRINTED),
    ),
    Given.UNKNOWN: (
        Headline(Tone.BAD, "cross", Text("查无此证", "No such licence")),
        Text(
            "标识格式正确，但本平台没有签发过带有此标识的证照。",
            "The identifier is well-formed, but no licence that bears it was ever issued here.",
        ),
        (_COMPARE, _AS_PRINTED),
    ),
    Given.TOO_LARGE: (
        Headline(Tone.UNKNOWN, "question", Text("文件过大，未作核验", "Too large: not verified")),
        Text(
            f"文件超过 {FILE_BYTES >> 20} MB；本平台签发的证照文件远小于此。",
            f"The file has more than {FILE_BYTES >> 20} MB; licences issued here are far smaller.",
        ),
        (_ORIGINAL, _BY_IDENTIFIER),
    ),
    Given.WRONG_KIND: (
        Headline(Tone.UNKNOWN, "question", Text("这不是电子证照文件", "This is not the file of an e-licence")),
        Text("", ""),
        (_ORIGINAL, _BY_IDENTIFIER),
    ),
    Given.UNAVAILABLE: (
        Headline(Tone.UNKNOWN, "clock", Text("暂时无法核验", "Cannot be verified at the moment")),
        Text(
            "核验服务暂时不能读取登记库。这不说明证照的真假。",
            "The service cannot read the registry just now. That says nothing about the licence.",
        ),
        (Text("请过几分钟再试。", "Try again in a few minutes."),),
    ),
}

_KINDS: Sequence[tuple[bytes, Text]] = (
    (b"\x89PNG", Text("这是一张图片（PNG）。", "It is a picture (PNG).")),
    (b"\xff\xd8\xff", Text("这是一张照片（JPEG）。", "It is a photograph (JPEG).")),
    (b"GIF8", Text("这是一张图片（GIF）。", "It is a picture (GIF).")),
    (b"PK\x03\x04", Text("这是压缩包、Office 或 OFD 文件。", "It is an archive, an Office or an OFD file.")),
    (b"\xd0\xcf\x11\xe0", Text("这是旧版 Office 文件。", "It is an old Office file.")),
    (b"<", Text("这是网页或 XML 文件。", "It is a web page or an XML file.")),
)
_OTHER_KIND = Text(
    "它的内容既不是 PDF，也不是凭证 JSON、JWT 或 SD-JWT。",
    "Its content is neither a PDF nor a credential as JSON, JWT or SD-JWT.",
)
_EMPTY_FILE = Text("文件是空的。", "The file is empty.")
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*(?:~[A-Za-z0-9_.~-]*)?")


def refusal(given: Given, subject: str = "", reason: Text | None = None) -> tuple[Refusal, int]:
    """What to say, and the HTTP status that goes with it."""
    headline, usual, advice = _WORDS[given]
    shown = subject if len(subject) <= _SHOWN else subject[:_SHOWN] + "…"
    return Refusal(headline, [reason or usual], shown, advice), _STATUS[given]


def identifier_in(text: str) -> str:
    """The identifier in what a person typed, scanned or pasted: spaces and full-width characters do not matter.

    Of a whole address, such as the one in the QR code, its last part.
    """
    plain = "".join(
        character for character in unicodedata.normalize("NFKC", text) if character.isprintable() and character != " "
    ).replace("。", ".")
    if "://" in plain:
        plain = unquote(plain.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2])
    return plain.upper()


def document_in(body: bytes) -> bytes | Text:
    """The document in a file or a pasted text; or why it can be none."""
    if body.startswith(b"%PDF-"):
        return body
    plain = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not plain:
        return _EMPTY_FILE
    if plain.startswith(b"{") or _TOKEN.fullmatch(plain):
        return plain
    return next((words for mark, words in _KINDS if plain.startswith(mark)), _OTHER_KIND)
