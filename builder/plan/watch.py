"""Follow an installation on its console: how far it is, and how it ended, if it has.

A pure state machine: what the console says, what xl says of the domain and the clock are passed in. docs/watch.md
tells how each ending is told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from builder.plan.endings import ERRORS, MORE_MEMORY, looks_transient, question_line
from builder.plan.stages import Stage, Stages
from builder.preseed.catalogue import Catalogue
from builder.preseed.console import Console, Progress, Prompt
from builder.preseed.signals import (
    ALIVE,
    FAILED,
    FINISHED,
    TOLD,
    Kernel,
    Logged,
    Parting,
    Signal,
    Words,
    kept_logs,
    signal,
)
from builder.xen.readings import Domain

__all__ = [
    "MARKER",
    "InstallWatch",
    "Limits",
    "Stage",
    "Verdict",
    "installer_domain",
    "kept_logs",
    "marker_line",
]
# What the last step of an installation says on the console, when all others have succeeded.
MARKER = FINISHED
Kind = Literal["finished", "gave up", "question", "stuck", "crashed", "lost"]


def marker_line(guest: str) -> str:
    """The marker as it stands on the console, with its line's end."""
    return signal(guest, MARKER)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `prompt`: nothing follows a prompt that the catalogue names; `unsure`: one that it does not name.

    `logs`: how long a verdict waits for the ends of the installer's logs. `quiet`: no console, syslog or disk moves.
    `deaf`: the logs' own process says nothing. `ending`: from the marker to the end of the domain. `last`: from the end
    of the domain to the last of its words.
    """

    prompt: float = 10
    unsure: float = 40
    logs: float = 50
    quiet: float = 1200
    deaf: float = 600
    ending: float = 600
    last: float = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an installation ended, or why it does not go on. `transient`: it may well succeed when tried again."""

    kind: Kind
    message: str
    hint: str = ""
    transient: bool = False
    prompt: Prompt | None = None


def installer_domain(domains: Iterable[Domain], guest: str, uuid: str) -> Domain | None:
    """The domain that an installation was started in; one that crashed and was kept has another name and UUID."""
    found = tuple(domains)
    of_uuid = next((domain for domain in found if domain.uuid == uuid), None)
    return of_uuid or next((domain for domain in found if domain.preserved == guest), None)


