"""The boards of the real-time gateway: opened, watched, reopened, and which of them is the clock. No policy of lines.

Each board has a slot. A slot whose board fails is closed, shown with the reason, and opened again every second (less
often if a mistake of its own ends it at once each time); the others go on.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import pkgutil
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from select import EPOLLIN, epoll
from traceback import walk_tb
from types import TracebackType

import numpy as np

import boards
from boards.base import BLOCK, Block, Board, BoardCounters, BoardError, LoopBoard, NotSupported
from boards.signals import FromBoard, LoopWay, ToBoard
from firmware.core.clock import MICROSECONDS
from firmware.core.configuration_problems import nearest_name
from firmware.core.faults import Fault, fault
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths
from firmware.lines.elastic import ElasticBuffer

REOPEN_US = MICROSECONDS
LONGEST_REOPEN_US = 64 * MICROSECONDS
"""Pause before a board is opened again whose own mistake has ended it at once each time; it doubles up to this."""
SETTLED_US = 10 * MICROSECONDS
"""A board that has worked so long works."""
SILENT_US = 5 * MICROSECONDS
"""A board that gives no block for this long is taken as hung (a machine may well stall for half a second)."""
NEWEST_OUTWARD = 3
"""Blocks that go out after a stall; the older ones would only be delay."""
BLOCKS_A_TURN = 200
"""Blocks of one board that are worked on before the others get their turn."""

DEFECT = "board_defect"

_log = logging.getLogger(__name__)


class BoardSlot:
    """One configured board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.name = board.name
        self.is_open = False
        self.fault: Fault | None = fault("not_started")
        """Why it does not work."""
        self.defects: set[tuple[str, str, str]] = set()
        """Mistakes in its own file (`Fault.identity`) of which the log has where they are."""
        self.told_level = logging.NOTSET
        """How loud that was logged."""
        self.retry_us = 0
        self.pause_us = REOPEN_US
        """How long it stays closed after a mistake of its own."""
        self.opened_us = 0
        self.report_us = 0
        """Before this moment changed counters are not told again."""
        self.last_block_us = 0
        self.elastic = ElasticBuffer(board.has_clock)
        self.descriptor = -1
        self.outward: deque[Block] = deque()
        """Blocks made in this turn of the loop, not yet given to the board."""

    def make_outward(self, block: Block) -> None:
        """A block for the board; it goes with `flush_outward`. Of a burst only the newest stay, the rest is counted."""
        self.outward.append(block)
        if len(self.outward) > NEWEST_OUTWARD:
            self.outward.popleft()
            self.board.counters.lost_outward += 1

    def counters(self, extra: dict[str, int]) -> BoardCounters:
        """What was lost since the board was opened, in its own buffer too: the blocks that no tick has seen."""
        own = self.board.counters
        return BoardCounters(
            lost_inward=own.lost_inward + self.elastic.overruns,
            lost_outward=own.lost_outward,
            slips=own.slips + self.elastic.slips,
            crc_errors=own.crc_errors,
            extra={**own.extra, "underruns": self.elastic.underruns, **extra},
        )


