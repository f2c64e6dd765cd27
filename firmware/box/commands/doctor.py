"""`linebox doctor`: looks for what can go wrong on this machine and says what to do. Changes nothing.

Each check is a function that yields findings; one that fails itself is a finding too. This file runs them and reports;
the checks are in the other `doctor_` files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from firmware.box.commands.card_faults import card_checks
from firmware.box.commands.doctor_boards import board_checks
from firmware.box.commands.doctor_data import data_checks
from firmware.box.commands.doctor_displays import display_checks
from firmware.box.commands.doctor_finding import BAD, WARN, Check, Finding
from firmware.box.commands.doctor_machine import machine_checks
from firmware.box.commands.doctor_panel import panel_checks
from firmware.box.commands.doctor_sounds import sound_checks
from firmware.core.hints import hint
from firmware.core.paths import BoxPaths, box_paths


def examine(paths: BoxPaths, checks: Iterable[Check]) -> list[Finding]:
    """All findings of the checks, in their order."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check(paths)
        except Exception as error:
            found = hint(str(error))
            remedy = found.remedy if found else "report this"
            findings.append(Finding(check.__name__, BAD, f"the check itself failed: {error}", remedy))
    return findings


def report(findings: Iterable[Finding]) -> str:
    """The findings as a person reads them: one line each, remedies below, a sum at the end."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:4}  {finding.check:13} {finding.text}")
        if finding.remedy:
            lines.append(f"{'':20}remedy: {finding.remedy}")
    bad = sum(finding.level == BAD for finding in findings)
    warnings = sum(finding.level == WARN for finding in findings)
    lines.append("all is well" if not bad + warnings else f"{bad} bad, {warnings} to look at")
    return "\n".join(lines)


def doctor(data: Path | None, *, as_json: bool = False) -> int:
    """Print the report. Returns 1 if anything is bad, else 0."""
    checks = (*machine_checks(), *data_checks(), *board_checks(), *card_checks(), *sound_checks())
    findings = examine(box_paths(data), (*checks, *display_checks(), *panel_checks()))
    bad = any(finding.level == BAD for finding in findings)
    with contextlib.suppress(BrokenPipeError):
        if as_json:
            print(msgspec.json.format(msgspec.json.encode({"bad": bad, "findings": findings}), indent=2).decode())
        else:
            print(report(findings))
    return 1 if bad else 0
