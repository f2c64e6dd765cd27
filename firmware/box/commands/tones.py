"""`linebox tones`: what a recording of a line says to the box's own detectors, one line an event. For field engineers.

Reads WAV, the box's own recordings (AU, FLAC) or bare A-law: 8000 samples a second, 16-bit, A-law or µ-law. Writes
text or JSON. Detection is firmware/tones; nothing here knows a frequency. What came in as something else than A-law is
made A-law first, as it would be on a line.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np

from firmware.core.hints import ClearError
from firmware.media import codec
from firmware.media.codec import BLOCK, SAMPLE_RATE, SILENCE, Alaw, Linear
from firmware.tones.call_progress import CallProgressDetector
from firmware.tones.caller_id import CallerId, read_dtmf_alone, read_message
from firmware.tones.dtmf import DtmfDetector
from firmware.tones.fsk import BIT_RATE, FskDetector
from firmware.tones.mfc import Direction, MfcDetector
from firmware.tones.presence import PresenceDetector
from firmware.tones.signals import SignalDetector

MINIMUM_TONE = 480
"""Samples (60 ms): a shorter single tone is a vowel, not one of an exchange."""
AFTER = 50 * BLOCK
"""Silence laid behind a recording, so that what ends with it is told."""
BITS_OF_BYTE = 10
DTMF_CALLER_ID_PAUSE = 0.5
"""Seconds: digits further apart are not of one caller ID."""
SUBTYPES = {"PCM_16": "16-bit", "ALAW": "A-law", "ULAW": "µ-law"}

Kind = Literal["dtmf", "tone", "caller_id", "mfc", "fax", "sit", "presence"]


class ToneEvent(NamedTuple):
    """One line of output. Levels are None where the detector does not measure them."""

    start_s: float
    end_s: float
    kind: Kind
    value: str
    level_dbm0: float | None
    twist_db: float | None

    def text(self) -> str:
        """The same with a dash for what is not known; blanks in the value become underscores, so that columns hold."""
        level, twist = ("-" if number is None else f"{number:.1f}" for number in (self.level_dbm0, self.twist_db))
        value = "_".join(self.value.split())
        return f"{self.start_s:.3f} {self.end_s:.3f} {self.kind} {value} {level} {twist}"


def tones(options: argparse.Namespace) -> int:
    """Run the command. Raises ClearError for a file that cannot be used; of several it is only said."""
    named = len(options.files) > 1
    unused = 0
    for name in options.files:
        try:
            channels = _read(name, options.raw is not None)
        except ClearError as error:
            if not named:
                raise
            print(f"linebox: {error}", file=sys.stderr)
            unused += 1
            continue
        for channel, codes in enumerate(channels):
            where: dict[str, str | int] = {"file": name} if named else {}
            if len(channels) > 1:
                where["channel"] = channel
            if where and not options.json:
                print("#", *(f"{key} {value}" for key, value in where.items()))
            for event in events_of(codes, options.mfc, presence=options.presence):
                if options.json:
                    print(json.dumps({**where, **_rounded(event)}, ensure_ascii=False))
                else:
                    print(event.text())
    return int(unused > 0)


def _rounded(event: ToneEvent) -> dict[str, object]:
    return {
        key: round(value, 3 if key.endswith("_s") else 1) if isinstance(value, float) else value
        for key, value in event._asdict().items()
    }


def events_of(codes: Alaw, register_tones: Direction | None = None, *, presence: bool = False) -> list[ToneEvent]:
    """All that the detectors find in one channel of A-law samples, by the time at which it began."""
    whole = -(-codes.size // BLOCK) * BLOCK + AFTER
    linear = codec.decode(np.concatenate([codes, np.full(whole - codes.size, SILENCE, dtype=np.uint8)]))
    blocks = linear.reshape(-1, 1, BLOCK)
    digits = list(_digits(blocks))
    found = [*digits, *_dtmf_caller_ids(digits), *_tones(blocks), *_messages(blocks), *_signals(blocks)]
    if presence:
        found += _presence(blocks, codes)
    if register_tones is not None:
        found += _register_tones(blocks, register_tones)
    return sorted(found, key=lambda event: event.start_s)


def _digits(blocks: Linear) -> Iterator[ToneEvent]:
    detector = DtmfDetector(1)
    for number, block in enumerate(blocks):
        for digit in detector.process(block, number * BLOCK):
            yield _event(digit.start, digit.duration, "dtmf", digit.digit, digit.level_dbm0, digit.twist_db)


def _dtmf_caller_ids(digits: list[ToneEvent]) -> Iterator[ToneEvent]:
    group: list[ToneEvent] = []
    for place, digit in enumerate(digits, 1):
        group.append(digit)
        if place < len(digits) and digits[place].start_s - digit.end_s <= DTMF_CALLER_ID_PAUSE:
            continue
        caller = read_dtmf_alone("".join(each.value for each in group))
        if caller is not None:
            level = max(each.level_dbm0 for each in group if each.level_dbm0 is not None)
            yield ToneEvent(group[0].start_s, digit.end_s, "caller_id", _words(caller), level, None)
        group = []


def _words(caller: CallerId) -> str:
    return " ".join(filter(None, (caller.number or caller.presentation, caller.name)))


def _signals(blocks: Linear) -> Iterator[ToneEvent]:
    detector = SignalDetector(1)
    for number, block in enumerate(blocks):
        for signal in detector.process(block, number * BLOCK):
            yield _event(signal.start, signal.duration, signal.kind, signal.value, signal.level_dbm0)


def _presence(blocks: Linear, codes: Alaw) -> Iterator[ToneEvent]:
    """Voice and silence by turns, from the beginning to the end, each with its mean level."""
    detector = PresenceDetector(1)
    energies = np.einsum("tij,tij->ti", blocks, blocks)
    changes = [change for number, energy in enumerate(energies) for change in detector.process(energy, number * BLOCK)]
    turns = [(0, "silence"), *((change.sample, "voice" if change.voice else "silence") for change in changes)]
    ends = [start for start, _ in turns[1:]] + [codes.size]
    for (start, value), end in zip(turns, (min(end, codes.size) for end in ends), strict=True):
        if end > start:
            level = codec.level_of(codec.decode(codes[start:end]))
            yield _event(start, end - start, "presence", value, level)


def _tones(blocks: Linear) -> Iterator[ToneEvent]:
    detector, only = CallProgressDetector(1), np.zeros(1, dtype=np.intp)
    for number, block in enumerate(blocks):
        for burst in detector.process(block, number * BLOCK, only):
            if burst.duration >= MINIMUM_TONE:
                yield _event(burst.start, burst.duration, "tone", f"{burst.hz:.0f}", burst.level_dbm0)


def _messages(blocks: Linear) -> Iterator[ToneEvent]:
    detector, only = FskDetector(1), np.zeros(1, dtype=np.intp)
    for number, block in enumerate(blocks):
        for message in detector.process(block, only):
            samples = round((len(message.content) + 3) * BITS_OF_BYTE * SAMPLE_RATE / BIT_RATE)
            value = "damaged"
            if message.intact:
                try:
                    value = _words(read_message(message.kind, message.content))
                except ValueError:
                    value = f"{message.kind:02x}:{message.content.hex()}"
            yield _event((number + 1) * BLOCK - samples, samples, "caller_id", value, message.level_dbm0)


def _register_tones(blocks: Linear, direction: Direction) -> Iterator[ToneEvent]:
    detector, began = MfcDetector(1), 0
    detector.listen(0, direction)
    for number, block in enumerate(blocks):
        for tone in detector.process(block, number * BLOCK):
            if tone.on:
                began = tone.sample
            else:
                yield _event(began, tone.sample - began, "mfc", str(tone.signal))


def _event(
    start: int, duration: int, kind: Kind, value: str, level: float | None = None, twist: float | None = None
) -> ToneEvent:
    return ToneEvent(start / SAMPLE_RATE, (start + duration) / SAMPLE_RATE, kind, value, level, twist)


# ---- files -----------------------------------------------------------------------------------------------------------


def _read(name: str, raw: bool) -> list[Alaw]:
    """The channels of a file as A-law. Raises ClearError."""
    if name == "-":
        return _channels(sys.stdin.buffer, "standard input", raw)
    path = Path(name)
    if path.is_dir():
        raise ClearError(f"{name} is a folder", "name the recordings in it, for example with *.wav")
    try:
        with path.open("rb") as file:
            return _channels(file, name, raw)
    except OSError as error:
        raise ClearError(f"{name} cannot be read: {error.strerror}", "check the name and who may read it") from error


def _channels(file: BinaryIO, name: str, raw: bool) -> list[Alaw]:
    data = file.read()
    if not data:
        raise ClearError(f"{name} is empty", "record the line again")
    if raw:
        if data[:4] == b"RIFF":
            raise ClearError(f"{name} is a WAV file, not bare A-law", "leave out --raw")
        return [np.frombuffer(data, dtype=np.uint8)]
    import soundfile

    convert = f"convert it: sox {'-' if name == 'standard input' else name} -r 8000 -e a-law converted.wav"
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            rate, subtype, sort = sound.samplerate, sound.subtype, sound.format
            samples = sound.read(dtype="int16", always_2d=True)
    except soundfile.SoundFileError as error:
        said = str(error).rpartition(": ")[2].rstrip(".")
        raise ClearError(f"{name} is not a sound file ({said})", "if it is bare A-law, say --raw alaw") from error
    if sort not in ("WAV", "WAVEX", "AU", "FLAC"):
        raise ClearError(f"{name} is {sort}, not WAV, AU or FLAC", convert)
    if rate != SAMPLE_RATE:
        raise ClearError(f"{name} has {rate} samples a second, a line has {SAMPLE_RATE}", convert)
    if subtype not in SUBTYPES:
        raise ClearError(f"{name} holds {subtype}, not {' or '.join(SUBTYPES.values())}", convert)
    if not samples.size:
        raise ClearError(f"{name} holds no samples", "record the line again")
    return [codec.encode(samples[:, channel]) for channel in range(samples.shape[1])]