class BoardSlots:
    """All slots. `opened` and `failed` are told the slot whenever its board starts or stops working, and why; `level`
    is that of the log for it."""

    def __init__(
        self,
        boards: list[Board],
        watcher: epoll,
        opened: Callable[[BoardSlot], None],
        failed: Callable[[BoardSlot, Fault], None],
        level: Callable[[], int] = lambda: logging.WARNING,
    ) -> None:
        self.slots = [BoardSlot(board) for board in boards]
        self._watcher = watcher
        self._opened = opened
        self._failed = failed
        self._level = level
        self._by_name = {slot.name: slot for slot in self.slots}

    def clock(self) -> BoardSlot | None:
        """The master: the first open board that has a clock."""
        return next((slot for slot in self.slots if slot.is_open and slot.board.has_clock), None)

    def open_due(self, now_us: int) -> None:
        """Open the boards that are closed and whose second is over."""
        for slot in self.slots:
            if slot.is_open or slot.retry_us > now_us:
                continue
            slot.retry_us = now_us + REOPEN_US
            try:
                with _Defects(slot):
                    slot.board.open()
            except BoardError as error:
                if error.fault.code == DEFECT:  # it has freed nothing; a BoardError keeps only what the next try wants
                    self._close(slot)
                self._show(slot, error)
                continue
            try:
                with _Defects(slot):
                    descriptor = slot.board.fileno()
                    self._watcher.register(descriptor, EPOLLIN)
            except BoardError as error:
                self._close(slot)
                self._show(slot, error)
                continue
            slot.is_open = True
            slot.fault = None
            slot.opened_us = slot.last_block_us = now_us
            slot.elastic = ElasticBuffer(slot.board.has_clock)
            slot.outward.clear()
            slot.descriptor = descriptor
            _log.info("board %s works", slot.name)
            self._opened(slot)

    def close_silent(self, now_us: int) -> None:
        """Give up boards that have given nothing for long."""
        for slot in self.slots:
            if slot.is_open and now_us - slot.last_block_us > SILENT_US:
                self.fail(slot, BoardError(fault("no_audio"), slot.name), now_us)

    def fail(self, slot: BoardSlot, error: BoardError, now_us: int) -> None:
        """A board raised: close it. All its channels come and go with it: what a mistake ends at once each time would
        fill log and records with that every second."""
        settled = not slot.is_open or now_us - slot.opened_us >= SETTLED_US
        again = error.fault.code == DEFECT and not settled
        slot.pause_us = min(2 * slot.pause_us, LONGEST_REOPEN_US) if again else REOPEN_US
        if slot.is_open:
            try:
                self._watcher.unregister(slot.descriptor)
            except (OSError, ValueError):
                pass  # the board closed it already
        slot.is_open = False
        slot.retry_us = now_us + slot.pause_us
        self._close(slot)
        self._show(slot, error)

    def _close(self, slot: BoardSlot) -> None:
        with contextlib.suppress(BoardError), _Defects(slot):
            slot.board.close()

    def _show(self, slot: BoardSlot, error: BoardError) -> None:
        before, slot.fault = slot.fault, error.fault
        is_new = before is None or before.identity != error.fault.identity
        if is_new or slot.told_level < logging.WARNING:
            level = self._level()
            if is_new or level > slot.told_level:  # what was no news while the box started is told when it lasts
                slot.told_level = level
                _log.log(level, "%s", error)
        if before != error.fault:  # other words for the same are shown, too
            self._failed(slot, error.fault)

    def receive(self, slot: BoardSlot, now_us: int) -> tuple[list[Block], list[FromBoard]]:
        """Blocks, then the signals that followed them; two empty lists when nothing more waits or the board failed."""
        if not slot.is_open:
            return [], []
        try:
            with _Defects(slot):
                blocks, signals = slot.board.receive()
                for block in blocks:
                    _check(block, slot)
        except BoardError as error:
            self.fail(slot, error, now_us)
            return [], []
        if blocks:
            slot.last_block_us = now_us
        return blocks, signals

    def send_signal(self, name: str, signal: ToBoard, now_us: int) -> None:
        slot = self._by_name[name]
        if not slot.is_open:
            return
        try:
            with _Defects(slot):
                slot.board.send_signal(signal)
        except NotSupported as error:
            _log.error("%s", error)
        except BoardError as error:
            self.fail(slot, error, now_us)

    def begin_loop(self, name: str, way: LoopWay, now_us: int) -> Fault | None:
        """Have a board loop (`LoopBoard`); None, or why it does not."""
        slot = self._by_name[name]
        if not slot.is_open:
            return slot.fault
        if not isinstance(slot.board, LoopBoard):
            return None if way is LoopWay.FAR else fault("no_loop")
        try:
            with _Defects(slot):
                slot.board.begin_loop(way)
        except BoardError as error:
            if not isinstance(error, NotSupported):
                self.fail(slot, error, now_us)
            return error.fault
        return None

    def end_loop(self, name: str, now_us: int) -> None:
        slot = self._by_name[name]
        if slot.is_open and isinstance(slot.board, LoopBoard):
            try:
                with _Defects(slot):
                    slot.board.end_loop()
            except BoardError as error:
                self.fail(slot, error, now_us)

    def counters_of(self, name: str) -> BoardCounters:
        return self._by_name[name].counters({})

    def flush_outward(self, now_us: int) -> None:
        """Give the boards the blocks that were made in this turn of the loop."""
        for slot in self.slots:
            while slot.outward and slot.is_open:
                try:
                    with _Defects(slot):
                        slot.board.send_block(slot.outward.popleft())
                except BoardError as error:
                    self.fail(slot, error, now_us)
            slot.outward.clear()

    def close(self) -> None:
        for slot in self.slots:
            self._close(slot)
            slot.is_open = False


