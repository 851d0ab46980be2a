from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from lxml import etree

from registry.documents import seal


@pytest.mark.parametrize("length", [1, 4, 9, 14, 15, 22, 30, 34, 45, 60])
def test_neighbours_on_the_arc_do_not_touch(length: int) -> None:
    drawing = seal.draw("局" * length)
    angles = [float(angle) for angle in re.findall(r"rotate\((-?[0-9.]+) 210 210\)", drawing)]
    (height,) = {float(size) for size in re.findall(r'font-size="([0-9.]+)"', drawing)}
    (narrowing,) = {float(scale) for scale in re.findall(r"scale\(([0-9.]+) 1\)", drawing)}
    (baseline,) = {float(top) for top in re.findall(r"translate\(210 ([0-9.]+)\)", drawing)}

    assert len(angles) == length
    assert angles == [-angle for angle in reversed(angles)]  # the star's point stands below the middle
    radius = 210 - baseline
    assert radius + height < 210  # inside the ring
    for first, second in pairwise(angles):
        assert math.radians(second - first) * (radius + height / 2) >= narrowing * height * 0.95


def test_a_name_cannot_break_out_of_the_drawing() -> None:
    drawing = etree.fromstring(seal.draw("<script>&\"'局"))

    texts = drawing.findall(".//{http://www.w3.org/2000/svg}text")
    assert "".join(text.text or "" for text in texts) == "<script>&\"'局"
    assert not drawing.findall(".//{http://www.w3.org/2000/svg}script")
