"""`linebox tones` on files of all the kinds that it takes, and what it says of those that it does not take."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from firmware.box.cli import main
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.caller_id import CallerId, multiple_data
from firmware.tones.fsk import modulate
from firmware.tones.generate import DIGITS, dtmf, pause, sine
from firmware.tones.mfc import register_tone
from firmware.tones.plan import load_plan

NUMBER = "12345*0#"


@pytest.fixture
def dialled() -> Alaw:
    """Half a second of silence, then digits of 60 ms each 120 ms, low tone -8 and high tone -6 dBm0; ends with one."""
    digits = [part for digit in NUMBER for part in (pause(60), dtmf(digit, 60))]
    return np.concatenate([pause(440), *digits])


def wav(path: Path, codes: Alaw, subtype: str, rate: int = 8000) -> str:
    soundfile.write(path, codec.decode(codes).astype(np.int16), rate, subtype=subtype, format="WAV")
    return str(path)


def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(("name", "subtype"), [("call.au", "ALAW"), ("call.flac", "PCM_16")])
def test_recordings_of_the_box_are_read_as_they_lie_on_its_disk(
    tmp_path: Path, dialled: Alaw, name: str, subtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / name, codec.decode(dialled).astype(np.int16), 8000, subtype=subtype)
    assert main(["tones", str(tmp_path / name)]) == 0
    assert "".join(event[3] for event in lines(capsys)) == NUMBER


@pytest.mark.parametrize("subtype", ["PCM_16", "ALAW", "ULAW"])
def test_digits_of_a_wav_file_one_line_each(
    tmp_path: Path, dialled: Alaw, subtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tones", wav(tmp_path / "call.wav", dialled, subtype)]) == 0
    events = lines(capsys)
    assert "".join(event[3] for event in events) == NUMBER
    for place, (start, end, kind, _, level, twist) in enumerate(events):
        assert float(start) == pytest.approx(0.5 + 0.12 * place, abs=0.005)
        assert float(end) - float(start) == pytest.approx(0.06, abs=0.005)
        assert kind == "dtmf"
        assert float(level) == pytest.approx(-6.0, abs=0.3)
        assert float(twist) == pytest.approx(2.0, abs=0.3)


def test_bare_alaw_as_json(tmp_path: Path, dialled: Alaw, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "call.al"
    path.write_bytes(dialled.tobytes())
    assert main(["tones", "--json", "--raw", "alaw", str(path)]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "".join(event["value"] for event in events) == NUMBER
    assert all(list(event) == ["start_s", "end_s", "kind", "value", "level_dbm0", "twist_db"] for event in events)


def test_standard_input(dialled: Alaw, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(dialled.tobytes())))
    assert main(["tones", "--raw", "alaw", "-"]) == 0
    assert "".join(event[3] for event in lines(capsys)) == NUMBER


def test_both_sides_of_a_recording_and_several_files_are_told_apart(
    tmp_path: Path, dialled: Alaw, capsys: pytest.CaptureFixture[str]
) -> None:
    both = np.stack([codec.decode(dialled), np.zeros(dialled.size, dtype=np.float32)], axis=1).astype(np.int16)
    path = tmp_path / "both.wav"
    soundfile.write(path, both, 8000, subtype="ALAW")
    assert main(["tones", "--json", str(path), wav(tmp_path / "one.wav", dialled, "ALAW")]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(Path(event["file"]).name, event.get("channel")) for event in events} == {
        ("both.wav", 0),
        ("one.wav", None),
    }
    assert len(events) == 2 * len(NUMBER)


def test_tones_of_an_exchange_caller_id_and_register_tones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    busy = codec.encode(sine(450, -10, 2800))
    caller = codec.encode(modulate(multiple_data(CallerId("01012345678", "张三", "11220930"))))
    register = codec.encode(register_tone("forward", 7, 1000))
    path = wav(tmp_path / "line.wav", np.concatenate([pause(200), busy, pause(350), busy, pause(350), caller]), "ALAW")
    assert main(["tones", path]) == 0
    events = lines(capsys)
    assert [event[2:4] for event in events] == [["tone", "450"], ["tone", "450"], ["caller_id", "01012345678_张三"]]
    assert float(events[0][4]) == pytest.approx(-10.0, abs=0.5)
    path = wav(tmp_path / "register.wav", np.concatenate([pause(200), register, pause(200)]), "ALAW")
    assert main(["tones", "--mfc", "forward", path]) == 0
    assert [event[2:4] for event in lines(capsys)] == [["mfc", "7"]]


def test_fax_tones_and_information_tones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = load_plan().samples()
    answer = codec.encode(sine(2100, -15, 24_000))
    codes = np.concatenate([pause(200), plan["cng"], answer, pause(300), plan["special_information"]])
    assert main(["tones", wav(tmp_path / "fax.wav", codes, "ALAW")]) == 0
    events = lines(capsys)
    assert [event[2:4] for event in events] == [["fax", "cng"], ["fax", "ced"], ["sit", "950/1400/1800"]]
    starts = [float(event[0]) for event in events]
    assert starts == pytest.approx([0.2, 3.7, 7.0], abs=0.006)
    assert [float(event[1]) for event in events] == pytest.approx([0.7, 6.7, 7.99], abs=0.011)
    assert [float(event[4]) for event in events] == pytest.approx([-12.0, -15.0, -10.0], abs=0.3)
    assert {event[5] for event in events} == {"-"}


def test_caller_id_by_dtmf_beside_its_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for said, heard in {"D13800138000C": "13800138000", "A12345#": "12345", "D1#": "restricted", "13800": None}.items():
        codes = np.concatenate([pause(300), *(part for digit in said for part in (dtmf(digit, 70), pause(70)))])
        assert main(["tones", "--json", wav(tmp_path / "ring.wav", codes, "ALAW")]) == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert "".join(event["value"] for event in events if event["kind"] == "dtmf") == said
        callers = [event for event in events if event["kind"] == "caller_id"]
        assert [event["value"] for event in callers] == ([] if heard is None else [heard])
        for event in callers:
            assert event["start_s"] == pytest.approx(0.3, abs=0.005)
            assert event["end_s"] == pytest.approx(0.3 + 0.14 * len(said) - 0.07, abs=0.005)
            assert event["twist_db"] is None
    # Digits that a person pressed far apart are not of one message.
    apart = np.concatenate([part for digit in "D12C" for part in (dtmf(digit, 70), pause(700))])
    assert main(["tones", wav(tmp_path / "apart.wav", apart, "ALAW")]) == 0
    assert {event[2] for event in lines(capsys)} == {"dtmf"}


def test_voice_and_silence_by_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = np.concatenate([pause(500), codec.encode(sine(1000, -20, 8000)), pause(700)])
    path = wav(tmp_path / "turns.wav", codes, "ALAW")
    assert main(["tones", path]) == 0
    assert lines(capsys) == []
    assert main(["tones", "--presence", path]) == 0
    events = lines(capsys)
    assert [event[:4] for event in events] == [
        ["0.000", "0.500", "presence", "silence"],
        ["0.500", "1.500", "presence", "voice"],
        ["1.500", "2.200", "presence", "silence"],
    ]
    assert float(events[1][4]) == pytest.approx(-20.0, abs=0.1)


def test_a_file_that_cannot_be_used_does_not_stop_those_behind_it(
    tmp_path: Path, dialled: Alaw, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    assert main(["tones", str(tmp_path / "text.wav"), wav(tmp_path / "call.wav", dialled, "ALAW")]) == 1
    said = capsys.readouterr()
    assert "".join(line.split()[3] for line in said.out.splitlines() if not line.startswith("#")) == NUMBER
    assert "not a sound file" in said.err and "remedy:" in said.err


def test_what_cannot_be_used_is_said_with_a_remedy(
    tmp_path: Path, dialled: Alaw, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "bare.al").write_bytes(dialled.tobytes())
    for arguments, said in {
        ("missing.wav",): "cannot be read",
        ("text.wav",): "not a sound file",
        ("empty.wav",): "is empty",
        ("bare.al",): "--raw alaw",
        (".",): "is a folder",
        (wav(tmp_path / "fast.wav", dialled, "PCM_16", 16_000),): "16000 samples a second",
        (wav(tmp_path / "deep.wav", dialled, "PCM_24"),): "PCM_24",
        (wav(tmp_path / "none.wav", dialled[:0], "PCM_16"),): "no samples",
        ("--raw=alaw", wav(tmp_path / "good.wav", dialled, "ALAW")): "leave out --raw",
    }.items():
        assert main(["tones", *arguments[:-1], str(tmp_path / arguments[-1])]) == 1, arguments
        error = capsys.readouterr().err
        assert said in error and "remedy:" in error, error


@pytest.mark.skipif(
    shutil.which("multimon-ng") is None, reason="multimon-ng is missing: scripts/setup --system multimon-ng"
)
def test_multimon_ng_hears_what_we_dial_and_we_hear_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = np.concatenate([part for digit in DIGITS for part in (dtmf(digit, 80), pause(80))])
    path = wav(tmp_path / "dialled.wav", codes, "PCM_16")
    # It reads bare 16-bit samples at 22050 a second.
    samples = np.interp(np.arange(0, codes.size, 8000 / 22_050), np.arange(codes.size), codec.decode(codes))
    peer = subprocess.run(
        ["multimon-ng", "-q", "-a", "DTMF", "-t", "raw", "-"],
        input=samples.astype("<i2").tobytes(),
        capture_output=True,
        check=True,
        timeout=30,
    )
    heard = [line.split()[-1] for line in peer.stdout.decode().splitlines() if line.startswith("DTMF:")]
    assert main(["tones", path]) == 0
    ours = [event[3] for event in lines(capsys)]
    # It writes * and # as E and F.
    assert ours == list(DIGITS)
    assert [{"E": "*", "F": "#"}.get(digit, digit) for digit in heard] == ours
