"""The department of these tests: an exchange table with a first state, and a later one after a day of life."""

from __future__ import annotations

from registry.storage.database import connect

ROWS = 1200

_FIRST = f"""
CREATE SCHEMA exchange;
CREATE TABLE exchange.permit_card (
    serial int PRIMARY KEY, card_no text, holder text, state text, day text, op_flag text, write_time timestamptz);
INSERT INTO exchange.permit_card
SELECT n, 'P' || lpad(n::text, 6, '0'), '持证人' || n % 300, CASE WHEN n % 100 = 50 THEN '未知' ELSE '有效' END,
    '2020-01-02', 'i', timestamptz '2020-03-01 08:00:00+08' + n / 40 * interval '1 second'
FROM generate_series(1, {ROWS}) n;
"""
_DAY = "write_time = timestamptz '2020-03-02 08:00:00+08' + serial / 40 * interval '1 second'"
_LATER = f"""
UPDATE exchange.permit_card SET state = '吊销', op_flag = 'u', {_DAY} WHERE serial % 20 = 3;
UPDATE exchange.permit_card SET op_flag = 'd', {_DAY} WHERE serial % 100 = 7;
UPDATE exchange.permit_card SET state = '有效', op_flag = 'u', {_DAY} WHERE serial IN (50, 250, 450);
UPDATE exchange.permit_card SET day = '2020-13-45', op_flag = 'u', {_DAY} WHERE serial IN (12, 34, 1156);
UPDATE exchange.permit_card SET card_no = 'P9' || lpad(serial::text, 5, '0'), op_flag = 'u', {_DAY}
    WHERE serial IN (15, 16, 1117);
INSERT INTO exchange.permit_card
SELECT n, 'P' || lpad(n::text, 6, '0'), '新持证人', '有效', '2020-03-02', 'i',
    timestamptz '2020-03-02 08:10:00+08' + n / 40 * interval '1 second'
FROM generate_series({ROWS + 1}, {ROWS + 150}) n;
"""


def fill(url: str, *, later: bool) -> None:
    """Make the table in its first or in its later state."""
    with connect(url) as connection:
        connection.execute(_FIRST.encode())
        if later:
            connection.execute(_LATER.encode())
