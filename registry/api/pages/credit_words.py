"""What the look-up page and the check page for reports say when there is no record to show, and above one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from registry.api.pages.finding import Headline, Text, Tone


class Said(StrEnum):
    """What a page has to say."""

    NOTHING_GIVEN = "nothing_given"
    MISTYPED = "mistyped"
    UNKNOWN = "unknown"
    SEVERAL = "several"
    UNAVAILABLE = "unavailable"
    NOT_SIGNED = "not_signed"
    NO_NUMBER = "no_number"
    NUMBER_MALFORMED = "number_malformed"
    NUMBER_MISTYPED = "number_mistyped"
    NO_SUCH_REPORT = "no_such_report"
    STILL_SO = "still_so"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Message:
    """The big line, why, what to do, and the HTTP status."""

    headline: Headline
    reason: Text
    advice: Sequence[Text] = ()
    status: int = 200


_LOOK_AGAIN = Text(
    "请核对18位统一社会信用代码，或输入营业执照上的完整名称；不支持按名称的一部分查询。",
    "Check the 18 characters of the code, or enter the whole name as the business licence has it; part of a name leads "
    "nowhere.",
)
_COMPARE_NUMBER = Text(
    "请对照报告页脚逐位核对报告编号；也可以扫描报告首页的二维码。",
    "Compare the number with the foot of the report, character by character; or scan the code on its first page.",
)
_ASK_ANEW = Text(
    "需要现状的，请重新查询或重新申请出具报告；不要继续使用这份报告。",
    "For what is so now, look it up again or have a new report made; do not go on using this one.",
)

MESSAGES: Mapping[Said, Message] = {
    Said.NOTHING_GIVEN: Message(
        Headline(Tone.UNKNOWN, "question", Text("还没有要查询的内容", "Nothing to look up yet")),
        Text("没有输入代码或名称。", "There is neither a code nor a name."),
        (),
        400,
    ),
    Said.MISTYPED: Message(
        Headline(Tone.UNKNOWN, "question", Text("代码有误：校验位不符", "Mistyped: the check character does not fit")),
        Text(
            "最后一位是校验位，由前面各位算出；它与您输入的内容不符，至少有一位写错了。",
            "The last character follows from all others; it does not fit them, so at least one of them is wrong.",
        ),
        (_LOOK_AGAIN,),
        404,
    ),
    Said.UNKNOWN: Message(
        Headline(Tone.UNKNOWN, "question", Text("没有找到", "Not found")),
        Text(
            "本平台没有可以向公众展示的、与您输入的内容完全一致的主体信息。",
            "This hub has nothing that may be shown to the public of anyone who has just this code or name.",
        ),
        (_LOOK_AGAIN,),
        404,
    ),
    Said.SEVERAL: Message(
        Headline(Tone.UNKNOWN, "question", Text("对应多个主体", "Several have it")),
        Text(
            "不止一个主体使用这一名称或旧标识，请按统一社会信用代码查询。",
            "More than one bears this name or old identifier: look it up by the unified social credit code.",
        ),
        (),
        300,
    ),
    Said.UNAVAILABLE: Message(
        Headline(Tone.UNKNOWN, "clock", Text("暂时无法查询", "Cannot be looked up at the moment")),
        Text(
            "查询的人较多，或登记库暂时不能读取。这不说明该主体的信用状况。",
            "Many are asking, or the registry cannot be read just now. That says nothing about the enterprise.",
        ),
        (Text("请过几分钟再试。", "Try again in a few minutes."),),
        503,
    ),
    Said.NOT_SIGNED: Message(
        Headline(Tone.UNKNOWN, "clock", Text("暂不能出具报告", "No report can be issued at the moment")),
        Text(
            "签章服务暂不可用；页面上的查询不受影响。",
            "Nothing can be sealed just now; looking up on the page goes on.",
        ),
        (Text("请稍后再试。", "Try again later."),),
        503,
    ),
    Said.NO_NUMBER: Message(
        Headline(Tone.UNKNOWN, "question", Text("还没有要核对的报告", "No report to check yet")),
        Text("没有输入报告编号。", "There is no number."),
        (),
        400,
    ),
    Said.NUMBER_MALFORMED: Message(
        Headline(Tone.UNKNOWN, "question", Text("这不是报告编号", "This is no number of a report")),
        Text(
            "报告编号有20位字母和数字，分为五组，印在报告每页的页脚。",
            "It has 20 letters and digits in five groups, printed at the foot of every page.",
        ),
        (_COMPARE_NUMBER,),
        400,
    ),
    Said.NUMBER_MISTYPED: Message(
        Headline(Tone.UNKNOWN, "question", Text("编号有误：校验位不符", "Mistyped: its check character does not fit")),
        Text(
            "最后一位是校验位；它与您输入的内容不符，至少有一位写错了。",
            "The last character follows from all others; it does not fit them, so at least one of them is wrong.",
        ),
        (_COMPARE_NUMBER,),
        404,
    ),
    Said.NO_SUCH_REPORT: Message(
        Headline(Tone.BAD, "cross", Text("查无此报告，不可采信", "No such report: do not rely on it")),
        Text(
            "编号格式正确，但本平台没有出具过带有此编号的报告。",
            "The number is well-formed, but no report that bears it was ever issued here.",
        ),
        (_COMPARE_NUMBER,),
        404,
    ),
    Said.STILL_SO: Message(
        Headline(Tone.GOOD, "tick", Text("由本平台出具，内容仍为现状", "Issued here, and still so")),
        Text(
            "本平台出具过这份报告；其所载信息现在没有变化。请核对下列各项与报告上的是否一致。",
            "This hub issued it, and nothing that it says has changed. Compare the lines below with the report.",
        ),
    ),
    Said.CHANGED: Message(
        Headline(Tone.CAUTION, "clock", Text("由本平台出具，但内容已有变化", "Issued here, but no longer all so")),
        Text(
            "报告所载信息出具后有更正、修复、撤销、期满或新增，不再反映现状。变化的内容不在此展示。",
            "Something that it says was corrected, repaired, withdrawn or ran out since, or something was added. "
            "What has changed is not shown here.",
        ),
        (_ASK_ANEW,),
    ),
}
