"""A phone at an extension port: bell, hook, voice; when it is lifted and put down. What an agent knows is not here."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from boards.signals import HookChange
from firmware.simulator.citizens import own_tone
from firmware.simulator.journal import Journal, Party
from firmware.simulator.scenario import Phone
from firmware.simulator.surroundings import Surroundings, Timer

RING_ENDED_SECONDS = 6.0
"""So long after the last ring a person knows that it has stopped (the cadence pauses for 4 s, GB/T 3380)."""
HANG_UP_SECONDS = 0.5
"""How long a person takes to put the handset down when the conversation is over."""


class PhoneState(Enum):
    ON_HOOK = "on_hook"
    RINGING = "ringing"
    OFF_HOOK = "off_hook"


class Handset:
    """One phone. A headset phone is off hook from the beginning and never rings; an empty one is never lifted."""

    def __init__(self, plan: Phone, channel: int, world: Surroundings, remember: bool) -> None:
        self.plan = plan
        self.channel = channel
        self.state = PhoneState.ON_HOOK
        self.speaker = int(plan.extension.removeprefix("FXS-"))
        party = Party(
            name=plan.extension, role="phone", speaker=self.speaker, calling=plan.agent, channel=plan.extension
        )
        self.journal = Journal(party, remember)
        self.lifted: Callable[[], None] = lambda: None
        """Told when the handset was lifted (the agent, if there is one)."""
        self._world = world
        self._answer: Timer | None = None
        self._ring_ended: Timer | None = None
        self._hang_up: Timer | None = None

    @property
    def off_hook(self) -> bool:
        return self.state is PhoneState.OFF_HOOK

    def begin(self) -> None:
        """The scenario starts."""
        if self.plan.behaviour == "headset":
            self._take_off()

    def ring(self, on: bool) -> None:
        """Ringing current came or went."""
        if self.state is PhoneState.OFF_HOOK:
            return
        if self._ring_ended is not None:
            self._ring_ended.cancel()
        if not on:
            if self.state is PhoneState.RINGING:
                self._ring_ended = self._world.after(RING_ENDED_SECONDS, self.stop_ringing)
        elif self.state is PhoneState.ON_HOOK:
            self._set_state(PhoneState.RINGING)
            if self.plan.behaviour == "manned":
                self._answer = self._world.after(self.plan.answer_seconds, self._lift)

    def stop_ringing(self) -> None:
        """The person knows that nobody calls any more: the handset is not lifted."""
        if self.state is PhoneState.RINGING:
            self._set_state(PhoneState.ON_HOOK)

    def put_down_soon(self, seconds: float = HANG_UP_SECONDS) -> None:
        """The person puts the handset down, after the moment that it takes. A headset phone stays as it is."""
        if self.state is PhoneState.OFF_HOOK and self.plan.behaviour == "manned":
            earlier = self._hang_up if self._hang_up is not None and self._hang_up.live else None
            self._hang_up = self._world.after(seconds, self._put_down)
            if earlier is not None and earlier.block <= self._hang_up.block:
                self._hang_up.cancel()
                self._hang_up = earlier
            elif earlier is not None:
                earlier.cancel()

    def busy_heard(self) -> None:
        """Busy tone: the line has been given up."""
        self._world.note(self.journal, "busy_tone")
        self.put_down_soon()

    def gateway_lost(self) -> None:
        """No ringing current any more. The hook stays as it is."""
        self.stop_ringing()

    def _lift(self) -> None:
        self._take_off()
        self._world.hearing.watch_busy(self.channel)
        if self.plan.talk_seconds is not None:
            self.put_down_soon(self.plan.talk_seconds)
        self.lifted()

    def _take_off(self) -> None:
        self._set_state(PhoneState.OFF_HOOK)
        self._world.signal(HookChange(channel=self.channel, off_hook=True))
        self._world.listen(self.channel, self.journal)
        sample, hz = self._world.sample, self.plan.tone_hz or own_tone(self.speaker)
        if self.plan.says == "pattern":
            self._world.voices.pattern(self.channel, self.speaker)
            self.journal.say("pattern", sample, speaker=self.speaker)
        elif self.plan.says == "tone":
            self._world.voices.tone(self.channel, hz, sample)
            self.journal.say("tone", sample, hz=hz)

    def _put_down(self) -> None:
        self._set_state(PhoneState.ON_HOOK)
        self._world.hearing.forget(self.channel)
        self._world.listen(self.channel, None)
        self._world.voices.silence(self.channel)
        self.journal.fall_silent(self._world.sample)
        self._world.signal(HookChange(channel=self.channel, off_hook=False))

    def _set_state(self, state: PhoneState) -> None:
        self.state = state
        self._world.note(self.journal, state.value)
        for timer in (self._answer, self._ring_ended, self._hang_up):
            if timer is not None:
                timer.cancel()
