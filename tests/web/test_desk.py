"""An agent's day at the desk, in a real browser on a running box: the story is told in the order of the tests.

Calls come in the order of `page_box.CITIZENS`. Each test takes the next one.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.running.running_box import until
from tests.web.conftest import PHONE, sign_in
from tests.web.page_box import IMPATIENT, REGULAR, PageBox
from tests.web.readable import LOW_CONTRAST, SCROLLS_SIDEWAYS

OpenPage = Callable[..., Any]
STATE = "#call-box[data-state={}]"


def expect(page: Any, state: str) -> None:
    """Wait until the desk shows this state of call or agent."""
    page.wait_for_selector(STATE.format(state))


def shown(page: Any, selector: str) -> str:
    return str(page.inner_text(selector)).strip()


def buttons(page: Any) -> list[str]:
    """What can be pressed now, with its key."""
    return [
        " ".join(button.inner_text().split())
        for button in page.locator("#phone button").all()
        if button.is_visible() and button.is_enabled()
    ]


def test_a_wrong_password_is_refused_in_words(open_page: OpenPage) -> None:
    page = open_page(login="", path="/sign-in")

    sign_in(page, "chen", "wrong")

    assert "用户名或密码错误" in shown(page, ".problem")
    assert page.input_value("[name=login]") == "chen", "what was typed is kept"


def test_the_whole_story_of_a_call_by_keyboard_alone(open_page: OpenPage, box: PageBox) -> None:
    # Given an agent who signs in and takes seat 5 without touching the mouse
    page = open_page()
    page.focus("#seats input[value='5']")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page, "NotReady")
    assert buttons(page) == ["示闲 F9"]
    page.focus("nav a[href='/calls']")

    # When the agent goes ready, a call that waited is offered, with the caller's number and without taking the focus
    page.keyboard.press("F9")
    expect(page, "offered")
    assert shown(page, "#caller-number") == REGULAR
    assert shown(page, "[data-fact=queue]") == "综合"
    until(lambda: "首次来电" in shown(page, "#history-empty"), "there was no earlier call")
    assert buttons(page) == ["接听 F2"]
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/calls"

    # Then it is answered, held, retrieved and ended
    page.keyboard.press("F2")
    expect(page, "talking")
    assert buttons(page) == ["保持 F8", "挂机 F4", "小休F10", "用餐", "会议", "培训"]
    until(lambda: shown(page, "[data-fact=recorded]") == "正在录音", "it is recorded")
    until(lambda: shown(page, "#call-timer") >= "00:02", "the timer runs")
    page.keyboard.press("F8")
    expect(page, "held")
    assert box.contacts_in("held") == 1
    page.keyboard.press("F8")
    expect(page, "talking")
    page.keyboard.press("F4")

    # And the caller stays in view while it is written up
    expect(page, "WrapUp")
    assert shown(page, "#caller-number") == REGULAR
    page.reload()
    expect(page, "WrapUp")
    until(lambda: shown(page, "#caller-number") == REGULAR, "the caller is there again after loading anew")
    # A break that is taken now, so that the next call waits for the next test
    page.keyboard.press("F10")
    expect(page, "NotReady")
    assert "小休" in shown(page, "#call-state")


def test_the_recording_of_the_call_plays(open_page: OpenPage, box: PageBox) -> None:
    box.record_a_call()
    page = open_page(path="/calls")

    page.click("[data-play]")

    until(lambda: page.evaluate("document.getElementById('audio').currentTime") > 0.3, "sound plays")
    assert page.evaluate("document.getElementById('audio').duration") > 2
    assert not page.is_visible("#player-problem")
    assert box.audited("read_recording"), "listening is audited"


def test_the_second_call_of_a_citizen_shows_the_first(open_page: OpenPage, box: PageBox) -> None:
    page = open_page()
    expect(page, "NotReady")
    page.keyboard.press("F9")
    expect(page, "offered")

    until(lambda: page.locator("#history li").count() == 1, "one earlier call is shown")
    assert shown(page, "#caller-number") == REGULAR
    assert re.search(r"接通.*12345.*综合.*805 陈丽华 \d\d:\d\d", shown(page, "#history").replace("\n", " "))
    assert "agent 805" in box.audited("pop")

    # A break that is asked for during a call takes effect after it
    page.keyboard.press("F2")
    expect(page, "talking")
    page.click("text=用餐")
    until(lambda: "通话结束后示忙：用餐" in shown(page, "#call-hint"), "the page says that it is remembered")
    page.keyboard.press("F4")
    expect(page, "NotReady")
    assert "用餐" in shown(page, "#call-state")


def test_a_caller_who_hangs_up_while_it_rings_leaves_no_call_on_the_desk(open_page: OpenPage) -> None:
    page = open_page()
    expect(page, "NotReady")
    page.evaluate(KEEP_CALLERS)
    page.keyboard.press("F9")

    # He hangs up after three seconds; the next citizen in the queue is offered instead.
    until(lambda: shown(page, "#caller-number") == "02987654321", "the next caller is offered")
    offered = [number for number in page.evaluate("window.callers") if number]
    assert list(dict.fromkeys(offered)) == [IMPATIENT, "02987654321"]
    expect(page, "offered")
    page.keyboard.press("F2")
    expect(page, "talking")


def test_the_wall_shows_the_call_with_a_masked_number(open_page: OpenPage) -> None:
    page = open_page("admin", "/wall")

    cell = page.locator(".seat-cell[data-state=Talking]")
    cell.wait_for()
    assert "陈丽华" in cell.inner_text()
    assert "0298" not in cell.inner_text()
    assert "****" in cell.inner_text()
    assert shown(page, "#figure-talking b") == "1"
    assert int(shown(page, "#figure-waiting b")) == 4
    assert page.locator(".channel-strip [data-state=up]").count() >= 6
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the wall does not scroll"


def test_headsets_where_nobody_is_signed_in_are_not_in_use(open_page: OpenPage) -> None:
    """They are off hook for ever: seat 5 talks, at 6 to 8 is nobody."""
    page = open_page("admin", "/wall")
    page.wait_for_selector(".seat-cell[data-state=Talking]")
    phones = page.locator(".board-row", has_text="FXS")

    unstaffed = phones.locator("[data-state=unstaffed]")
    until(lambda: unstaffed.count() == 3, "three seats are told apart")
    assert unstaffed.all_inner_texts() == ["6", "7", "8"]
    assert unstaffed.first.get_attribute("title") == "FXS-6 耳麦席空席"
    assert "使用 1 / 8" in phones.inner_text()


def test_a_supervisor_blocks_a_channel_at_the_wall_and_gives_it_back_by_keyboard(
    open_page: OpenPage, box: PageBox
) -> None:
    page = open_page("admin", "/wall")
    cells = page.locator(".board-row", has_text="SIP").locator(".channel-strip button")
    cells.first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_selector("#block-dialog[open]")
    page.keyboard.press("Enter")
    assert page.is_visible("#block-dialog"), "there is no block without a reason"
    page.keyboard.type("更换线路")
    page.keyboard.press("Enter")

    page.wait_for_selector("#block-dialog", state="hidden")
    until(lambda: cells.last.get_attribute("data-state") == "blocked", "it is blocked")
    assert (cells.last.get_attribute("title") or "").startswith("SIP-30 闭塞: 更换线路 (admin ")
    assert page.inner_text("#wall-blocked") == "闭塞 SIP-30更换线路"
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the wall does not scroll"
    agent = open_page("chen", "/wall")
    agent.wait_for_selector("#wall-blocked li")
    assert agent.locator(".channel-strip button, dialog").count() == 0

    page.keyboard.press("Enter")
    page.click("#block-do")
    page.wait_for_selector("#wall-blocked", state="hidden")
    until(lambda: box.audited("unblock_channel") == ["line SIP-30"], "who gave it back is written down")


def test_who_looks_at_an_analogue_line_at_the_wall_reads_its_levels(open_page: OpenPage) -> None:
    page = open_page("admin", "/wall")
    phones = page.locator(".board-row", has_text="FXS").locator(".channel-strip button")

    phones.nth(7).click()
    page.wait_for_selector("#block-dialog[open]")
    assert shown(page, "#block-levels") == "线路增益：收 +3 dB，发 −2.5 dB"
    page.keyboard.press("Escape")
    phones.nth(6).click()
    page.wait_for_selector("#block-dialog[open]")
    assert page.is_hidden("#block-levels")


def test_the_wall_tells_what_a_board_has_counted(open_page: OpenPage, box: PageBox) -> None:
    page = open_page("admin", "/wall")
    gateway = until(lambda: box.pid("gateway"), "the gateway runs")
    os.kill(gateway, signal.SIGSTOP)
    time.sleep(0.1)
    os.kill(gateway, signal.SIGCONT)

    name = page.locator(".board-row", has_text="E1-1").locator(".board-name")
    until(lambda: re.search(r"^sim · .*系统停顿 \d", name.get_attribute("title") or ""), "that the box stood still")


def test_the_wall_says_which_seats_display_and_which_lamp_of_the_box_fails_and_what_to_do(open_page: OpenPage) -> None:
    page = open_page("admin", "/wall")

    until(lambda: page.locator(".seat-cell", has_text="显示屏故障").count() == 1, "the display is told")
    cell = page.locator(".seat-cell", has_text="显示屏故障")
    assert shown(page, ".seat-cell:has(em:not(:empty)) .seat-head b") == "2"
    assert "/dev/ttyNONE0" in (cell.get_attribute("title") or "")
    assert "检查显示屏是否插好" in (cell.get_attribute("title") or "")
    until(lambda: "前面板 call /dev/gpiochip99:1：" in shown(page, "#wall-alarms"), "the lamp is told")
    assert "用 gpioinfo 查看" in shown(page, "#wall-alarms")


def test_a_board_that_does_not_work_is_told_in_the_readers_language(open_page: OpenPage, box: PageBox) -> None:
    """Two pages of one browser, in two languages."""
    page = open_page("admin", "/wall")
    other = page.context.new_page()
    other.goto(box.address("/wall?lang=en"))

    for one, told in ((page, "板卡 span (/dev/dahdi/ctl)："), (other, "Board span")):
        one.wait_for_selector("#wall-alarms p")
        until(lambda one=one, told=told: told in shown(one, "#wall-alarms"), "the board is told")  # type: ignore[misc]
    assert "Load the driver" in shown(other, "#wall-alarms")
    assert "请加载驱动" in shown(page, "#wall-alarms")
    assert page.locator(".channel-strip [data-state=out_of_service]").count() == 30
    page.wait_for_timeout(1500)
    assert "Load the driver" not in shown(page, "#wall-alarms"), "the stream speaks the page's language too"


def test_while_the_pages_process_is_away_values_are_marked_as_old(open_page: OpenPage, box: PageBox) -> None:
    streams = len(box.audited("read_events")) + 1
    page = open_page()
    expect(page, "talking")
    until(lambda: len(box.audited("read_events")) == streams, "the page has its stream")

    page.evaluate(KEEP_WHAT_THE_BAR_SAYS)
    box.kill("web")

    until(lambda: "灰色数据不是最新" in page.evaluate("window.said.join()"), "the bar says that values are old")
    page.wait_for_selector("#connection-bar[hidden]", state="attached")
    expect(page, "talking")
    assert not page.evaluate("document.body.classList.contains('stale')")
    # Still signed in, and the buttons work again
    page.keyboard.press("F8")
    expect(page, "held")


def test_while_call_control_is_away_the_page_says_so_and_goes_on(open_page: OpenPage, box: PageBox) -> None:
    page = open_page()
    expect(page, "held")

    supervisor, held_up = box.pid("supervisor"), box.pid("callserver")
    os.kill(supervisor, signal.SIGSTOP)  # it would start a callserver again that hangs
    os.kill(held_up, signal.SIGSTOP)
    try:
        until(lambda: "通话不受影响" in shown(page, "#connection-bar"), "the bar says that calls go on")
        page.keyboard.press("F8")
        until(lambda: "呼叫控制暂时没有响应" in shown(page, "#request-problem"), "the page says why nothing happens")
    finally:
        os.kill(held_up, signal.SIGCONT)
        os.kill(supervisor, signal.SIGCONT)

    page.wait_for_selector("#connection-bar[hidden]", state="attached")
    page.keyboard.press("F8")
    expect(page, "talking")


def test_a_call_without_number_says_so(open_page: OpenPage) -> None:
    page = open_page()
    expect(page, "talking")
    page.keyboard.press("F4")
    expect(page, "WrapUp")
    page.keyboard.press("F9")
    expect(page, "offered")

    assert shown(page, "#caller-number") == "号码未显示"
    until(lambda: "号码未显示，无法查找" in shown(page, "#history-empty"), "no history of nobody")
    page.keyboard.press("F2")
    expect(page, "talking")


def test_two_pages_of_one_browser_share_one_stream(open_page: OpenPage, box: PageBox) -> None:
    streams = len(box.audited("read_events")) + 1
    page = open_page()
    expect(page, "talking")
    until(lambda: len(box.audited("read_events")) == streams, "the first page has its stream")

    second = page.context.new_page()
    second.goto(box.address("/wall"))
    second.wait_for_selector(".seat-cell[data-state=Talking]")
    page.keyboard.press("F8")

    second.wait_for_selector(".seat-cell[data-state=held]")
    assert len(box.audited("read_events")) == streams


def test_a_page_that_gets_no_shared_worker_holds_a_stream_of_its_own(open_page: OpenPage, box: PageBox) -> None:
    """The pages process may be restarted at the very moment at which the browser wants the worker."""
    streams, refused = len(box.audited("read_events")), []
    page = open_page("", "/sign-in")
    page.context.route("**/stream-worker.js", lambda route: refused.append(route.abort()))
    sign_in(page, "yang")

    until(lambda: page.is_visible("nav") and refused, "the browser asks for the worker")
    until(lambda: len(box.audited("read_events")) == streams + 1, "the page has a stream")
    page.wait_for_selector("#connection-bar[hidden]", state="attached")


def test_an_offer_at_the_same_moment_is_seen_by_both_and_taken_once(open_page: OpenPage) -> None:
    """Two pages of the same agent: what one does, the other shows."""
    first, second = open_page(), open_page()
    expect(first, "held")
    expect(second, "held")

    first.keyboard.press("F8")

    expect(first, "talking")
    expect(second, "talking")


def test_signing_out_ends_the_other_pages_of_the_browser(open_page: OpenPage, box: PageBox) -> None:
    page = open_page("yang", "/desk")
    other = page.context.new_page()
    other.goto(box.address("/calls"))

    page.click(".who button")

    page.wait_for_url("**/sign-in")
    other.wait_for_url("**/sign-in?next=%2Fcalls")


def test_english_is_a_click_away_and_stays(open_page: OpenPage) -> None:
    page = open_page("yang", "/calls")

    page.click(".languages a")

    until(lambda: shown(page, "nav a[aria-current]") == "Calls", "the page is in English")
    page.click("text=Desk")
    until(lambda: "Choose your seat" in shown(page, "#seat-picker h2"), "and so is the next")


def test_the_list_speaks_of_new_calls_only_when_there_are_some(open_page: OpenPage, box: PageBox) -> None:
    streams = len(box.audited("read_events")) + 1
    page = open_page("yang", "/calls")
    until(lambda: len(box.audited("read_events")) == streams, "the page has its stream")
    page.evaluate(
        "import('/static/live.js').then((live) => live.onEvent((event) => { (window.heard ??= []).push(event.name); }))"
    )

    for path, body in (("sign-in", '{"seat": "6"}'), ("sign-out", "{}")):
        page.evaluate(
            """([path, body]) => fetch("/api/v1/agents/806/" + path, {method: "POST", body, headers:
            {"Content-Type": "application/json", "X-Requested-With": "linebox"}})""",
            [path, body],
        )
    until(lambda: "AgentStateChanged" in page.evaluate("window.heard ?? []"), "an event of no call is heard")

    assert page.locator("#new-calls").is_hidden()


@pytest.mark.parametrize("path", ["/sign-in", "/desk", "/wall", "/calls"])
@pytest.mark.parametrize("viewport", [{"width": 1366, "height": 768}, PHONE], ids=["desk", "phone"])
def test_texts_can_be_read_and_nothing_sticks_out(
    open_page: OpenPage, box: PageBox, path: str, viewport: dict[str, int]
) -> None:
    if path == "/calls":
        box.record_a_call()
    page = open_page("" if path == "/sign-in" else "admin", path, viewport)
    if path == "/wall":
        page.wait_for_selector(".board-row")
    page.wait_for_timeout(500)

    assert page.evaluate(LOW_CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    assert page.evaluate(SCROLLS_SIDEWAYS) == []
    if path == "/calls":
        for what in (".phone-number", ".time", ".result", "[data-play]"):
            assert page.locator(f".call-list {what}").first.is_visible(), f"{what} of a call is seen without scrolling"
        assert page.locator(".more-filters").is_visible() == (viewport is PHONE), "filters are folded on a phone alone"
        assert page.locator("[name=queue]").is_visible() == (viewport is not PHONE)
    rows = page.evaluate("[...document.querySelectorAll('.board-row')].map((row) => row.offsetHeight)")
    assert bool(rows) == (path == "/wall") and max(rows, default=0) <= 140, "channels are as high as a finger needs"


KEEP_WHAT_THE_BAR_SAYS = """() => {
  const bar = document.getElementById("connection-bar");
  window.said = [];
  const look = () => bar.hidden || window.said.push(bar.innerText);
  new MutationObserver(look).observe(bar, {attributes: true, childList: true, characterData: true, subtree: true});
}"""
"""The process may be back before a test has looked."""

KEEP_CALLERS = """() => {
  const number = document.getElementById("caller-number");
  window.callers = [];
  const look = () => number.checkVisibility() && window.callers.push(number.innerText.trim());
  const all = {attributes: true, childList: true, characterData: true, subtree: true};
  new MutationObserver(look).observe(document.body, all);
}"""
"""So may a caller be gone."""
