"""The switch: who hears whom, and what is played to whom, for all channels in one go each 10 ms.

One tick: A-law in, decoded once for the detectors; each channel's row of the answer is silence, another channel (a copy
of its codes, bit-exact), a sum of channels at their levels (mixing.py, only for those rows) or a stretch of the sound
bank. Over that, at last, what is whispered: the recorder gets the row without it. What comes in in a tick goes out in
the same tick. A row whose meaning changed fades from the old to the new over one tick: beside what the two themselves
do, no step from one sample to the next is above an 80th of their difference.

Not here: what a call is, which leg sits on which channel, files, clocks. Time is the sample count.
Python works per *event* (a command, the end of a sound), never per channel and tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, FADE, SILENCE, Alaw, Linear
from firmware.media.mixing import Entries, Mixes, factor_of, sums_of, turn_down, without
from firmware.media.play_levels import PlayLevels
from firmware.media.sounds import Sound, SoundStore
from firmware.media.whispers import Whispers

NEVER = 1 << 62
"""A sample count that no box reaches."""

Voices = Sequence[int] | Mapping[int, float]
"""Channels that are heard: as they are, or each at a level in dB."""


@dataclass(slots=True)
class _Play:
    """What is left of a play beyond the sound that is running: kept apart from the arrays, touched at borders only."""

    sounds: tuple[Sound, ...]
    loop: bool
    place: int = 0
    """Index of the running sound in `sounds`."""


@dataclass(frozen=True, slots=True)
class _Row:
    """The meaning of a row before it changed, for its fade: whom it heard, or (offset, length, at, left) of a sound and
    the codes that its level makes of it."""

    heard: Entries
    turned_down: float
    sound: tuple[int, int, int, int] | None
    level: Alaw | None = None


@dataclass(frozen=True, slots=True)
class MediaTick:
    """What one tick gives to the boards and to the lines."""

    sent: Alaw
    """[channels, 80] A-law; a new array each tick."""
    ended: list[int]
    """Channels whose play (one that does not loop) reached its last sample in this tick."""
    whispered_to: NDArray[np.intp]
    """Channels that heard a whisper."""
    unwhispered: Alaw
    """[len(whispered_to), 80] what they would have heard without it."""

    def recorded(self) -> Alaw:
        """[channels, 80] what may be recorded as heard: `sent` without any whisper, itself if there is none."""
        if not self.whispered_to.size:
            return self.sent
        kept = self.sent.copy()
        kept[self.whispered_to] = self.unwhispered
        return kept


class MediaPlane:
    """The switch matrix and the players of a fixed number of channels. All commands take effect in the next tick."""

    def __init__(self, channels: int, sounds: SoundStore) -> None:
        self.channels = channels
        self.sounds = sounds
        self.sample = 0
        """Samples since the start: the count of the first sample of the next tick."""
        self.linear: Linear = np.zeros((channels, BLOCK), dtype=np.float32)
        """[channels, 80] what came in in the last tick, decoded (16-bit scale). Overwritten by the next."""

        # All that a row can be a copy of: the channels, then one row of silence.
        self._codes: Alaw = np.full((channels + 1, BLOCK), SILENCE, dtype=np.uint8)
        self._copied = np.full(channels, channels, dtype=np.intp)
        self._heard: list[Entries] = [()] * channels
        self._heard_by: list[set[int]] = [set() for _ in range(channels)]

        self._mixed: dict[int, Entries] = {}
        self._mixes = Mixes(channels)
        self._mixed_changed = False
        self._whispers = Whispers(channels)

        # The running sound of each channel: where it lies, how long it is, the place in it, samples until its border.
        self._playing = np.zeros(channels, dtype=bool)
        self._offset = np.zeros(channels, dtype=np.int64)
        self._length = np.ones(channels, dtype=np.int64)
        self._at = np.zeros(channels, dtype=np.int64)
        self._left = np.full(channels, NEVER, dtype=np.int64)
        self._ends = np.full(channels, NEVER, dtype=np.int64)
        self._plays: dict[int, _Play] = {}
        self._play_levels = PlayLevels(channels)
        self._playing_rows: NDArray[np.intp] | None = np.zeros(0, dtype=np.intp)

        self._before: dict[int, _Row] = {}

    # ---- commands ----------------------------------------------------------------------------------------------------

    def join(self, hearing: Mapping[int, Voices], under_plays: bool = False) -> None:
        """Set whom channels hear: the sum of the given channels, each once; nobody is silence.

        Their plays stop; `under_plays`: they go on, and whom the channel hears it hears when they have ended. Said
        twice, it changes nothing, not even for the length of a fade. Raises IndexError for a channel that is not there,
        ValueError for a level out of range, before anything is changed.
        """
        wanted = {channel: self._entries(channel, voices) for channel, voices in hearing.items()}
        for channel, heard in wanted.items():
            self._remember(channel)
            if not under_plays:
                self._end_play(channel)
            self._set_heard(channel, heard)

    def whisper(self, channel: int, voices: Voices) -> None:
        """Set whom the channel hears over anything else, plays too, and beside the recording; nobody: no whisper.

        Raises as `join` does.
        """
        self._whispers.set(channel, self._entries(channel, voices))

    def play(
        self, channel: int, sounds: Sequence[str], loop: bool, made: Mapping[str, Alaw] | None = None
    ) -> tuple[str, ...]:
        """Let the channel hear sounds one after the other instead of whom it is joined to; again and again if `loop`.

        `made`: sounds that were made for this play, by name, before those of the store. Gives the names that cannot be
        played, as they are in neither or there is no room for them: these have no length. Music goes on where its own
        running time is and lasts for its whole length. A play of no length at all ends with the next tick, or is
        silence if it loops.
        """
        self._check(channel)
        held: dict[str, Sound | None] = {}
        for name in sounds:
            if made and name in made and name not in held:
                held[name] = self.sounds.hold(made[name])
        found = {name: held.get(name) or self.sounds.find(name) for name in sounds}
        self._begin_play(channel, tuple(sound for name in sounds if (sound := found[name]) and sound.length), loop)
        return tuple(name for name, sound in found.items() if sound is None)

    def play_samples(self, channel: int, samples: Alaw) -> bool:
        """Let the channel hear once what was made for it just now (A-law, at most a minute) instead of whom it is
        joined to, at no other level than its own. False, and nothing is changed, if there is no room for it."""
        self._check(channel)
        sound = self.sounds.hold(samples)
        if sound is None:
            return False
        self._begin_play(channel, (sound,), False, levelled=False)
        return True

    def set_play_levels(self, levels: Mapping[int, float]) -> None:
        """What is played to these channels is sent at so many dB, also what runs; to all others as it is. What
        `play_samples` plays never has a level. Raises ValueError for a level out of range, before anything changes."""
        for channel in self._plays:
            self._remember(channel)
        self._play_levels.set(levels)

    def load_sound(self, name: str, samples: Alaw) -> bool:
        """Plays that begin from now on have this recording; those that run go on with what they have. False, and
        nothing is changed, if there is no room for it."""
        in_use = {sound for play in self._plays.values() for sound in play.sounds}
        return self.sounds.replace(name, samples, in_use)

    def _begin_play(self, channel: int, found: tuple[Sound, ...], loop: bool, levelled: bool = True) -> None:
        self._check(channel)
        self._remember(channel)
        self._end_play(channel)
        play = _Play(found, loop)
        self._plays[channel] = play
        self._play_levels.begin(channel, levelled)
        self._playing[channel] = True
        self._playing_rows = None
        if not loop:
            self._ends[channel] = self.sample + max(1, sum(sound.length for sound in found))
        if found:
            self._start_sound(channel, play, self.sample)
        else:
            # The block of silence at the end of the bank.
            self._offset[channel], self._length[channel] = self.sounds.bank.size - BLOCK, 1
            self._at[channel], self._left[channel] = 0, NEVER if loop else 1

    def stop_play(self, channel: int) -> None:
        """Stop what is played to the channel; it hears again whom it is joined to. Nothing is reported as ended."""
        self._check(channel)
        if self._playing[channel]:
            self._remember(channel)
            self._end_play(channel)

    def silence(self, channel: int) -> None:
        """Forget the channel: it hears nobody and nothing, and nobody hears it any more."""
        self._check(channel)
        self._remember(channel)
        self._end_play(channel)
        self._set_heard(channel, ())
        for listener in sorted(self._heard_by[channel]):
            self._remember(listener)
            self._set_heard(listener, without(channel, self._heard[listener]))
        self._whispers.forget(channel)

    def playing(self, channel: int) -> bool:
        """True while something is played to the channel."""
        return bool(self._playing[channel])

    def hears(self, channel: int) -> tuple[int, ...]:
        """Whom the channel is joined to, in ascending order, played over or not."""
        return tuple(source for source, _ in self._heard[channel])

    # ---- time --------------------------------------------------------------------------------------------------------

    def tick(self, received: Alaw) -> MediaTick:
        """One block of 10 ms: `received` [channels, 80] A-law of all channels in, what all hear out."""
        codes = self._codes
        codes[:-1] = received
        codec.decode(codes[:-1], out=self.linear)
        sent = codes[self._copied]

        if self._mixed:
            if self._mixed_changed:
                self._mixes.set(self._mixed)
                self._mixed_changed = False
            sent[self._mixes.rows] = codec.encode(self._mixes.mix(self.linear))

        ended: list[int] = []
        rows = self._rows_playing()
        if rows.size:
            sent[rows] = self.sounds.windows[self._offset[rows] + self._at[rows]]
            levelled = self._play_levels.rows_of(rows)
            ended = self._advance_plays(rows, BLOCK, sent)
            self._play_levels.apply(sent, *levelled)

        if self._before:
            self._fade(sent, ended)
        # What an ended play was laid over comes in with a fade, from silence.
        for channel in ended:
            self._before[channel] = _Row((), 1.0, None)
        self.sample += BLOCK
        return MediaTick(sent, ended, *self._whispers.lay_over(sent, self.linear))

    def skip(self, samples: int) -> list[int]:
        """Let time pass without audio, by a multiple of 80 samples. Channels whose play ended on the way."""
        if samples % BLOCK or samples < 0:
            raise ValueError(f"time moves by whole blocks of {BLOCK} samples, not by {samples}")
        if samples:
            self._before.clear()
            self._whispers.skip()
        rows = self._rows_playing()
        ended = self._advance_plays(rows, samples, None) if rows.size and samples else []
        self.sample += samples
        return ended

    def next_end(self) -> int | None:
        """The sample count at the end of the tick in which the next play will end; None if none is to end."""
        if not self._plays:
            return None
        first = int(self._ends.min())
        return None if first >= NEVER else -(-first // BLOCK) * BLOCK

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _check(self, channel: int) -> None:
        if not 0 <= channel < self.channels:
            raise IndexError(f"channel {channel} is not one of the {self.channels} channels of the switch")

    def _entries(self, channel: int, voices: Voices) -> Entries:
        levels = voices if isinstance(voices, Mapping) else dict.fromkeys(voices, 0.0)
        self._check(channel)
        for outermost in (min(levels), max(levels)) if levels else ():
            self._check(outermost)
        return tuple((source, factor_of(levels[source])) for source in sorted(levels))

    def _set_heard(self, channel: int, heard: Entries) -> None:
        before, after = ({source for source, _ in entries} for entries in (self._heard[channel], heard))
        for source in before - after:
            self._heard_by[source].discard(channel)
        for source in after - before:
            self._heard_by[source].add(channel)
        self._heard[channel] = heard
        is_copy = len(heard) == 1 and heard[0][1] == 1.0
        self._copied[channel] = heard[0][0] if is_copy else self.channels
        if heard and not is_copy:
            self._mixed[channel] = heard
            self._mixed_changed = True
        elif self._mixed.pop(channel, None) is not None:
            self._mixed_changed = True

    def _rows_playing(self) -> NDArray[np.intp]:
        if self._playing_rows is None:
            self._playing_rows = np.flatnonzero(self._playing)
        return self._playing_rows

    def _start_sound(self, channel: int, play: _Play, sample: int) -> None:
        """The sound at `play.place` begins on the channel at the sample count `sample`."""
        sound = play.sounds[play.place]
        self._offset[channel], self._length[channel] = sound.offset, sound.length
        self._at[channel] = sample % sound.length if sound.is_music else 0
        self._left[channel] = NEVER if play.loop and len(play.sounds) == 1 else sound.length

    def _end_play(self, channel: int) -> None:
        if self._playing[channel]:
            for sound in set(self._plays.pop(channel).sounds):
                if sound.is_held:
                    self.sounds.give_back(sound)
            self._play_levels.end(channel)
            self._playing[channel] = False
            self._playing_rows = None
            self._left[channel] = NEVER
            self._ends[channel] = NEVER

    def _advance_plays(self, rows: NDArray[np.intp], samples: int, sent: Alaw | None) -> list[int]:
        """Move all plays on by `samples`; where a sound ends inside, go on with the next and complete its block."""
        self._at[rows] = (self._at[rows] + samples) % self._length[rows]
        self._left[rows] -= samples
        ended: list[int] = []
        for channel in rows[self._left[rows] <= 0].tolist():
            play = self._plays[channel]
            while self._left[channel] <= 0:
                over = -int(self._left[channel])
                play.place += 1
                if play.place == len(play.sounds) and play.loop:
                    play.place = 0
                if play.place >= len(play.sounds):
                    if sent is not None:
                        sent[channel, samples - over :] = SILENCE
                    self._end_play(channel)
                    ended.append(channel)
                    break
                self._start_sound(channel, play, self.sample + samples - over)
                if sent is not None and over:
                    begin = int(self._offset[channel] + self._at[channel])
                    sent[channel, samples - over :] = self.sounds.bank[begin : begin + over]
                self._at[channel] = (self._at[channel] + over) % self._length[channel]
                self._left[channel] -= over
        return ended

    def _remember(self, channel: int) -> None:
        """Keep what the row meant before the first change since the last tick."""
        if channel not in self._before:
            sound = level = None
            if self._playing[channel]:
                level = self._play_levels.table_of(channel)
                sound = (
                    int(self._offset[channel]),
                    int(self._length[channel]),
                    int(self._at[channel]),
                    int(self._left[channel]),
                )
            self._before[channel] = _Row(self._heard[channel], float(self._mixes.turned_down[channel]), sound, level)

    def _fade(self, sent: Alaw, ended: Sequence[int]) -> None:
        """Cross-fade the rows that changed. Elementwise arithmetic only, so that every machine gets the same codes."""
        before, self._before = self._before, {}
        rows: list[int] = []
        for channel, row in before.items():
            played = self._playing[channel] or channel in ended
            if row.sound is not None or played or row.heard != self._heard[channel]:
                rows.append(channel)
        if not rows:
            return
        index = np.array(rows, dtype=np.intp)
        before_block = self._old_blocks([before[channel] for channel in rows])
        after_block = codec.decode(sent[index])
        sent[index] = codec.encode(before_block + (after_block - before_block) * FADE)

    def _old_blocks(self, rows: Sequence[_Row]) -> Linear:
        """[len(rows), 80] what these rows would be now if they had not changed, as their listeners would get it."""
        blocks = np.full((len(rows), BLOCK), codec.DECODE[SILENCE], dtype=np.float32)
        summed = [place for place, row in enumerate(rows) if row.sound is None and row.heard]
        if summed:
            sums = sums_of([rows[place].heard for place in summed], self.linear)
            turn_down(sums, np.array([rows[place].turned_down for place in summed]))
            blocks[summed] = sums
        for place, row in enumerate(rows):
            if row.sound is not None:
                offset, _length, at, left = row.sound
                codes = self.sounds.windows[offset + at]
                codec.decode(codes if row.level is None else row.level[codes], out=blocks[place])
                if left < BLOCK:
                    blocks[place, left:] = codec.DECODE[SILENCE]
        return blocks
