"""The callserver process: `python -m firmware.box.callserver.process --data DIR`. Carries effects; decides nothing.

One loop: gateway, recorder and CTI clients come in, `CallServer` says what is to be done, line orders go out at once,
everything else after its commit (`committer.py`). A client that sends nonsense or does not read is closed; it can come
back and resume from its last event number.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import selectors
import signal
import sys
from pathlib import Path

import msgspec

from firmware.box.callserver.blocked_channels import store_blocking
from firmware.box.callserver.callers import Callers
from firmware.box.callserver.clients import Clients
from firmware.box.callserver.committer import Committer
from firmware.box.callserver.lessons import store_tone
from firmware.box.callserver.office_sounds import Looked, OfficeSounds
from firmware.box.callserver.recorder_door import RecorderDoor
from firmware.box.callserver.reserve import DiskReserve
from firmware.box.callserver.speaker import Speaker
from firmware.box.callserver.stored_recordings import StoredRecordings
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.calls.messages import BoxAlarm, ReloadConfiguration, Reply, Request
from firmware.calls.model import BoxLife
from firmware.calls.request_texts import unreasonable
from firmware.contacts.archive import ABOUT_RECORDINGS
from firmware.contacts.effects import Effects
from firmware.contacts.server import CallServer
from firmware.core.clock import SystemClock, machine_boot_id
from firmware.core.configuration import (
    ConfigurationError,
    keep_last_good,
    load_configuration,
    load_configuration_or_last_good,
)
from firmware.core.logging import start_logging
from firmware.core.messages import Peer, PeerGone, connect, listen
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import absence_level
from firmware.ivr.speech import Speech
from firmware.lines.line_commands import AnyLineCommand, Resume
from firmware.lines.messages import Snapshot, decode_from_gateway
from firmware.media.prompts import prompt_texts
from firmware.records.journal import Journal
from firmware.records.messages import OpenRecording, ToRecorder

RECONNECT_US = 200_000
LIFE_SIGN_US = 1_000_000
"""How often the gateway is looked for while it is away."""

CONFIRM_EVERY = 100
"""Line events after which the gateway is told what is stored."""

_log = logging.getLogger("linebox.callserver")


class CallServerProcess:
    """The loop around a CallServer."""

    def __init__(self, paths: BoxPaths, synchronous: str = "FULL", sign: SignOfLife = NOBODY) -> None:
        self._paths = paths
        self._sign = sign
        configuration, problems = load_configuration_or_last_good(paths)
        if problems:
            _log.error("the configuration files are wrong, the last good configuration is in force")
            for problem in problems:
                _log.error("configuration: %s", problem)
        else:
            try:
                keep_last_good(paths)
            except (ConfigurationError, OSError) as error:
                _log.error("the configuration is in force, but could not be kept as the last good one: %s", error)
        self._clock = SystemClock()
        self._journal = Journal(
            paths.calls_database,
            configuration.box.box_id,
            configuration.box.region,
            synchronous=synchronous,
            anchor=paths.chain_anchor,
        )
        numbers = self._journal.last_numbers()
        self._server = CallServer(configuration, machine_boot_id(), numbers, self._journal.live())
        self._committer = Committer(self._journal, DiskReserve(paths.disk_reserve))
        self._callers = Callers(paths.calls_database)
        self._stored_recordings = StoredRecordings(paths.calls_database)
        language = configuration.box.language
        self._speech = Speech(prompt_texts(language))
        self._speech.prepare(configuration)
        self._speaker = Speaker(paths.spoken_texts, language)
        self._office_sounds = OfficeSounds(paths.prompts, language)
        self._clients = Clients(paths.calls_database, numbers["events"])
        self._selector = selectors.DefaultSelector()
        self._gateway: Peer | None = None
        self._gateway_connections = 0
        self._gateway_try_us = 0
        self._life_sign_us = 0
        self._recorder = RecorderDoor(paths, self._selector)
        self._confirmed = 0
        self._stored_recording = numbers["recordings"]
        self._cti_listener = listen(paths.cti_socket)
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def stop(self, *_: object) -> None:
        """End the loop in order: what gathered is stored first. For a signal handler, too."""
        if not self._stopping:
            self._stopping = True
            os.eventfd_write(self._wake, 1)  # after a signal, select would go on waiting

    def run(self) -> None:
        """Serve until `stop`."""
        errands = (self._callers, self._stored_recordings, self._speaker, self._office_sounds)
        for listener in (self._cti_listener, self._committer, self._wake, *errands):
            self._selector.register(listener, selectors.EVENT_READ)
        self._callers.ask(self._server.lookups())
        self._sign.ready()
        while not self._stopping:
            self._sign.alive(self._clock.now().mono_us, hangs=self._committer.hangs)
            self._connect_gateway()
            self._show_life()
            for key, _ in self._selector.select(self._patience()):
                self._serve(key.fileobj)
            self._send_sounds()
            self._watch_reserve()
            if self._clock.now().mono_us >= (self._server.next_deadline() or 1 << 62):
                self._carry(self._server.advance(self._clock.now()))
            due = self._committer.due()
            if due is not None and self._clock.now().mono_us >= due:
                self._committer.start()
        self._sign.stopping()
        self._hear_gateway_out()
        for effects in self._committer.stop():
            self._tell(effects)
        for errand in errands:
            errand.stop()
        os.close(self._wake)

    def _patience(self) -> float:
        """Seconds until something is due."""
        now_us = self._clock.now().mono_us
        moments = [self._server.next_deadline(), self._committer.due(), now_us + 1_000_000]
        if self._gateway is None:
            moments.append(self._gateway_try_us)
        return max(0.0, (min(one for one in moments if one is not None) - now_us) / 1e6)

    def _serve(self, source: object) -> None:
        if source is self._committer:
            for effects in self._committer.finished():
                self._tell(effects)
        elif source == self._wake:
            return
        elif source is self._stored_recordings:
            self._about_recordings()
        elif source is self._callers:
            for contact, earlier in self._callers.answers():
                self._carry(self._server.caller_known(contact, earlier, self._clock.now()))
        elif source is self._speaker:
            for text, samples in self._speaker.answers():
                self._order_all(self._speech.spoken(text, samples))
        elif source is self._office_sounds:
            for looked in self._office_sounds.answers():
                self._reload(looked)
        elif source is self._cti_listener:
            self._clients.take(self._cti_listener, self._selector)
        elif source is self._gateway:
            self._read_gateway()
        else:
            self._hear_recorder(source)
            if isinstance(source, Peer):
                for client, request in self._clients.read(source, self._selector):
                    self._request(client, request)

    # ---- gateway ----------------------------------------------------------------------------------------------------

    def _connect_gateway(self) -> None:
        now = self._clock.now()
        if self._gateway is not None or now.mono_us < self._gateway_try_us:
            return
        self._gateway_try_us = now.mono_us + RECONNECT_US
        try:
            peer = connect(self._paths.gateway_socket, decode_from_gateway, 0.0)  # it is tried again soon
        except PeerGone:
            return
        self._gateway = peer
        self._gateway_connections += 1
        self._confirmed = 0
        self._selector.register(peer, selectors.EVENT_READ)
        self._order(peer, self._server.attach_request())

    def _show_life(self) -> None:
        """Every second: whoever says nothing for five is taken for hung."""
        now_us = self._clock.now().mono_us
        if self._gateway is not None and now_us >= self._life_sign_us:
            self._life_sign_us = now_us + LIFE_SIGN_US
            self._order(self._gateway, Resume(self._confirmed))

    def _read_gateway(self) -> None:
        gateway = self._gateway
        if gateway is None:
            return
        try:
            gateway.flush()
            messages = gateway.receive()
        except PeerGone as gone:
            self._lose_gateway(gone.reason)
            return
        self._watch(gateway)
        for message in messages:
            now = self._clock.now()
            if isinstance(message, Snapshot):
                self._speech.gateway_has(message.sounds)
                self._carry(self._server.handle_snapshot(message, now))
            else:
                self._carry(self._server.handle_line(message, now))

    def _hear_gateway_out(self) -> None:
        """At the end: take what it has said already. Of a gateway that was stopped before nobody will hear it again."""
        while self._gateway is not None and select.select([self._gateway], [], [], 0)[0]:
            self._read_gateway()

    def _lose_gateway(self, reason: str) -> None:
        if self._gateway is None:
            return
        _log.log(absence_level(self._paths), "the gateway has gone: %s", reason)
        self._selector.unregister(self._gateway)
        self._gateway.close()
        self._gateway = None
        self._office_sounds.gateway_lost()
        self._carry(self._server.lose_gateway(self._clock.now()))

    def _send_sounds(self) -> None:
        """Recordings that were replaced, as fast as the gateway reads them."""
        while self._gateway is not None and not self._gateway.wants_to_write:
            part = self._office_sounds.next_part()
            if part is None:
                return
            self._order(self._gateway, part)
            if part.last:
                self._speech.gateway_has_too(part.sound)

    def _order_all(self, orders: list[AnyLineCommand]) -> None:
        for order in orders:
            if self._gateway is not None:
                self._order(self._gateway, order)

    def _order(self, gateway: Peer, order: object) -> None:
        try:
            gateway.send(order)
        except PeerGone as gone:
            self._lose_gateway(gone.reason)
        else:
            self._watch(gateway)

    def _watch(self, peer: Peer) -> None:
        """Wake up for writing while something waits to be written."""
        self._selector.modify(peer, selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.wants_to_write else 0))

    def _watch_reserve(self) -> None:
        alarm = BoxAlarm.RECORDS_ON_RESERVE
        if self._committer.on_reserve is not (alarm in self._server.archive.alarms):
            now_on = {alarm} if self._committer.on_reserve else set()
            self._carry(self._server.set_alarms({alarm}, now_on, self._clock.now()))

    # ---- recorder ---------------------------------------------------------------------------------------------------

    def _hear_recorder(self, source: object) -> None:
        """Something happened on `source`, which may be the recorder's."""
        came, said = self._recorder.handle(source)
        self._server.recorder_connected = self._recorder.connected
        if came:
            # Recordings whose rows are not stored yet follow with their own commit.
            self._tell_recorder(self._server.recorder_orders(self._stored_recording))
        for message in said:
            self._carry(self._server.handle_recorder(message, self._clock.now()))

    def _tell_recorder(self, messages: list[ToRecorder]) -> None:
        self._recorder.tell(messages)
        self._server.recorder_connected = self._recorder.connected

    # ---- clients ----------------------------------------------------------------------------------------------------

    def _request(self, client: int, request: Request) -> None:
        now = self._clock.now()
        if wrong := unreasonable(request):
            self._carry(Effects(replies=[(client, Reply(request.id, "bad_parameter", (wrong,)))]))
        elif isinstance(request.body, ReloadConfiguration):
            self._office_sounds.ask(client, request, self._gateway_connections)
        elif isinstance(request.body, ABOUT_RECORDINGS):
            self._stored_recordings.ask(client, request, request.body.recording)
        else:
            self._carry(self._server.handle_request(client, request, now))

    def _about_recordings(self) -> None:
        """What requests are about has been read."""
        for found in self._stored_recordings.answers():
            if found.readable:
                now = self._clock.now()
                self._carry(self._server.handle_request(found.client, found.request, now, found.recording))
            else:
                self._carry(Effects(replies=[(found.client, Reply(found.request.id, "not_possible_now"))]))

    def _reload(self, looked: Looked) -> None:
        """Files that are wrong are refused as a whole, and what is in force stays; recordings each by itself."""
        client, request, changed, problems = looked
        if self._gateway is not None:
            self._office_sounds.send(changed)
        try:
            configuration = load_configuration(self._paths)
            keep_last_good(self._paths)
        except (ConfigurationError, OSError) as error:
            code = "configuration_wrong" if isinstance(error, ConfigurationError) else "configuration_not_kept"
            self._carry(Effects(replies=[(client, Reply(request.id, code, (*str(error).splitlines(), *problems)))]))
            return
        self._speech.prepare(configuration)
        self._carry(self._server.configure(client, request, configuration, self._clock.now(), problems))

    # ---- effects ----------------------------------------------------------------------------------------------------

    def _carry(self, effects: Effects) -> None:
        """Line orders, texts and look-ups at once; the rest when it is on disk."""
        self._order_all(self._speech.order(effects.orders))
        self._speaker.ask(self._speech.take_wanted())
        effects.orders = []
        self._callers.ask(effects.lookups)
        effects.lookups = []
        tones, effects.tones = effects.tones, []
        blocking, effects.blocking = effects.blocking, []
        if effects.must_be_stored or self._committer.busy:
            self._committer.add(effects, self._clock.now().mono_us)
        else:
            self._tell(effects)
        for learnt in tones:
            problem = store_tone(self._paths, learnt.line, learnt.tone)
            self._carry(self._server.tone_stored(learnt.line, learnt.tone, problem, self._clock.now()))
        for wish in blocking:
            problem, details = store_blocking(self._paths, wish)
            self._carry(self._server.blocking_stored(wish, problem, details, self._clock.now()))

    def _tell(self, effects: Effects) -> None:
        """What was promised is on disk: the recorder may start, replies and events go out."""
        for message in effects.recorder:
            if isinstance(message, OpenRecording):
                self._stored_recording = max(self._stored_recording, message.recording)
        self._tell_recorder(effects.recorder)
        self._clients.tell(effects, self._selector)
        stored = effects.live.get(("box", ""))
        if stored is not None:
            self._confirm(msgspec.json.decode(stored, type=BoxLife))

    def _confirm(self, life: BoxLife) -> None:
        """Tell the gateway now and then which of its events need not be kept."""
        number = life.last_line_number
        if self._gateway is None or life.gateway_boot != self._server.office.box.gateway_boot:
            return
        if not self._confirmed <= number < self._confirmed + CONFIRM_EVERY:
            self._confirmed = number
            self._order(self._gateway, Resume(number))


def main() -> int:
    """Command line of the process."""
    parser = argparse.ArgumentParser(description="Linebox callserver: decides where calls go and keeps the records")
    parser.add_argument("--data", type=Path, help="data folder")
    parser.add_argument("--synchronous", default="FULL", choices=("FULL", "OFF"), help="OFF only to test the tests")
    arguments = parser.parse_args()
    start_logging("callserver")
    sign = begin_signs_of_life()
    paths = box_paths(arguments.data)
    paths.make()
    try:
        process = CallServerProcess(paths, arguments.synchronous, sign)
    except ConfigurationError as error:
        _log.error("%s", error)
        return 1
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, process.stop)
    process.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
