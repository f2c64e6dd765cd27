"""The words of every fault of a board, port, span, panel, display or recording, and what a person can do. Data only.

English here, for the command line and the logs; `webui/locale` translates these texts for the pages. The codes in
capitals are the field's own names of alarms (ITU-T G.704, G.732). {places} are filled with the arguments of the fault.
To add one: a line here, then `scripts/catalogues`, which asks for the Chinese.
"""

from __future__ import annotations

from typing import NamedTuple


class FaultText(NamedTuple):
    """`what` begins in lower case and follows a place; `remedy` is a sentence of its own, without the full stop."""

    what: str
    remedy: str


FAULT_TEXTS: dict[str, FaultText] = {
    # ---- any board
    "said": FaultText("{what}", "{remedy}"),
    "not_started": FaultText("not started yet", "It is started by itself with the gateway"),
    "no_audio": FaultText(
        "no audio for 5 s",
        "It is opened again by itself; if that does not help, restart the process or board behind it",
    ),
    "board_defect": FaultText(
        "a mistake in the board's own file ({error})",
        "It is opened again by itself; whoever wrote the file finds the place in the gateway's log",
    ),
    "not_open": FaultText("the board is not open", "It is opened again by itself"),
    "no_such_channel": FaultText("there is no channel {channel}", "This is a fault in Linebox"),
    "not_supported": FaultText("{kind} channels cannot do {signal}", "This is a fault in Linebox"),
    "wrong_bits": FaultText("these line bits cannot be sent ({error})", "This is a fault in Linebox"),
    "unknown_kind": FaultText("there is no kind of board {kind}", "Kinds: {kinds}"),
    "unknown_kind_nearest": FaultText("there is no kind of board {kind}", "Did you mean {nearest}? Kinds: {kinds}"),
    "board_file_unusable": FaultText(
        "boards/{kind}.py cannot be used ({error})",
        "Install what it imports; linebox doctor says what is missing on this machine",
    ),
    "section_missing": FaultText('"{section}" is missing', "Run linebox config check: it says what is wrong"),
    # ---- boards whose far end is a process
    "simulator_absent": FaultText(
        "the simulator does not answer ({error})",
        "See that the simulator runs: linebox status; it is started by linebox up",
    ),
    "sip_absent": FaultText(
        "the SIP worker does not answer ({error})",
        "SIP joins by itself once its stack is built (scripts/build_pjsua2) and the SIP worker runs: linebox doctor",
    ),
    "process_absent": FaultText(
        "the process behind the board does not answer ({error})",
        "linebox status shows which processes run; it is asked again by itself",
    ),
    "process_silent": FaultText(
        "the far process has not greeted yet",
        "It is asked again by itself; if this stays, linebox status shows which processes run",
    ),
    "process_ended": FaultText(
        "the far process has gone ({detail})",
        "It is started and opened again by itself; if this stays, linebox status shows which processes run",
    ),
    "process_nonsense": FaultText(
        "what the far process sent is not understood ({detail})",
        "Start the far process from the same version of Linebox as the gateway",
    ),
    "process_other": FaultText(
        "it is another process than expected ({detail})",
        "Start the far process from the same version of Linebox as the gateway",
    ),
    # ---- alarms of a span
    "LOS": FaultText(
        "LOS: nothing comes in",
        "Check cable and connectors, and that the exchange has the span in service",
    ),
    "LOF": FaultText(
        "LOF: no frames",
        "Framing and CRC4 must be the same at both ends; receive and send pair may be swapped",
    ),
    "LOMF": FaultText(
        "LOMF: no multiframe: the exchange does not use CAS or CRC4 as boards.json says",
        "Set both ends alike",
    ),
    "AIS": FaultText("AIS: the exchange, or equipment between, has the span out of service", "Ask the operator"),
    "RAI": FaultText("RAI: the exchange does not receive us", "Check the sending pair"),
    "RED": FaultText("RED: nothing usable comes in", "Check cable, framing and CRC4"),
    "RECOVERING": FaultText("RECOVERING: the span comes back", "It ends by itself"),
    "LOOPBACK": FaultText("LOOPBACK: a loop is set for a test", "Take it back"),
    "NOT_OPEN": FaultText("NOT_OPEN: the card is not started", "It starts with the gateway; see linebox status"),
    "D-channel": FaultText(
        "the D channel is down",
        "Nothing to do if the span has an alarm; else ask the operator whether the exchange has ISDN in service there",
    ),
    "PRI worker": FaultText(
        "the PRI worker of the span does not answer",
        "It is started again by itself; if this stays, linebox status and its log say more",
    ),
    "starting": FaultText("starting", "It ends by itself in some seconds"),
    # ---- the kernel module of an analogue card
    "card_country": FaultText(
        "its exchange lines are set for {country}, not for China: a wrong impedance, which is heard as echo",
        "Give the module {module} opermode=CHINA in /etc/modprobe.d/linebox.conf (boards/README.md has the line), stop "
        "the box and load the module again",
    ),
    "card_ringing": FaultText(
        "its phones are rung with {hertz} Hz, not with China's 25",
        "Give the module {module} fastringer=1 in /etc/modprobe.d/linebox.conf (boards/README.md has the line), stop "
        "the box and load the module again",
    ),
    "card_hidden": FaultText(
        "for which country the module {module} was loaded may be read by root only",
        "Run linebox boards as root once",
    ),
    "no_loop": FaultText(
        "the board cannot close such a loop",
        "Put a loop plug on, or ask the exchange for a loop, and test what comes back from there (--far)",
    ),
    # ---- ports and their chips
    "NO_LINE": FaultText("no line voltage", "Check that the exchange line is plugged in; else ask the operator"),
    "chip_silent": FaultText(
        "nothing answers: the SPI data line stays {level}",
        "See that the line card is plugged in and has power, and that chip select and SPI device belong to it",
    ),
    "chip_wrong": FaultText(
        "the chip that answers is no {chip} ({values})",
        "Correct the chip in boards.json, or exchange the line card",
    ),
    "chip_forgets": FaultText(
        "the register {register} does not keep what is written ({written}, reads {read})",
        "The SPI wiring picks up noise or the chip is broken: shorten the cable, or exchange the line card",
    ),
    "chip_lost_setup": FaultText(
        "the chip has lost its set-up: its supply broke down for a moment",
        "It is set up again by itself; if this comes back, measure the card's 3.3 V under load",
    ),
    "chip_stuck": FaultText(
        "the chip does not finish an indirect access",
        "See that it gets PCLK and FSYNC from the TDM bus; reset it",
    ),
    "chip_supply": FaultText(
        "the battery supply does not come up ({volts} V)",
        "The card's converter gets no input voltage or is overloaded: check the 12 V supply and the line for a short",
    ),
    "calibration": FaultText(
        "the calibration has not ended after {seconds} s",
        "Take the telephone's plug out: the line must be open. If it stays, exchange the line card",
    ),
    "line_side_absent": FaultText(
        "the link to the line side has not come up after {seconds} s",
        "The isolation between the two chips of the port is broken (lightning?): exchange the line card",
    ),
    "line_side_lost": FaultText(
        "the link to the line side is lost",
        "It is set up again by itself; if not, exchange the line card",
    ),
    "line_protected": FaultText(
        "the chip has switched its line off to protect itself",
        "Look for a short or foreign voltage on the telephone pair; it is tried again by itself",
    ),
    "line_hot": FaultText(
        "a line transistor is too hot",
        "Look for a short or foreign voltage on the telephone pair; it is tried again by itself",
    ),
    "interrupt_storm": FaultText(
        "interrupts without end: something on the line is making and breaking contact all the time",
        "Look for a loose or wet connection on this pair; the port is tried again by itself",
    ),
    # ---- buses
    "spi_failed": FaultText(
        "the SPI bus failed ({error})",
        "See that the board is plugged in and its SPI device is there",
    ),
    "spi_absent": FaultText(
        "the SPI device {device} cannot be opened ({error})",
        "See that {device} is there (the board's SPI must be switched on in the boot configuration) and that "
        "the user that runs Linebox is in its group, mostly spi",
    ),
    "periphery_missing": FaultText("python-periphery cannot be used ({error})", "Run scripts/setup: it installs it"),
    "alsaaudio_missing": FaultText(
        "pyalsaaudio cannot be used ({error})",
        "Install it: python3-alsaaudio (Debian 13), or pip install pyalsaaudio with libasound2-dev",
    ),
    "tdm_absent": FaultText(
        "the sound card {card} cannot be opened ({error})",
        "See what `arecord -l` lists: the TDM port must be switched on in the device tree; user in group audio",
    ),
    "tdm_failed": FaultText(
        "the TDM stream failed ({error})",
        "See that the line card is plugged in; it is opened again by itself",
    ),
    "gpio_name": FaultText("this names no line", "Write it as /dev/gpiochip0:17"),
    "gpio_absent": FaultText(
        "the line cannot be opened ({error})",
        "See `gpioinfo`: the line must be there, and the user in the group of the chip's device",
    ),
    "gpio_taken": FaultText(
        "the line is taken by something else ({error})",
        "See `gpioinfo` for who has it: name another line, or switch off what uses this one in the boot configuration",
    ),
    "gpio_failed": FaultText(
        "the line failed ({error})",
        "See that the board or panel is plugged in; it is tried again",
    ),
    "gpio_closed": FaultText("the line is closed", "This is a fault in Linebox"),
    # ---- the DAHDI driver
    "dahdi_gone": FaultText(
        "{doing}: the span has gone or is not configured",
        "See that the card sits firmly and is cooled; it is opened again by itself once the driver shows it",
    ),
    "dahdi_taken": FaultText(
        "{doing}: in use by another program",
        "Stop the other program that uses it (asterisk? a second gateway?)",
    ),
    "dahdi_refused": FaultText("{doing}: not permitted", "Put the box's user into the group dahdi"),
    "dahdi_absent": FaultText(
        "{doing}: the driver is not loaded",
        "Load the driver: modprobe dahdi, then the card's module; linebox boards shows what it finds",
    ),
    "dahdi_failed": FaultText("{doing}: {error}", "linebox boards shows what the driver reports"),
    "dahdi_buffers": FaultText(
        "{count} buffers of {size} samples cannot be had",
        "Choose 2 to {most} buffers of at least 16, {space} samples in all",
    ),
    "dahdi_no_channel": FaultText(
        "there is no such channel",
        "See that the card sits firmly and is cooled; it is opened again by itself once the driver shows it",
    ),
    "span_other": FaultText(
        "the span has other channels than boards.json says",
        "Correct boards.json by what linebox boards lists",
    ),
    "span_no_e1": FaultText(
        "the card has the line as {kind}, which cannot do {names}",
        "Set it to E1, by its jumper or by default_linemode=e1 for its module, and load the module again",
    ),
    "span_cannot": FaultText(
        "the card has the line as {kind}, which cannot do {names}",
        "Correct the board's entry in boards.json",
    ),
    "span_missing": FaultText(
        "it does not say which span it is",
        'Give "e1": {"span": N}; linebox boards lists the spans',
    ),
    "ports_missing": FaultText(
        "it does not say what its ports are",
        'Give "ports": {"span": N, "ports": ["fxs", …]}; linebox boards lists the spans',
    ),
    # ---- the front panel
    "button_stuck": FaultText(
        "the button counts as pressed since the start",
        "It must close the line to ground only while it is pressed: look for a short; until it is released it does "
        "nothing",
    ),
    "stop_failed": FaultText(
        "the button could not stop the box ({error})",
        "Stop it where it was started: by Ctrl-C at linebox up, or as the service that runs it",
    ),
    # ---- displays at the seats
    "display_serial": FaultText(
        "the serial line does not work ({error})",
        "See that the display is plugged in, and that the user that runs Linebox is in group dialout; it is "
        "tried again",
    ),
    "display_silent": FaultText(
        "no answer at I²C address {address} ({error})",
        "See that the display is plugged in and that this is its address; it is tried again",
    ),
    "display_no_bus": FaultText(
        "no I²C bus ({error})",
        "Switch the bus on, and let the user that runs Linebox be in group i2c",
    ),
    "display_defect": FaultText("Linebox cannot drive it ({error})", "Report it with the log of the process displays"),
    # ---- recordings
    "recording_disk_full": FaultText(
        "the disk is full: recordings wait for room",
        "Delete old recordings or put in a larger disk",
    ),
    "recording_not_permitted": FaultText(
        "{file} may not be written",
        "Give the recordings folder to the user that runs Linebox; it is tried again by itself",
    ),
    "recording_not_written": FaultText(
        "{file} cannot be written ({error})",
        "See that the disk is there and works; it is tried again by itself",
    ),
    "recording_not_ours": FaultText(
        "{file} is no recording of this box",
        "Take that file out of the recordings folder; the recorder leaves it as it is",
    ),
    "recording_no_ring": FaultText(
        "the audio of gateway start {boot} is not there",
        "See that the gateway runs: linebox status; what was recorded before stays",
    ),
    "recording_refused": FaultText("an order that cannot be carried out ({order})", "This is a fault in Linebox"),
    "recording_simulated": FaultText(
        "a simulated caller without audio",
        "Nothing to do: in a simulation not every caller is given a voice",
    ),
}
