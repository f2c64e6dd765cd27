"""The `linebox` command. Says what each command takes and how errors reach a person; the work is in other files.

Imports are lazy, so that `linebox --help` is quick and a missing package spoils only the commands that need it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from firmware.core.hints import ClearError, hint

HANDED_ON = {
    "simulate": "run a short county day in virtual time and print a summary with a digest of all records",
    "digest": "compute the digest of the records of a data folder again, from the stored rows",
}
"""Commands that read their own arguments: `firmware.box.commands.simulate.<command>(arguments) -> exit code`."""


def _up(options: argparse.Namespace) -> int:
    from firmware.box.supervision.up import up

    return up(options)


def _doctor(options: argparse.Namespace) -> int:
    from firmware.box.commands.doctor import doctor

    return doctor(options.data, as_json=options.json)


def _boards(options: argparse.Namespace) -> int:
    from firmware.box.commands.boards import boards

    return boards(options.data, options.write)


def _tones(options: argparse.Namespace) -> int:
    from firmware.box.commands.tones import tones

    return tones(options)


def _verify_recordings(options: argparse.Namespace) -> int:
    from firmware.box.commands.verify_recordings import verify_recordings

    return verify_recordings(options)


def _recordings(options: argparse.Namespace) -> int:
    from firmware.box.commands.recordings import recordings

    return recordings(options)


def _status(options: argparse.Namespace) -> int:
    from firmware.box.commands.doctor_data import status

    print("\n".join(status(options.data)))
    return 0


def _token(options: argparse.Namespace) -> int:
    from firmware.box.commands.logins import new_token

    print(new_token(options.data, options.login, options.days))
    return 0


def _login_add(options: argparse.Namespace) -> int:
    from firmware.box.commands.logins import add_login

    return add_login(options.data, options.name, options.role, options.agent, options.title)


def _login_list(options: argparse.Namespace) -> int:
    from firmware.box.commands.logins import list_logins

    return list_logins(options.data)


def _login_password(options: argparse.Namespace) -> int:
    from firmware.box.commands.logins import renew_password

    return renew_password(options.data, options.name)


def _config_check(options: argparse.Namespace) -> int:
    from firmware.box.commands.config_check import config_check
    from firmware.core.paths import box_paths

    return config_check(box_paths(options.data))


def _reload(options: argparse.Namespace) -> int:
    from firmware.box.commands.config_check import lines_of, names_that_lead_nowhere
    from firmware.box.commands.cti_request import ask
    from firmware.calls.messages import ReloadConfiguration
    from firmware.core.configuration import load_configuration
    from firmware.core.paths import box_paths

    paths = box_paths(options.data)
    reply = ask(paths, ReloadConfiguration(), "linebox reload")
    if reply.error:
        lines = "\n".join(f"  {line}" for line in reply.details)
        what = f"the configuration was not taken ({reply.error}); the one before stays in force"
        raise ClearError(f"{what}\n{lines}" if lines else what, "correct the files, then `linebox reload` again")
    print("The configuration is in force.")
    configuration = load_configuration(paths)
    for problem in names_that_lead_nowhere(configuration, paths, lines_of(configuration, paths)):
        print(f"  {problem}")
    if reply.details:
        lines = "\n".join(f"  {line}" for line in reply.details)
        remedy = "correct or replace the files, then `linebox reload` again"
        raise ClearError(f"some announcements were not taken; those before stay in use\n{lines}", remedy)
    return 0


def _learn_line(options: argparse.Namespace) -> int:
    from firmware.box.commands.learn_line import learn_line
    from firmware.core.paths import box_paths

    return learn_line(box_paths(options.data), options.line, options.number, options.seconds)


def _channels(options: argparse.Namespace) -> int:
    from firmware.box.commands.channels import block, channels, unblock

    return {"block": block, "unblock": unblock}.get(options.change, channels)(options)


def _loop_test(options: argparse.Namespace) -> int:
    from boards.signals import LoopWay
    from firmware.box.commands.loop_test import loop_test, stop_loop_test
    from firmware.core.paths import box_paths

    if options.stop:
        return stop_loop_test(box_paths(options.data), options.board)
    return loop_test(box_paths(options.data), options.board, LoopWay(options.way), options.seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="linebox", description="Linebox 线匣: one box that is a whole 12345 hotline centre."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, help="data folder (default: LINEBOX_DATA, else ~/.local/share/linebox)")

    from firmware.box.supervision.up_options import add_arguments

    one = commands.add_parser("up", parents=[data], help="run the whole box in the foreground until Ctrl-C")
    add_arguments(one)
    one.set_defaults(run=_up)

    one = commands.add_parser(
        "doctor", parents=[data], help="look for what can go wrong on this machine, with remedies"
    )
    one.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    one.set_defaults(run=_doctor)

    one = commands.add_parser("boards", parents=[data], help="the boards, whether they work, and the remedies")
    one.add_argument("--write", action="store_true", help="write the driver's /etc/dahdi/system.conf from boards.json")
    one.set_defaults(run=_boards)

    one = commands.add_parser(
        "tones",
        help="list the digits, tones, caller IDs and fax tones in recordings of a line",
        description="Prints one line an event: start_s end_s kind value level_dbm0 twist_db. Kinds: dtmf; tone, with "
        "its frequency in Hz; caller_id (FSK, or DTMF from A or D to C or #); fax: cng, ced, ced-pr (phase reversed), "
        "ansam, ansam-pr; sit, with its three frequencies; mfc, with --mfc; presence: voice, silence, with --presence. "
        "What a kind does not have is a dash (null in JSON).",
    )
    one.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="WAV, or a recording of the box (AU, FLAC); 8000 samples a second; - for standard input",
    )
    one.add_argument("--raw", choices=("alaw",), help="the files are bare samples without a head")
    one.add_argument("--json", action="store_true", help="one JSON object a line")
    one.add_argument(
        "--mfc", choices=("forward", "backward"), help="listen for register tones of this direction as well"
    )
    one.add_argument("--presence", action="store_true", help="list voice and silence by turns as well")
    one.set_defaults(run=_tones)

    one = commands.add_parser(
        "verify-recordings",
        parents=[data],
        help="check that recordings and their records are as they were",
        description="Walks along the chain of recordings and names the first broken link. Exit code 1: one is broken.",
    )
    one.add_argument("--json", action="store_true", help="one JSON object")
    one.add_argument("--anchor", metavar="NUMBER:HASH", help="a link that was noted elsewhere and must be there")
    one.set_defaults(run=_verify_recordings)

    decisions = commands.add_parser("recordings", help="legal hold and deletion of recordings").add_subparsers(
        dest="decision", required=True, metavar="DECISION"
    )
    for name, text in (
        ("hold", "keep them whatever their age and whatever room is needed"),
        ("release", "end a hold"),
        ("delete", "remove their files; their records and the chain stay"),
    ):
        one = decisions.add_parser(name, parents=[data], help=text)
        one.add_argument("numbers", nargs="+", type=int, metavar="NUMBER", help="number of a recording")
        one.add_argument("--reason", required=True, help="why; it is kept in the chain of recordings")
        one.set_defaults(run=_recordings)

    one = commands.add_parser("status", parents=[data], help="which processes of the box run")
    one.set_defaults(run=_status)

    one = commands.add_parser("token", parents=[data], help="print a token for the REST interface")
    one.add_argument("--login", default="admin", help="whose rights it has (default: admin)")
    one.add_argument("--days", type=float, default=30.0, help="how long it holds (default: 30)")
    one.set_defaults(run=_token)

    login = commands.add_parser("login", help="who may sign in to the pages").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = login.add_parser("add", parents=[data], help="add a login and print its generated password")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--role", action="append", help="administrator, supervisor or agent (may be repeated)")
    one.add_argument("--agent", default="", metavar="N", help="agent number that it works under")
    one.add_argument("--title", default="", help="the person's name (default: that of the agent number)")
    one.set_defaults(run=_login_add)
    one = login.add_parser("list", parents=[data], help="list the logins")
    one.set_defaults(run=_login_list)
    one = login.add_parser("password", parents=[data], help="give a login a new generated password and print it")
    one.add_argument("name", metavar="NAME")
    one.set_defaults(run=_login_password)

    config = commands.add_parser("config", help="the configuration files").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = config.add_parser("check", parents=[data], help="list everything that is wrong with them")
    one.set_defaults(run=_config_check)

    one = commands.add_parser(
        "reload",
        parents=[data],
        help="have the running box read its configuration files and the office's announcements again",
    )
    one.set_defaults(run=_reload)

    one = commands.add_parser(
        "learn-line",
        parents=[data],
        help="learn the busy tone of an analogue trunk, so that its calls end when the caller hangs up",
        description="Call the line from another phone and hang up when the box has answered; or let the box call a "
        "number (--number). What it measured is shown, stored for the line and in force at once.",
    )
    one.add_argument("line", metavar="N", help="the line: 1 is FXO-1; or its label")
    one.add_argument("--number", default="", metavar="DIGITS", help="the box calls this number and hears its end")
    one.add_argument("--seconds", type=float, default=120.0, help="how long it listens at most (default: 120)")
    one.set_defaults(run=_learn_line)

    one = commands.add_parser(
        "channels",
        parents=[data],
        help="how all channels are; block some and give them back",
        description="Lists all channels: label, kind, state, and why one is out of service by hand.",
    )
    one.set_defaults(run=_channels)
    changes = one.add_subparsers(dest="change", metavar="CHANGE")
    for name, text in (
        ("block", "take channels out of service by hand: idle ones at once, others when their calls are over"),
        ("unblock", "give blocked channels back"),
    ):
        one = changes.add_parser(name, help=text)
        one.add_argument("--data", type=Path, default=argparse.SUPPRESS, help="data folder")
        one.add_argument("channels", nargs="+", metavar="CHANNEL", help="a label, e.g. E1-1/17, or a range: E1-1/18-20")
        if name == "block":
            one.add_argument("--reason", required=True, help="why; the wall shows it")

    one = commands.add_parser(
        "loop-test",
        parents=[data],
        help="test an E1 in a loop: bit errors on each time slot, slips and alarms meanwhile",
        description="No call may be up on the board; meanwhile none is placed or taken there. Exit code 1: not all "
        "channels came back without an error. Ctrl-C ends the test.",
    )
    one.add_argument("board", metavar="BOARD", help="name of the board; linebox boards lists them")
    ways = one.add_mutually_exclusive_group()
    for way, text in (
        ("far", "the exchange or a plug has looped the line (the default): tests board and cable"),
        ("local", "the board loops itself: tests the card alone"),
        (
            "toward-exchange",
            "loop what comes in, so that the exchange can test (a card: if its driver really does)",
        ),
    ):
        ways.add_argument(f"--{way}", dest="way", action="store_const", const=way.replace("-", "_"), help=text)
    ways.add_argument("--stop", action="store_true", help="end the test that runs on the board, whoever began it")
    one.add_argument("--seconds", type=float, default=10.0, help="how long (1 to 600, default: 10)")
    one.set_defaults(run=_loop_test, way="far")

    for name, text in HANDED_ON.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _hand_on(command: str, arguments: Sequence[str]) -> int:
    import importlib

    module = importlib.import_module("firmware.box.commands.simulate")
    code: int = getattr(module, command)(list(arguments))
    return code


def _explained(error: BaseException) -> str:
    """What a person is told about an error that they can do something about."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror + (f": {error.filename}" if error.filename else "")
    found = None if isinstance(error, ClearError) else hint(text)
    return f"{found.cause} ({text})\n  remedy: {found.remedy}" if found else text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 an error that was said, 2 wrong usage, 130 Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] in HANDED_ON:
            return _hand_on(given[0], given[1:])
        options = _parser().parse_args(given)
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `linebox … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ClearError, OSError, ImportError) as error:
        print(f"linebox: {_explained(error)}", file=sys.stderr)
        return 1
    except Exception as error:
        from firmware.core.configuration import ConfigurationError
        from firmware.core.messages import PeerGone

        if not isinstance(error, ConfigurationError | PeerGone):
            raise  # a defect of ours: whoever reports it needs the whole story
        print(f"linebox: {_explained(error)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