class InstallWatch:
    """One installation of one guest, from the start of its domain on. `catalogue` is of the guest's own installer.

    `feed` what the console says as it comes, `look` once a second or so. Clocks only need to be the same in both.
    """

    def __init__(self, guest: str, catalogue: Catalogue, limits: Limits | None = None) -> None:
        self._guest, self._catalogue, self.limits = guest, catalogue, limits or Limits()
        self._parting, self._console, self._stages = Parting(), Console(catalogue), Stages()
        self._words_at = self._moved_at = self._heard_at = self._gone_at = self._marker_at = -1.0
        self._begun = self._panic_at = -1.0
        self._syslog, self._log_follows, self._logs = "", False, ""
        self._failed = self._panic = ""
        # The installer's is Xen's console (INSTALLER_CONSOLE); without -t an HVM guest's serial port is shown.
        self._look = f"look at its console: xl console -t pv {guest}"
        self._powered_off = self._out_of_memory = False

    @property
    def stage(self) -> Stage:
        """What the installer does, and how far it is with it and with everything."""
        return self._stages.now

    def feed(self, text: str, now: float) -> None:
        """More of the console; pieces may begin and end anywhere."""
        for part in self._parting.feed(text):
            match part:
                case Words():
                    self._words(part.text, now)
                case Signal():
                    if part.guest == self._guest:
                        self._signal(part.text, now)
                case Logged():
                    self._logs = (self._logs + part.text + "\n")[-65536:]
                case Kernel():
                    self._kernel(part.text, now)

    def _words(self, text: str, now: float) -> None:
        self._words_at = self._moved_at = now
        self._log_follows = False
        for event in self._console.feed(text):
            if isinstance(event, Progress):
                self._stages.told(event)

    def _signal(self, text: str, now: float) -> None:
        if text == TOLD:
            self._log_follows = True
            return
        if text.startswith(ALIVE):
            self._heard_at = now
            if text != self._syslog:
                self._syslog, self._moved_at = text, now
            return
        self._moved_at = now
        if FAILED in text:
            self._failed, self._words_at, self._log_follows = text, now, False
        elif text == MARKER and not self._failed:
            self._marker_at = now
            self._stages.finished()

    def _kernel(self, text: str, now: float) -> None:
        self._moved_at = now
        if text.startswith("Kernel panic"):
            self._panic, self._panic_at = text, now
        elif text.startswith("Out of memory: Killed"):
            self._out_of_memory = True
        elif text.startswith("reboot: "):
            self._powered_off = True

    def look(self, now: float, domain: Domain | None) -> Verdict | None:
        """How it ended, or None while it goes on. `domain` as xl has it now; None: xl has none."""
        verdict = self._look_at(now, domain)
        if verdict and self._out_of_memory and verdict.kind not in {"finished", "question"}:
            return replace(verdict, hint=f"its kernel had no memory left: {MORE_MEMORY}", transient=False)
        return verdict

    def _look_at(self, now: float, domain: Domain | None) -> Verdict | None:
        if self._begun < 0:
            self._begun = self._moved_at = max(self._moved_at, now)
        if domain is not None and domain.state.is_alive:
            self._gone_at = -1.0
            if domain.state.paused:  # by somebody, who will let it go on
                self._moved_at = now
            return self._look_at_console(now)
        if self._gone_at < 0:
            self._gone_at = now
        if now - self._gone_at < self.limits.last:
            return None
        return self._ended(domain)

    def _ended(self, domain: Domain | None) -> Verdict:
        why = domain.state.shutdown if domain else None
        if self._panic or why in {"crash", "watchdog"}:
            return self._crashed()
        if self._marker_at >= 0:
            return Verdict("finished", "the installation is complete")
        if self._failed:
            return self._steps_failed()
        prompt = self._console.waiting()
        if self._powered_off or why:
            where = f"; its last words were the question {_title(prompt)}" if prompt else ""
            return Verdict(
                "gave up",
                f"the installer ended before its last step, while it did this: {self.stage.title}{where}",
                "read what is kept of its console and syslog",
                looks_transient(self._logs),
            )
        if self._words_at < 0:
            message = "the domain ended without a word on its console"
            return Verdict("lost", message, "xl dmesg and /var/log/xen tell more", transient=True)
        message = f"the domain was taken away while the installer did this: {self.stage.title}"
        return Verdict(
            "lost", message, "nobody may stop it before it ends; start the installation again", transient=True
        )

    def _crashed(self) -> Verdict:
        what = self._panic or "the domain crashed"
        return Verdict("crashed", what, "read the end of its console; is the memory for the installation enough?")

    def _look_at_console(self, now: float) -> Verdict | None:
        if self._panic:  # behind it comes what called whom
            return self._crashed() if now - self._panic_at >= self.limits.last else None
        still = now - self._words_at if self._words_at >= 0 else 0.0
        heard = self._log_follows or still >= self.limits.logs
        if self._failed and heard:
            return self._steps_failed()
        prompt = self._console.waiting() if still >= self.limits.prompt else None
        if prompt and heard and (prompt.names or still >= self.limits.unsure):
            return self._waits(prompt)
        return self._stuck(now)

    def _waits(self, prompt: Prompt) -> Verdict:
        name = prompt.names[0] if prompt.names else ""
        question = self._catalogue.find(name) if name else None
        about = ERRORS.get(name)
        if about or (question and question.type == "error"):
            message = f"the installer gave up at {name}: {_title(prompt)}"
            hint = about.hint if about else "read its syslog and mend what it names"
            known = about.transient if about else None
            transient = looks_transient(self._logs) if known is None else known
            return Verdict("gave up", message, hint, transient, prompt)
        if question is None:
            message = f"the installer waits at a question that is not known: {_title(prompt)}"
            return Verdict("question", message, self._look, prompt=prompt)
        line = question_line(question, prompt)
        return Verdict("question", f"the installer waits at the question {name}", f"answer it: {line}", prompt=prompt)

    def _steps_failed(self) -> Verdict:
        hint = "what they printed is in domu-late.log or domu-early.log of /var/log, below /target in the installer"
        return Verdict("gave up", f"{self._failed}", hint, looks_transient(self._logs))

    def _stuck(self, now: float) -> Verdict | None:
        limits = self.limits
        if self._marker_at >= 0:
            if now - self._marker_at < limits.ending:
                return None
            message = f"the installation is complete, and its domain still runs after {limits.ending:.0f} s"
            return Verdict("stuck", message, f"{self._look}, then stop it: xl destroy {self._guest}")
        if self._heard_at >= 0 and now - max(self._heard_at, self._moved_at) >= limits.deaf:
            message = f"nothing was heard of the guest for {limits.deaf:.0f} s while it did this: {self.stage.title}"
            return Verdict("stuck", message, "does its domain get any CPU? xl list, xl top", transient=True)
        if now - self._moved_at >= limits.quiet:
            message = (
                f"neither console nor syslog nor disk have moved for {limits.quiet:.0f} s, at this: {self.stage.title}"
            )
            return Verdict("stuck", message, "read the end of its syslog", looks_transient(self._logs))
        return None


def _title(prompt: Prompt) -> str:
    """The question's own words: an error's title, else the last line."""
    lines = [line.strip() for line in prompt.text.splitlines() if line.strip()]
    error = next((line.removeprefix("!! ERROR: ") for line in lines if line.startswith("!! ERROR: ")), "")
    return error or (lines[-1] if lines else "(nothing is written above it)")