def _check(block: Block, slot: BoardSlot) -> None:
    """Raises ValueError for a block that is none of the board's channels (boards/base.py)."""
    if block.shape != (len(slot.board.channels), BLOCK) or block.dtype != np.uint8:
        raise ValueError(f"a block of {block.dtype} {block.shape}")


class _Defects:
    """The context of what a board is asked. Whatever it raises but a BoardError is a mistake in its file: that board
    has failed, and the exchange runs on. Where it is, the log says once."""

    def __init__(self, slot: BoardSlot) -> None:
        self._slot = slot

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, BoardError):
            return
        found = fault("board_defect", error=f"{type(error).__name__}: {error}")
        told = BoardError(found, self._slot.name, _place(error, self._slot.board))
        if told.fault.identity not in self._slot.defects:
            self._slot.defects.add(told.fault.identity)
            _log.error("board %s has a mistake in it", self._slot.name, exc_info=error)
        raise told from error


def _place(error: Exception, board: Board) -> str:
    """The innermost line of the board's own files on the way to the mistake, e.g. `acme.py:17`; empty if none is."""
    files = {getattr(sys.modules.get(kind.__module__), "__file__", None) for kind in type(board).__mro__}
    steps = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    own = [(file, line) for file, line in steps if file in files]
    return f"{Path(own[-1][0]).name}:{own[-1][1]}" if own else ""


def board_kinds() -> list[str]:
    """The kinds of board there are: the files of `boards/` that end in `open_board`. Reads them, imports none."""
    names = [module.name for module in pkgutil.iter_modules(boards.__path__)]
    specs = {name: importlib.util.find_spec(f"boards.{name}") for name in names}
    return [name for name, spec in specs.items() if spec and spec.origin and _has_factory(Path(spec.origin))]


def _has_factory(file: Path) -> bool:
    return "\ndef open_board(" in file.read_text(errors="replace")


def make_board(entry: BoardEntry, paths: BoxPaths) -> Board:
    """The board of a configuration entry, by the file in `boards/` that is its kind. Raises BoardError."""
    kinds = board_kinds()
    if entry.kind not in kinds:
        close = nearest_name(entry.kind, kinds)
        said = {"kind": entry.kind, "kinds": ", ".join(kinds)}
        unknown = fault("unknown_kind_nearest", **said, nearest=close) if close else fault("unknown_kind", **said)
        raise BoardError(unknown, entry.board, "boards.json")
    try:
        module = importlib.import_module(f"boards.{entry.kind}")
        factory: Callable[[BoardEntry, BoxPaths], Board] = module.open_board
        return factory(entry, paths)
    except BoardError:
        raise
    except Exception as error:  # whatever is wrong with one board's file, the others run
        unusable = fault("board_file_unusable", kind=entry.kind, error=error)
        raise BoardError(unusable, entry.board, "boards.json") from error
