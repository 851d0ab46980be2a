"""``python -m shuqiao.demo``: the same as ``shuqiao demo``."""

from shuqiao.demo.commands import app

app()
