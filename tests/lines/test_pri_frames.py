"""ISDN frames as such: 10,000 that are wrong do no harm; an independent dissector finds none of ours malformed."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from boards.signals import Alerting, Cause, Connect, Release, Setup
from drivers.pri_stack import (
    TIME_SLOTS,
    Alert,
    Answer,
    Clear,
    Forget,
    Incoming,
    LayerTwo,
    Probe,
    Proceed,
    Restart,
    SendDigit,
)
from tests.lines.isdn_town import SLOT_17, Town

FRAMES = 10_000
SEEDS = 4
T309_AND_MORE = 400


def mutated(frame: bytes, choose: random.Random) -> list[bytes]:
    """What arrives instead: some frames whole, most with something wrong, some twice, some never."""
    octets = bytearray(frame)
    kind = choose.randrange(10)
    if kind < 4:
        # Layer 2 stays in order, the message does not.
        for _ in range(choose.randrange(1, 6)):
            if len(octets) > 4:
                octets[choose.randrange(4, len(octets))] = choose.randrange(256)
    elif kind == 4:
        del octets[choose.randrange(len(octets)) :]
    elif kind == 5:
        octets += choose.randbytes(choose.choice([1, 7, 60, 260, 2000]))
    elif kind == 6:
        octets[choose.randrange(len(octets))] ^= 1 << choose.randrange(8)
    elif kind == 7 and len(octets) > 8:
        place = choose.randrange(6, len(octets))
        octets[place:place] = bytes([choose.randrange(128), choose.randrange(256)]) + choose.randbytes(
            choose.randrange(40)
        )
    elif kind == 8:
        return [bytes(octets), bytes(octets)] if choose.random() < 0.5 else []
    return [bytes(octets)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_wrong_frames_crash_nothing_and_leave_no_channel_busy(seed: int) -> None:
    choose = random.Random(seed)
    town = Town(network=bool(seed % 2), overlap=seed >= 2)
    wrong = 0

    def disturb(frame: bytes) -> list[bytes]:
        nonlocal wrong
        if choose.random() < 0.3:
            return [frame]
        arriving = mutated(frame, choose)
        wrong += arriving != [frame]
        return arriving

    target = town.line.disturbed = town.box
    town.line.disturb = disturb
    while wrong < FRAMES / SEEDS:
        for _ in range(20):
            slot = choose.choice(TIME_SLOTS)
            match choose.randrange(6):
                case 0 | 1 | 2:
                    town.call(
                        slot, exclusive=choose.random() < 0.5, calling_name="李四", complete=choose.random() < 0.5
                    )
                case 3:
                    town.say(choose.choice([Connect, Alerting])(TIME_SLOTS.index(slot)))
                case 4:
                    town.say(Release(TIME_SLOTS.index(slot), choose.choice(list(Cause))))
                case 5:
                    town.tell(choose.choice([Restart(slot), Clear(-choose.randrange(1, 200), 16)]))
            for event in town.exchange.said():
                if isinstance(event, Incoming):
                    town.exchange.do(choose.choice([Proceed, Alert, Answer])(event.call, slot))
            if choose.random() < 0.2:
                # A frame from nowhere.
                target.frame(choose.randbytes(choose.randrange(0, 80)), town.line.now_us)
            if choose.random() < 0.3:
                town.say(Setup(TIME_SLOTS.index(slot), "110"))
        town.line.run(choose.random() * 5)
        town.box.heard()

    # The wire heals. Whatever is left ends by itself, or when one side hangs up.
    town.line.disturb = None
    town.line.run(T309_AND_MORE)
    town.box.leave()
    town.line.run(T309_AND_MORE)
    town.assert_box_idle()
    town.box.attach()
    town.line.run(T309_AND_MORE)
    assert town.box.lines.layer_two
    assert town.box.stack.complaints > 0, "nothing was wrong enough to be complained about"
    for slot in TIME_SLOTS:
        town.tell(Restart(slot))
    town.box.heard()
    town.exchange.said()
    town.box.heard()
    for slot in TIME_SLOTS:
        town.call(slot)
    assert [setup.channel for setup in town.box.setups()] == list(range(30))


def exchange_of_everything() -> Town:
    """A capture with calls of both directions, overlap, names, causes, restart, status and loss of layer 2."""
    town = Town(overlap=True, numbers=("12345",))
    call = town.call(
        calling_name="李四", calling_type="national", calling_plan="isdn", called_type="subscriber", called_plan="isdn"
    )
    town.say(Alerting(SLOT_17), Connect(SLOT_17))
    town.tell(Probe(call))
    town.say(Release(SLOT_17))
    for cause in Cause:
        town.call(3)
        town.say(Release(TIME_SLOTS.index(3), cause))
    digits = town.call(called="1", complete=False, presentation="restricted")
    town.tell(*(SendDigit(digits, digit) for digit in "2345"))
    town.tell(Clear(digits, 16))
    town.exchange.said()
    incoming = town.place()
    town.tell(Proceed(incoming.call, 17), Alert(incoming.call, 17), Answer(incoming.call, 17))
    town.tell(Restart(17), Restart(18))
    town.tell(Forget(incoming.call))
    town.up()
    town.line.is_cut = True
    town.line.run(20)
    town.line.is_cut = False
    town.line.run(20)
    assert LayerTwo(True) in town.exchange.said()
    town.box.leave()
    town.line.run()
    town.call()
    return town


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed (scripts/setup --system tshark)")
def test_an_independent_dissector_finds_no_malformed_frame(tmp_path: Path) -> None:
    town = exchange_of_everything()
    capture = tmp_path / "dchannel.pcap"
    town.line.write_capture(capture)
    command = [
        "tshark",
        "-r",
        str(capture),
        "-o",
        "lapd.use_gsm_sapi_values:FALSE",
        "-T",
        "json",
        "--no-duplicate-keys",
    ]

    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    packets = json.loads(found.stdout)
    assert len(packets) == len(town.line.frames)
    malformed = [
        number
        for number, packet in enumerate(packets, 1)
        if "_ws.malformed" in json.dumps(packet) or "_ws.expert" in packet["_source"]["layers"].get("q931", {})
    ]
    assert malformed == []
    kinds = {
        int(packet["_source"]["layers"]["q931"]["q931.message_type"], 0)
        for packet in packets
        if "q931" in packet["_source"]["layers"]
    }
    # ALERTING, CALL PROCEEDING, SETUP, CONNECT, SETUP ACK, CONNECT ACK, DISCONNECT, RESTART, RELEASE, RESTART ACK,
    # RELEASE COMPLETE, STATUS ENQUIRY, INFORMATION, STATUS
    assert kinds >= {0x01, 0x02, 0x05, 0x07, 0x0D, 0x0F, 0x45, 0x46, 0x4D, 0x4E, 0x5A, 0x75, 0x7B, 0x7D}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed (scripts/setup --system tshark)")
def test_the_dissector_does_find_a_malformed_frame(tmp_path: Path) -> None:
    town = Town()
    town.call()
    number, (moment, is_network, frame) = next(
        (number, entry)
        for number, entry in enumerate(town.line.frames)
        if len(entry[2]) > 20 and entry[2][6 + (entry[2][5] & 15)] == 5
    )
    town.line.frames[number] = (moment, is_network, frame[:-3])
    capture = tmp_path / "dchannel.pcap"
    town.line.write_capture(capture)

    found = subprocess.run(
        ["tshark", "-r", str(capture), "-V"], capture_output=True, text=True, check=True, timeout=120
    )

    assert "Malformed" in found.stdout
