"""What the line side costs: ISDN set-ups beside bare libpri, the gateway beside a read/write loop on the real driver.

Run by `scripts/bench lines [--json FILE]`. Each call of the first part goes SETUP, CALL PROCEEDING, ALERTING, CONNECT,
DISCONNECT, RELEASE, RELEASE COMPLETE on an E1 whose both ends, ours and a bare libpri as the exchange, are in this
process. Figures are calls a second of CPU time of the one thread, both ends together, so that a busy machine does not
spoil them. The second part runs in the test guest of `scripts/test vm` (tests/vm/inside/bench_lines.py), whose clock
counts instructions: it takes minutes, and its figures do not depend on this machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path

from boards.pri_link import pri_channels
from boards.signals import Alerting, Connect, FromBoard, Proceeding, Release, Setup, ToBoard
from drivers.pri_stack import TIME_SLOTS, Alert, Answer, Clear, Incoming, PlaceCall, PriSettings, Proceed
from firmware.core.clock import Stamp
from firmware.lines.gateway import Gateway
from firmware.lines.isdn.channels import PriLines
from firmware.lines.line_commands import AlertLeg, AnswerLeg, Attach, Resume
from firmware.lines.messages import IncomingCall
from firmware.media.sounds import SoundStore
from tests.lines.isdn import Box, Exchange, IsdnLine
from tests.vm.guest import GuestError, make_guest
from tests.vm.job import LOAD_DRIVER, run_job

GUEST_SECONDS = 900
GUEST_SCRIPT = f"""\
{LOAD_DRIVER}
python3 -m tests.vm.inside.bench_lines
"""
WARM_UP = 100
CALLS = 2000

Result = dict[str, str | float | None]


def calls_a_second(one_call: Callable[[int], None]) -> float:
    """CPU time of calls one after the other; `one_call` is given the call's number."""
    for number in range(1, WARM_UP + 1):
        one_call(number)
    gc.collect()
    gc.disable()
    began = time.process_time()
    for number in range(WARM_UP + 1, WARM_UP + CALLS + 1):
        one_call(number)
    spent = time.process_time() - began
    gc.enable()
    return CALLS / spent


def place(exchange: Exchange, line: IsdnLine, number: int) -> None:
    slot = TIME_SLOTS[number % 30]
    exchange.do(PlaceCall(call=-number, slot=slot, called="12345", calling="13800138000", calling_name="李四"))
    line.run()


def end(exchange: Exchange, line: IsdnLine, number: int, held: Callable[[], int]) -> None:
    exchange.do(Clear(-number, 16))
    line.run()
    exchange.events.clear()
    line.frames.clear()
    if held():
        raise SystemExit(f"{held()} calls are still there after call {number}: the figure would mean nothing")


def bare() -> float:
    """Two ends of libpri through the binding."""
    exchange, user = Exchange(PriSettings(network=True)), Exchange(PriSettings())
    line = IsdnLine(exchange, user)
    line.run(1)

    def one_call(number: int) -> None:
        user.events.clear()
        place(exchange, line, number)
        (incoming,) = user.events
        assert isinstance(incoming, Incoming)
        for step in (Proceed, Alert, Answer):
            user.do(step(incoming.call, incoming.slot or 1))
            line.run()
        end(exchange, line, number, lambda: user.stack.calls)

    return calls_a_second(one_call)


def answer_at_once(signal: FromBoard) -> list[ToBoard]:
    match signal:
        case Setup(channel):
            return [Proceeding(channel), Alerting(channel), Connect(channel)]
        case Release(channel):
            return [Release(channel)]
    return []


def with_lines(answers: Callable[[FromBoard], list[ToBoard]]) -> float:
    """Our lines on libpri; `answers` is the gateway."""
    box, exchange = Box(PriLines(restart_at_start=())), Exchange(PriSettings(network=True))
    line = IsdnLine(exchange, box)
    box.answers = answers
    box.attach()
    line.run(1)

    def one_call(number: int) -> None:
        place(exchange, line, number)
        end(exchange, line, number, lambda: box.lines.calls)
        box.signals.clear()

    return calls_a_second(one_call)


def real_gateway() -> Callable[[FromBoard], list[ToBoard]]:
    """The gateway's line machines, and a callserver that answers each call at once."""
    gateway = Gateway([("e1", pri_channels(1))], SoundStore({}), boot="b00t", machine_boot="machine")
    now = Stamp(1, 1)
    gateway.board_opened("e1", now)
    gateway.attach(Attach("", 0), now)

    def answers(signal: FromBoard) -> list[ToBoard]:
        before = gateway.last_number
        gateway.handle_signal("e1", signal, now)
        for event in gateway.events_after(before):
            if isinstance(event, IncomingCall):
                gateway.handle_command(AlertLeg(event.leg), now)
                gateway.handle_command(AnswerLeg(event.leg), now)
        gateway.handle_command(Resume(gateway.last_number), now)
        return [signal for _, signal in gateway.take_signals()]

    return answers


def isdn() -> list[Result]:
    peer = bare()
    return [
        {"case": case, "unit": "calls/s", "ours": ours, "peer": peer, "ratio": ours / peer}
        for case, ours in (
            ("ISDN set-ups: lines on libpri", with_lines(answer_at_once)),
            ("ISDN set-ups: and the gateway's line machines", with_lines(real_gateway())),
        )
    ]


def in_guest() -> list[Result]:
    """Raises GuestError if the guest cannot be built, or did not measure."""
    result = run_job(make_guest(), GUEST_SCRIPT, GUEST_SECONDS)
    if result.code != 0:
        raise GuestError(f"the guest did not measure (it ended with {result.code}):\n{result.log[-2000:]}")
    rows: list[Result] = json.loads(result.files["lines.json"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="What the line side costs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[Result] = []
    for peer, measure in (("bare libpri", isdn), ("read/write loop", in_guest)):
        print(f"{'case':<46} {'unit':>18} {'ours':>10} {peer:>16} {'ratio':>6}")
        for row in (measured := measure()):
            figures = f"{row['ours']:10.1f} {row['peer']:16.1f} {row['ratio']:6.2f}"
            print(f"{row['case']:<46} {row['unit']:>18} {figures}", flush=True)
        rows += measured
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except GuestError as error:
        raise SystemExit(str(error)) from error
