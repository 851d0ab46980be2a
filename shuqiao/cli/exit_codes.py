"""What the exit code of ``shuqiao`` says, in one place: scripts and schedulers act on it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The codes, sorted by what the caller does next."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOURCE_UNAVAILABLE = 3
    MISCONFIGURED = 4
    REGISTRY_UNREACHABLE = 5
    NOT_IN_FORCE = 10
    NOT_GENUINE = 11
    STATUS_UNKNOWN = 12
    UNEXPECTED = 70
    INTERRUPTED = 130


MEANING: dict[ExitCode, tuple[str, str]] = {
    ExitCode.DONE: ("已完成", "done"),
    ExitCode.FAILED: (
        "未成功：批次被暂停、请求被拒绝或没有找到记录",
        "it did not succeed: a batch is held, a request was refused, or nothing was found",
    ),
    ExitCode.USAGE: (
        "用法或设置有误：参数、名称或 SHUQIAO_* 设置不正确",
        "wrong usage: an argument, a name or a SHUQIAO_* setting",
    ),
    ExitCode.SOURCE_UNAVAILABLE: (
        "数据源暂不可用，可稍后重试",
        "a source does not answer now; try again later",
    ),
    ExitCode.MISCONFIGURED: (
        "配置有误：清单、连接、数据结构或本地部件，重试无效",
        "misconfigured: a manifest, connection, schema or part of the stack; trying again cannot help",
    ),
    ExitCode.REGISTRY_UNREACHABLE: (
        "登记库无法访问或尚未建立",
        "the registry cannot be reached, or has not been set up",
    ),
    ExitCode.NOT_IN_FORCE: (
        "核验：证照真实，但当前无效（过期、暂扣、吊销、注销、已有新版本等）",
        "verified: genuine but not in force (expired, suspended, revoked, cancelled, superseded, ...)",
    ),
    ExitCode.NOT_GENUINE: (
        "核验：未能证明证照真实，不可采信",
        "verified: not genuine, do not rely on it",
    ),
    ExitCode.STATUS_UNKNOWN: (
        "核验：签章真实，但当前状态未知",
        "verified: sealed by its issuer, but its present state cannot be told",
    ),
    ExitCode.UNEXPECTED: (
        "程序内部错误，请加 --debug 再次运行",
        "a fault in shuqiao itself; run it again with --debug",
    ),
    ExitCode.INTERRUPTED: ("被 Ctrl-C 中断", "interrupted by Ctrl-C"),
}


def for_help() -> str:
    """The codes as the end of ``shuqiao --help`` shows them."""
    lines = [f"  {int(code):>3}  {zh}\n       {en}" for code, (zh, en) in MEANING.items()]
    return "\n".join(["退出码 Exit codes:", *lines])
