"""What is signed is the same to others: canonical JSON as JavaScript has it, whose rules RFC 8785 took over."""

from __future__ import annotations

import json
import random
import struct

import pytest

from registry.credentials import jcs
from tests.crosscheck import node
from tests.crosscheck.conftest import need

NUMBERS = [
    "0", "-0", "-0.0", "-1", "-42", "9007199254740991", "-9007199254740991", "9007199254740993.0", "1E2", "1e+2", "1.0",
    "1e21", "1e20", "-1e20", "123456789012345678901.5", "5e-324", "-5e-324", "1.7976931348623157e308", "0.000001",
    "0.0000001", "4.35", "0.1", "-0.30000000000000004", "333333333.33333329", "1e-400", "2e-3", "1e23",
    "9.5367431640625e-7",
]  # fmt: skip
DOCUMENTS = [
    '{"b":-7,"a":[-1,0,1],"c":{"z":1,"Z":2,"é":3,"e\\u0301":4}}',
    '{"\\ud83d\\ude00":1,"\\ufb33":2,"\\u20ac":3,"\\r":4,"1":5,"\\u0080":6,"\\u00f6":7}',
    '{"text":"\\u0000\\u001f\\u007f\\u0080\\u2028\\"\\\\\\/\\b\\f\\n\\r\\t中文"}',
    '[[],{},"",null,true,false,[[[{"a":[{}]}]]]]',
    '{"a":1.5,"b":-9007199254740991,"中":{"b":1,"a":[1e3]}}',
]


def doubles(count: int) -> list[str]:
    """Any number that a double can hold, as Python writes it."""
    chance = random.Random(8785)
    found: list[str] = []
    while len(found) < count:
        (number,) = struct.unpack("<d", chance.randbytes(8))
        text = json.dumps(number)
        if number - number == 0 and not text.lstrip("-").isdigit() and not 2**53 <= abs(number) < 1e21:
            found.append(text)
    return found


def test_numbers_and_documents_are_canonical_as_javascript_has_them() -> None:
    need(node.missing())
    texts = [*NUMBERS, *DOCUMENTS, *doubles(3000)]
    theirs = node.ask([{"tool": "jcs", "json": text} for text in texts])

    for text, answer in zip(texts, theirs, strict=True):
        assert jcs.canonical(jcs.parse(text.encode())).decode() == answer["canonical"], text


@pytest.mark.parametrize("text", ["9007199254740992", "-9007199254740992", "1" + "0" * 30, "-1" + "0" * 30])
def test_integers_that_javascript_would_round_are_neither_read_nor_signed(text: str) -> None:
    for refused in (lambda: jcs.parse(text.encode()), lambda: jcs.canonical(int(text))):
        with pytest.raises(jcs.DocumentRefused):
            refused()
