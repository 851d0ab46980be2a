"""A taken port is said in one line, with the setting that moves it."""

import os
import socket

from shuqiao.stack import ports


def test_a_taken_port_is_one_line_with_its_setting_and_who_holds_it() -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]

        (sentence,) = ports.taken({"SHUQIAO_API_PORT": port})

    assert "\n" not in sentence
    assert f"port {port} is taken" in sentence
    assert f"pid {os.getpid()}" in sentence
    assert "set SHUQIAO_API_PORT to another port" in sentence


def test_a_free_port_is_not_mentioned() -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]

    assert ports.taken({"SHUQIAO_API_PORT": port}) == []
