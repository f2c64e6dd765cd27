"""How Mandarin says numbers, amounts, dates, times and telephone numbers: a value becomes the words that are spoken.

A word is a text such as `千` or `星期`; the prompt `word:千` speaks it. Not here: sounds, who hears them, when.

Sources, by the letters at the rules:

- [R] Reading of whole numbers in groups of four (个级, 万级, 亿级): zeros at a group's end are silent, any other run of
  zeros is one 零. People's Education Press, mathematics 四年级上册, 大数的认识.
- [L] 二 or 两: 现代汉语词典, entry 两: 两 before measure words and before 千, 万, 亿; 二 in 十 and 百 and, as a rule,
  for the 千 after 万 or 亿 (三万二千, 两亿二千万); only 二 in bare digits, decimals and ordinals.
- [P] 支付结算办法, annex 正确填写票据和结算凭证的基本规定: 整 after 元 when nothing follows, 零 between 元 and 分.
- [G] GB/T 15835-2011: the four digits of a year are read one by one. Days of the week: GB/T 7408 (Monday is the first).
- [C] common usage, without a text that prescribes it.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

Words = tuple[str, ...]

DIGITS = "零一二三四五六七八九"
LARGEST = 10**16 - 1
"""Nine thousand and more 万亿; what is above has no common reading."""

_PLACES = ("", "十", "百", "千")
_TELEPHONE = {**dict(zip("0123456789", DIGITS, strict=True)), "1": "幺", "*": "星", "#": "井"}
PAUSE = "停顿"
"""A short silence between groups of digits."""

WORDS: Words = (
    *DIGITS,
    *"十百千万亿两幺点负第元角分年月日整秒星井位",
    *("工号", "星期", "分钟", "小时", "为您服务", PAUSE),
)
"""Every word that this file can give, and those that frames around its values take."""


def number(value: int) -> Words:
    """A whole number: 1203 is 一千二百零三. Raises ValueError beyond `LARGEST`."""
    return _whole(value, "两")


def ordinal(value: int) -> Words:
    """第 and the number: 2 is 第二, also 2000 is 第二千 [L]. Raises ValueError for what is not positive."""
    if value < 1:
        raise ValueError(f"{value} is no place in an order")
    return ("第", *_whole(value, "二"))


def decimal(value: Decimal) -> Words:
    """A decimal number as it is written: 3.05 is 三点零五, digit by digit after 点, always 二 there [L]. Trailing zeros
    are said, as they say how exact it is [C]. Raises ValueError for what is not finite or too large."""
    if not value.is_finite():
        raise ValueError(f"{value} is no number that can be spoken")
    sign, _, _ = value.as_tuple()
    whole, _, part = f"{abs(value):f}".partition(".")
    return (*(("负",) if sign else ()), *number(int(whole)), *(("点", *spelled(part)) if part else ()))


def counted(value: int, measure: str) -> Words:
    """A number of things with their measure word: 两位, 十二位, 两千位 [L]. Raises ValueError beyond `LARGEST`."""
    return ("两", measure) if value == 2 else (*number(value), measure)


def spelled(digits: str) -> Words:
    """Digits one by one, with 一 and 二: 2002 is 二零零二. Raises ValueError for anything else."""
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"only digits can be spelled: {digits!r}")
    return tuple(DIGITS[int(digit)] for digit in digits)


def telephone(digits: str) -> Words:
    """A telephone number digit by digit, 1 as 幺 [C]; a mobile number in groups of 3, 4 and 4 with short pauses [C].
    `*` is 星, `#` is 井, a leading `+` is not said. Raises ValueError for other characters, or none."""
    dialled = digits.removeprefix("+")
    if not dialled or set(dialled) - _TELEPHONE.keys():
        raise ValueError(f"no telephone number: {digits!r}")
    spoken = [_TELEPHONE[digit] for digit in dialled]
    if len(spoken) == 11 and dialled.startswith("1"):
        return (*spoken[:3], PAUSE, *spoken[3:7], PAUSE, *spoken[7:])
    return tuple(spoken)


def agent_number(digits: str) -> Words:
    """报工号: 工号 and its digits one by one, 1 as 幺 [C]. Raises ValueError for a number with other characters."""
    return ("工号", *telephone(digits))


def amount(fen: int, *, whole_is_exact: bool = False) -> Words:
    """Money in 分 as 元, 角, 分: 150 is 一元五角, 105 is 一元零五分 [P], 0 is 零元. `whole_is_exact`: 整 after whole
    元, as for a bill [P]. Raises ValueError beyond `LARGEST` 元."""
    yuan, rest = divmod(abs(fen), 100)
    jiao, cent = divmod(rest, 10)
    words: list[str] = ["负"] if fen < 0 else []
    if yuan or not rest:
        words += counted(yuan, "元")
    if jiao:
        words += [DIGITS[jiao], "角"] if yuan else counted(jiao, "角")
    if cent:
        words += ["零"] if yuan and not jiao else []
        words += [DIGITS[cent], "分"] if yuan or jiao else counted(cent, "分")
    if whole_is_exact and not rest:
        words.append("整")
    return tuple(words)


def date(day: datetime.date) -> Words:
    """2002-02-22 is 二零零二年二月二十二日: the year digit by digit [G], month and day as numbers with 二 [L]."""
    return (*spelled(f"{day.year:04d}"), "年", *_whole(day.month, "二"), "月", *_whole(day.day, "二"), "日")


def weekday(day: datetime.date) -> Words:
    """星期一 to 星期六, 星期日 [G]."""
    place = day.isoweekday()
    return ("星期", "日" if place == 7 else DIGITS[place])


def time_of_day(time: datetime.time) -> Words:
    """Hours and minutes of 24 hours: 14:05 is 十四点零五分, 02:00 is 两点整, 00:30 is 零点三十分 [C]. Seconds are not
    said."""
    hour = counted(time.hour, "点")
    if not time.minute:
        return (*hour, "整")
    return (*hour, *(("零",) if time.minute < 10 else ()), *_whole(time.minute, "二"), "分")


def duration(seconds: int) -> Words:
    """A length of time: 45 is 四十五秒, 120 is 两分钟, 125 is 两分零五秒, 3600 is 一小时 [C]. A smaller unit below ten,
    or after a unit that is left out, has 零 before it [C]. Raises ValueError for what is negative or beyond `LARGEST`
    hours."""
    if seconds < 0:
        raise ValueError(f"{seconds} s is no length of time")
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    words: list[str] = []
    for value, unit in ((hour, "小时"), (minute, "分" if second else "分钟"), (second, "秒")):
        if not value:
            continue
        if not words:
            words += counted(value, unit)
            continue
        left_out = unit == "秒" and hour and not minute
        words += [*(["零"] if value < 10 or left_out else []), *_whole(value, "二"), unit]
    return tuple(words) or ("零", "秒")


# ---- whole numbers ---------------------------------------------------------------------------------------------------


def _whole(value: int, first_two: str) -> Words:
    """`first_two`: what a 2 that begins the number is before 千, 万 and 亿."""
    if abs(value) > LARGEST:
        raise ValueError(f"{value} has no common reading, {LARGEST} is the largest")
    if value == 0:
        return ("零",)
    words = _above_zero(abs(value))
    if words[0] == "二" and words[1:2] and words[1] in "千万亿":
        words[0] = first_two
    return (*(("负",) if value < 0 else ()), *words)


def _above_zero(value: int) -> list[str]:
    """The parts above and below 亿, and each of them above and below 万 [R]."""
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if value >= unit:
            above, below = divmod(value, unit)
            words = [*_above_zero(above), name]
            if below:
                # A zero, or a whole group of them, stands between: 一万零一十, 一亿零一千; not 一百万一千.
                words += ["零"] if below < unit // 10 else []
                words += _inside(below)
            return words
    words = _group(value)
    return words[1:] if words[:2] == ["一", "十"] else words  # a number begins with 十, not with 一十 [C]


def _inside(value: int) -> list[str]:
    """The same, where more stands before it: 一亿零一十万, with 一."""
    if value < 10**4:
        return _group(value)
    above, below = divmod(value, 10**4)
    words = [*_group(above), "万"]
    if below:
        words += ["零"] if below < 1000 else []
        words += _group(below)
    return words


def _group(value: int) -> list[str]:
    """1 to 9999 in full."""
    words: list[str] = []
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if digit:
            words += [DIGITS[digit], _PLACES[place]] if place else [DIGITS[digit]]
        elif words and words[-1] != "零" and value % 10**place:
            words.append("零")
    return words
