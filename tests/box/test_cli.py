"""The `linebox` command: what it prints, and that errors reach a person as one clear line with a remedy."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from argon2 import PasswordHasher

from firmware.box.cli import main
from firmware.box.demonstration import write_demonstration
from firmware.box.supervision import up as up_module
from firmware.box.supervision.up import plans
from firmware.calls.messages import ReloadConfiguration, Reply, decode_request
from firmware.core.configuration import load_configuration, save_documents
from firmware.core.messages import Peer, PeerGone, accept, listen
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import ProcessEntry, write_process_table
from firmware.core.tokens import token_key, verify


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LINEBOX_DATA", "LINEBOX_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LINEBOX_RUN", str(tmp_path / "run"))


@pytest.fixture
def county(tmp_path: Path) -> BoxPaths:
    paths = box_paths(tmp_path / "data")
    paths.make()
    write_demonstration(paths)
    return paths


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What is said on standard error by a command that fails."""
    assert main([str(one) for one in arguments]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("linebox: ") and "Traceback" not in said.err
    return said.err


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from firmware.box.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'msgspec', 'tinydb', 'argon2', 'sqlalchemy', 'bottle', 'gevent', 'psutil'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("up", "doctor", "status", "token", "login", "config", "reload", "simulate", "digest"):
        assert f"\n    {command} " in shown.stdout


def test_a_token_for_the_administrator(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--data", str(county.data)]) == 0
    token = capsys.readouterr().out.strip()
    now = int(time.time())
    assert verify(token_key(county), token, now + 29 * 86400) == "admin"
    assert verify(token_key(county), token, now + 31 * 86400) is None


def test_no_token_for_a_login_that_does_not_exist(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert 'did you mean "admin"?' in refusal(capsys, "token", "--data", county.data, "--login", "admn")
    assert "--days takes" in refusal(capsys, "token", "--data", county.data, "--days", "0")


def test_a_folder_that_is_not_set_up_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not set up yet" in refusal(capsys, "token", "--data", tmp_path / "elsewhere")


def test_a_login_is_added_listed_and_given_a_new_password(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(county.data)]
    assert main(["login", "add", "yang", "--agent", "806", "--role", "agent", "--role", "supervisor", *data]) == 0
    first = capsys.readouterr().out.split("password: ")[1].split()[0]
    assert main(["login", "list", *data]) == 0
    listed = capsys.readouterr().out
    assert "yang  杨海涛  agent, supervisor  agent 806" in listed and "argon2" not in listed
    assert main(["login", "password", "yang", *data]) == 0
    second = capsys.readouterr().out.split("password: ")[1].split()[0]
    login = load_configuration(county).logins[1]
    assert first != second and PasswordHasher().verify(login.password_hash, second)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "admin"], 'the login "admin" exists already'),
        (["add", "yang", "--role", "agnt"], 'did you mean "agent"?'),
        (["add", "yang", "--agent", "900"], 'there is no agent number "900"'),
        (["add", ""], "a name that is not empty"),
        (["password", "yang"], 'there is no login "yang"'),
    ],
)
def test_logins_that_cannot_be(
    county: BoxPaths, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    before = (county.configuration / "logins.json").read_bytes()
    assert said in refusal(capsys, "login", *arguments, "--data", county.data)
    assert (county.configuration / "logins.json").read_bytes() == before


def test_config_check(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--data", str(county.data)]) == 0
    assert "is valid: 示范县12345热线, 2 services, 3 queues, 8 agents, 8 seats" in capsys.readouterr().out
    path = county.configuration / "queues.json"
    path.write_text(path.read_text().replace('"title"', '"titel"'))
    assert main(["config", "check", "--data", str(county.data)]) == 1
    said = capsys.readouterr().out
    assert said.count('unknown key "titel"; did you mean "title"?') == 3


class Callserver:
    """Answers clients in a thread of its own, as the callserver would."""

    def __init__(self, paths: BoxPaths, reply: Callable[[int], Reply]) -> None:
        self._listener = listen(paths.cti_socket)
        self._reply = reply
        self._ended = threading.Event()
        self.asked: list[object] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        peers: list[Peer] = []
        while not self._ended.wait(0.001):
            if (new := accept(self._listener, decode_request)) is not None:
                peers.append(new)
            for peer in list(peers):
                try:
                    for request in peer.receive():
                        self.asked.append((request.body, request.by))
                        peer.send(Reply(request.id + 7))  # somebody else's
                        peer.send(self._reply(request.id))
                except PeerGone:
                    peer.close()
                    peers.remove(peer)
        for peer in peers:
            peer.close()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def callserver(county: BoxPaths) -> Iterator[Callable[[Callable[[int], Reply]], Callserver]]:
    running: list[Callserver] = []

    def begin(reply: Callable[[int], Reply]) -> Callserver:
        running.append(Callserver(county, reply))
        return running[-1]

    yield begin
    for one in running:
        one.end()


Begin = Callable[[Callable[[int], Reply]], Callserver]


def test_reload_asks_the_running_callserver(
    county: BoxPaths, callserver: Begin, capsys: pytest.CaptureFixture[str]
) -> None:
    running = callserver(Reply)
    assert main(["reload", "--data", str(county.data)]) == 0
    assert "in force" in capsys.readouterr().out
    assert running.asked == [(ReloadConfiguration(), "linebox reload")]


def test_reload_tells_what_the_files_name_and_nobody_has(
    county: BoxPaths, callserver: Begin, capsys: pytest.CaptureFixture[str]
) -> None:
    save_documents(county, "seats", [{"seat": "1", "extension": "FXS-77"}])
    callserver(Reply)

    assert main(["reload", "--data", str(county.data)]) == 0

    assert "seat 1, field extension: no board has a line FXS-77" in capsys.readouterr().out


def test_a_refused_reload_tells_all_that_is_wrong(
    county: BoxPaths, callserver: Begin, capsys: pytest.CaptureFixture[str]
) -> None:
    callserver(lambda number: Reply(number, "bad_configuration", ("queues.json: first", "seats.json: second")))
    said = refusal(capsys, "reload", "--data", county.data)
    assert "first" in said and "second" in said and "stays in force" in said


def test_a_new_login_is_told_to_the_running_box(county: BoxPaths, callserver: Begin) -> None:
    running = callserver(Reply)
    assert main(["login", "add", "yang", "--data", str(county.data)]) == 0
    assert running.asked == [(ReloadConfiguration(), "linebox login")]


def test_reload_without_a_box(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "reload", "--data", county.data)
    assert said.startswith("linebox: the callserver does not run on this data folder (nobody listens")
    assert "start the box with `linebox up`" in said


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["upp"])
    assert caught.value.code == 2


# ---- linebox up, as far as it goes without the processes -------------------------------------------------------------


def test_a_second_box_on_the_same_data_is_refused(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    with open(county.supervisor_lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()
        said = refusal(capsys, "up", "--data", county.data)
    assert "another linebox (process 4711) already works on" in said and "--data" in said


def test_a_port_that_is_taken_is_refused(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = refusal(capsys, "up", "--data", county.data, "--web-port", str(port))
    assert f"port {port} is in use by" in said


def test_a_scenario_that_is_not_there_is_refused(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no scenario file" in refusal(capsys, "up", "--data", county.data, "--scenario", "no-such-file.json")


def test_files_that_are_wrong_with_no_last_good_copy_stop_the_start(
    county: BoxPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    (county.configuration / "seats.json").write_text("{")
    assert "seats.json, line 1" in refusal(capsys, "up", "--data", county.data, "--web-port", "0", "--sip-port", "0")


def up_plans(paths: BoxPaths, *arguments: str) -> dict[str, tuple[str, ...]]:
    import argparse

    from firmware.box.supervision.up_options import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    chosen = plans(parser.parse_args(arguments), paths, load_configuration(paths), 8080, 15060)
    assert all(plan.command[:2] == (sys.executable, "-m") for plan in chosen)
    modules = [plan.name.partition("-")[0] for plan in chosen]
    data = ("--data", str(paths.data))
    assert [plan.command[2:5] for plan in chosen] == [(f"firmware.box.{module}.process", *data) for module in modules]
    assert {plan.name for plan in chosen if plan.stop_stage == 1} - {"displays"} == {"callserver", "recorder"}
    return {plan.name: plan.command[5:] for plan in chosen}


def test_the_processes_of_a_box(county: BoxPaths) -> None:
    assert up_plans(county) == {
        "gateway": (),
        "callserver": (),
        "recorder": (),
        "archive": (),
        "web": ("--port", "8080"),
        "simulator": (),
        "sip": ("--port", "15060"),
    }


def test_the_simulator_gets_its_options(county: BoxPaths, tmp_path: Path) -> None:
    given = ("--quiet", "--seed", "7", "--report", str(tmp_path))
    assert up_plans(county, *given)["simulator"] == ("--quiet", "--report", str(tmp_path), "--seed", "7")
    assert "simulator" not in up_plans(county, "--no-simulator")


def test_boards_that_are_not_in_the_configuration_need_no_process(county: BoxPaths) -> None:
    save_documents(county, "boards", [{"board": "sim", "kind": "sim", "enabled": False}])
    assert set(up_plans(county)) == {"gateway", "callserver", "recorder", "archive", "web"}


def test_lamps_at_the_front_or_a_display_at_a_seat_need_the_display_process(county: BoxPaths) -> None:
    assert "displays" not in up_plans(county)
    configuration = load_configuration(county)
    for subject, documents in (
        ("box", [{**msgspec.to_builtins(configuration.box), "panel": {"alarm": "/dev/gpiochip0:17"}}]),
        ("seats", [{"seat": "1", "extension": "FXS-1", "display": {"kind": "serial", "device": "/dev/ttyUSB0"}}]),
    ):
        before = (county.configuration / f"{subject}.json").read_bytes()
        save_documents(county, subject, documents)
        assert up_plans(county)["displays"] == ()
        (county.configuration / f"{subject}.json").write_bytes(before)


def test_each_isdn_span_has_a_worker_of_its_own_and_spans_with_line_bits_need_none(county: BoxPaths) -> None:
    boards = [
        {"board": "first", "kind": "dahdi_e1", "e1": {"span": 1, "side": "network", "overlap": True}},
        {"board": "second", "kind": "dahdi_e1", "e1": {"span": 2, "called_as": "unknown/isdn"}},
        {"board": "third", "kind": "dahdi_e1", "e1": {"span": 3, "signalling": "cas"}},
    ]
    save_documents(county, "boards", boards)
    workers = {name: given for name, given in up_plans(county).items() if name.startswith("pri")}
    assert workers == {
        "pri-1": ("--span", "1", "--side", "network", "--overlap"),
        "pri-2": ("--span", "2", "--side", "user", "--called-as", "unknown/isdn"),
    }


def test_left_overs_of_a_killed_box_are_ended_and_nobody_else(county: BoxPaths) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    ours = subprocess.Popen([sys.executable, "-c", code, "firmware.box.web.process", "--data", str(county.data)])
    other = subprocess.Popen([sys.executable, "-c", code, "firmware.box.web.process", "--data", "/elsewhere"])
    try:
        entries = {"web": ours.pid, "sip": other.pid, "gone": 2**22 + 1, "none": 0}
        write_process_table(county, {name: ProcessEntry(state="running", pid=pid) for name, pid in entries.items()})
        up_module._end_left_overs(county)
        assert not psutil.pid_exists(ours.pid) and other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_a_listening_socket_is_seen_without_touching_it(county: BoxPaths) -> None:
    assert not up_module._listening(county.gateway_socket)
    with listen(county.gateway_socket) as listener:
        assert up_module._listening(county.gateway_socket)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert county.gateway_socket.exists() and not up_module._listening(county.gateway_socket), "dead socket file"


def test_status_without_a_box_and_with_one(county: BoxPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no box runs on" in refusal(capsys, "status", "--data", county.data)
    running = ProcessEntry(
        state="running", pid=os.getpid(), port=8080, restarts=2, hangs=1, started_utc_us=1_795_363_500_000_000
    )
    write_process_table(county, {"web": running, "sip": ProcessEntry(state="waiting")})
    with open(county.supervisor_lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["status", "--data", str(county.data)]) == 0
    said = capsys.readouterr().out
    assert (
        "web" in said
        and f"process {os.getpid()}" in said
        and "port 8080" in said
        and "2 restarts, 1 of them because it hung" in said
        and "since 2026-11-23 00:05:00" in said  # China's time, whatever the machine's is
    )
    assert "for a part that is not installed: linebox doctor" in said


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (b'{"ready": true, "callserver": true, "gateway": true}', []),
        (b'{"ready": false, "callserver": true, "gateway": false}', ["web to gateway"]),
        (b"<html>", ["web"]),
    ],
)
def test_the_web_process_is_asked_for_what_is_not_there(answer: bytes, missing: list[str]) -> None:
    over = False

    def serve(server: socket.socket) -> None:
        while not over:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                asked = connection.recv(4096)
                assert over or asked.startswith(b"GET /api/v1/health ")
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        for _ in range(10):  # it is not waited for as long as this machine may stand still
            if (found := up_module._not_healthy(port)) == missing:
                break
        over = True
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join()
        assert found == missing
    assert up_module._not_healthy(port) == ["web"], "nobody listens"
