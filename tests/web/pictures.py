"""The scene that scripts/screenshots photographs: a running box on an ordinary morning.

    python -m tests.web.pictures [--language zh-CN|en]

Not a test. Four simulated agents work; a citizen who has called three times before reaches the person at seat 5.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from tests.running.running_box import RunningBox, until
from tests.web.conftest import FLAGS, PHONE, WIDE, sign_in
from tests.web.page_box import PASSWORD

PICTURES = Path(__file__).resolve().parents[2] / "webui" / "pictures"
REGULAR = "13800130000"
OTHERS = ("02987654321", "15829017766", "13572084410", "18691245533")
LATER = ("09133217700", "17792015648", "13991083312", "15009271846", "18729904215", "02988112233")


def citizen(at_seconds: float, calling: str, talks_seconds: float) -> dict[str, Any]:
    steps = [
        {"do": "wait", "until": "agent", "at_most_seconds": 300.0},
        {"do": "talk", "tone_hz": 700},
        {"do": "wait", "until": "cleared", "at_most_seconds": talks_seconds, "otherwise": "hang_up"},
    ]
    return {"at_seconds": at_seconds, "calling": calling, "audio": True, "steps": steps}


def scene() -> dict[str, Any]:
    """Three short calls of the regular, others in between; then a busy moment with a queue, the regular first in it."""
    early = [citizen(0.5 + 8 * index, REGULAR, 3.0 + index) for index in range(3)]
    early += [citizen(2.0 + 4 * index, number, 3.0 + 2 * index) for index, number in enumerate(OTHERS)]
    busy = [citizen(31.0 + index, number, 400.0) for index, number in enumerate(LATER[:4])]
    waiting = [citizen(37.0, REGULAR, 400.0), *(citizen(39.0 + index, n, 400.0) for index, n in enumerate(LATER[4:]))]
    phones = [
        {"extension": f"FXS-{n}", "behaviour": "manned", "agent": str(800 + n), "seat": str(n)} for n in range(1, 5)
    ]
    phones += [{"extension": f"FXS-{n}", "behaviour": "headset"} for n in range(5, 9)]
    return {"citizens": early + busy + waiting, "phones": phones}


class Photographer:
    def __init__(self, browser: Any, box: RunningBox, language: str) -> None:
        self._address = f"http://127.0.0.1:{box.web_port}"
        self._contexts = {
            "": browser.new_context(locale=language, viewport=WIDE),
            "-phone": browser.new_context(locale=language, viewport=PHONE, device_scale_factor=2),
        }
        self.pages = {suffix: context.new_page() for suffix, context in self._contexts.items()}

    @property
    def desk(self) -> Any:
        return self.pages[""]

    def open(self, path: str, ready: str = "main") -> None:
        for page in self.pages.values():
            page.goto(self._address + path)
            page.wait_for_selector(ready)

    def take(self, name: str, *, phone: bool = False) -> None:
        for suffix, page in self.pages.items():
            if suffix and not phone:
                continue
            page.wait_for_timeout(700)  # the next second of the timers
            page.screenshot(path=PICTURES / f"{name}{suffix}.png")

    def sign_in(self) -> None:
        for page in self.pages.values():
            sign_in(page, "admin")
            page.wait_for_url("**/desk")


def play(photographer: Photographer) -> None:
    desk = photographer.desk
    photographer.open("/sign-in")
    photographer.take("sign-in")
    photographer.sign_in()
    photographer.open("/desk", "#seat-picker")
    photographer.take("seat")
    # The busy moment: four agents talk, the regular is first in the queue, two wait behind.
    photographer.open("/wall", ".seat-cell")
    wall = photographer.desk
    until(lambda: wall.inner_text("#figure-waiting b") == "3", "four talk and three wait", 90)
    photographer.open("/desk", "#seat-picker")
    desk.click("#seats input[value='5']")
    desk.click("#take-seat")
    desk.wait_for_selector("#call-box[data-state=NotReady]")
    desk.keyboard.press("F9")
    desk.wait_for_selector("#call-box[data-state=offered]")
    until(lambda: desk.locator("#history li").count() == 3, "the history is there")
    photographer.take("desk-ringing", phone=True)
    desk.keyboard.press("F2")
    desk.wait_for_selector("#call-box[data-state=talking]")
    photographer.take("desk-talking")
    desk.keyboard.press("F8")
    desk.wait_for_selector("#call-box[data-state=held]")
    photographer.open("/wall", ".seat-cell[data-state=held]")
    photographer.take("wall", phone=True)
    photographer.open("/desk", "#call-box[data-state=held]")
    desk.keyboard.press("F4")
    desk.wait_for_selector("#call-box[data-state=WrapUp]")
    photographer.take("desk-wrap-up")
    desk.keyboard.press("F10")
    photographer.open("/calls", "[data-play]")
    desk.locator("[data-play]").first.click()
    desk.wait_for_timeout(800)
    photographer.take("calls", phone=True)
    photographer.open("/calls/1", ".timeline")
    photographer.take("call")


def main() -> int:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description="Takes the pictures of the pages.")
    parser.add_argument("--language", default="zh-CN", choices=("zh-CN", "en"))
    language = parser.parse_args().language
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        plan = Path(folder) / "scene.json"
        plan.write_text(json.dumps(scene()))
        box = RunningBox(Path(folder), "--scenario", str(plan))
        save_subjects(box.paths, demonstration_documents(PASSWORD))
        box.start()
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[*FLAGS, f"--lang={language}", "--mute-audio"],
            )
            play(Photographer(browser, box, language))
            browser.close()
        finally:
            box.stop()
    print(f"pictures are in {PICTURES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
