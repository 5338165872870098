"""One guest's run, from its first step that is not done to the last: each written down before and after."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding, Severity
from builder.host.clock import StopRequestError
from builder.host.console import end_of, read_from
from builder.host.files import write_atomic
from builder.host.lvm import carry_out, read_storage, settle
from builder.host.rebuild.answers import command_succeeds, port_answers
from builder.host.rebuild.domains import create_domain, destroy_domain, domain_with_config, find_domain, stop_domain
from builder.host.rebuild.files import place_files
from builder.host.rebuild.hook import run_hook
from builder.host.rebuild.journal import GuestJournal
from builder.host.remove import remove_files, remove_link
from builder.host.xl import xen_log
from builder.plan.going_on import TROUBLE, asks_for_login, way_to_start, weigh
from builder.plan.journal import Done, Ended, Failed, Run, Started, Stopped
from builder.plan.steps import (
    SSH,
    ChangeVolume,
    DestroyDomain,
    Install,
    PlaceFiles,
    RemoveFiles,
    RemoveLink,
    RunHook,
    Start,
    Step,
    StopDomain,
    Wait,
    span,
    title,
)
from builder.progress import Silence
from builder.storage.cut_off import rest_of
from builder.workflows.bench import Bench, Book, StepError, Subject, note_of, place_in
from builder.workflows.installing import Installation

# Seconds: between two looks whether a guest answers; how long its domain may be away while it restarts; how long a
# program that a run was cut off in may be at work yet.
_LOOK, _AWAY, _ORPHAN = 2.0, 60.0, 30.0


@dataclass(frozen=True, slots=True)
class GuestEnd:
    """How a run on a guest stands when domu leaves it; message and hint where it failed.

    `findings`: what is not as its profile says, though it was rebuilt.
    """

    run: Run
    folder: Path
    message: str = ""
    hint: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """It is ready, and as its profile says as far as that is known."""
        return self.run.state == "done" and all(one.severity is not Severity.ERROR for one in self.findings)


def rebuild_guest(run: Run, subject: Subject, journal: GuestJournal, bench: Bench, *, end: str = "ready") -> GuestEnd:
    """Carry out what is left of the run, which the journal has. A failure or a stop is written down and returned.

    `end`: what the guest is then, in a word. Raises BuilderError when the journal cannot be written.
    """
    book = Book(journal, run, bench.clock)
    steps = _Steps(subject, book, bench)
    guest = subject.guest.name
    while book.number < len(book.run.begun.steps):
        step = book.step
        bench.progress.expect(guest, subject.estimate.left(book.number, book.elapsed))
        bench.progress.stage(guest, title(step))
        try:
            bench.clock.look()
            steps.bring_back()
            steps.carry_out(step)
        except StopRequestError as error:
            book.write(Stopped(bench.clock.now(), error.message))
            bench.progress.ended(guest, f"stopped at: {title(step)}", ready=False)
            return GuestEnd(book.run, book.folder, error.message, error.hint)
        except BuilderError as error:
            _write_failure(book, error, bench)
            _keep_xens_log(book, bench)
            bench.progress.ended(guest, f"failed at: {title(step)}", ready=False)
            return GuestEnd(book.run, book.folder, _told(error), error.hint)
        book.write(Done(book.number, bench.clock.now()))
    steps.bring_back()
    findings = _verify(book, subject, bench)
    counts = Counter(f"{finding.severity.word}s" for finding in findings)
    book.write(Ended(bench.clock.now(), "done", counts))
    bench.progress.ended(guest, end, ready=True)
    return GuestEnd(book.run, book.folder, findings=findings)


def _verify(book: Book, subject: Subject, bench: Bench) -> tuple[Finding, ...]:
    """Compare the guest with its profile; what was found is kept with the run."""
    if subject.verify is None:
        return ()
    bench.progress.stage(subject.guest.name, "compare it with its profile")
    findings = weigh(subject.verify())
    text = "".join(f"{finding}\n" for finding in findings)
    write_atomic(book.folder / "verify.txt", text.encode(errors="replace"), mode=0o600)
    return findings


def _write_failure(book: Book, error: BuilderError, bench: Bench) -> None:
    if book.run.in_doubt is None:
        book.start(attempt=book.run.started.attempt if book.run.started else 1)
    reason = error.reason if isinstance(error, StepError) else TROUBLE
    book.write(Failed(book.number, bench.clock.now(), reason, _told(error), error.hint))
    book.write(Ended(bench.clock.now(), "failed"))


def _keep_xens_log(book: Book, bench: Bench) -> None:
    """Where a domain did not do what it should. It is an aid: what stands in its way is told, and nothing more."""
    if isinstance(book.step, Install | Start | Wait):
        try:
            write_atomic(book.folder / "xen.txt", xen_log(bench.runner), mode=0o600)
        except BuilderError as error:
            bench.progress.say(f"{book.run.begun.guest}: Xen's log was not kept: {error.message}")


def _told(error: BuilderError) -> str:
    """The message, with the reasons of a refusal."""
    reasons = [finding.message for finding in error.findings] if isinstance(error, RefusalError) else []
    return ": ".join([error.message, *reasons])


class _Steps:
    """Each kind of step carried out, and gone on with where it is in doubt."""

    def __init__(self, subject: Subject, book: Book, bench: Bench) -> None:
        self.subject, self.book, self.bench = subject, book, bench
        self.gone_on = bool(book.run.records)

    def carry_out(self, step: Step) -> None:
        """Done when this returns. StepError or BuilderError when it failed."""
        match step:
            case StopDomain():
                self.book.start()
                stop_domain(self.bench.runner, self.bench.clock, step.uuid, step.limit)
            case DestroyDomain():
                self.book.start()
                destroy_domain(self.bench.runner, self.bench.clock, step.uuid)
            case ChangeVolume():
                self._change_volume(step)
            case PlaceFiles():
                self.book.start()
                place_files(self.subject.build, step.folder, self.subject.digests, self.bench.root)
            case Install():
                Installation(step, self.subject, self.book, self.bench).carry_out()
            case Start():
                self._start(step)
            case Wait():
                self.book.start()
                self._wait(step)
            case RunHook():
                self._run_hook(step)
            case RemoveLink():
                self.book.start()
                remove_link(self.bench.root, step.path, step.target)
            case RemoveFiles():
                self.book.start()
                remove_files(self.bench.root, step.folder, step.names)
            case _:
                assert_never(step)

    def _change_volume(self, step: ChangeVolume) -> None:
        """As planned; or what is left of it, once more while a program of the run before may still be at it."""
        bench, doubt = self.bench, self.book.run.in_doubt is not None
        self.book.start()
        end = bench.clock.seconds() + (_ORPHAN if doubt else 0.0)
        while True:
            settle(bench.runner)
            todo = rest_of(step.step, read_storage(bench.runner, bench.root)) if doubt else step.step
            try:
                carry_out([todo] if todo else [], progress=Silence(), runner=bench.runner, root=bench.root)
            except BuilderError:
                if bench.clock.seconds() >= end:
                    raise
                bench.clock.pause(_LOOK)
            else:
                return

    def _start(self, step: Start) -> None:
        self.book.start(note=note_of(end_of(self.bench.console_of(step.guest))))
        self._see_to_domain(step)

    def _see_to_domain(self, step: Start) -> bool:
        """Make the domain, unless it is there; whether it was made."""
        bench, guest = self.bench, self.subject.guest
        end = bench.clock.seconds() + _ORPHAN * 4
        while (way := way_to_start(guest, domain_with_config(bench.runner, step.uuid))) == "wait":
            if bench.clock.seconds() > end:
                break  # xl was ended while it made it
            bench.clock.pause(_LOOK)
        if way == "refuse":
            raise StepError(
                "its installer runs, though it was installed", f"look at its console: xl console -t pv {step.guest}"
            )
        if way in {"destroy", "wait"}:
            destroy_domain(bench.runner, bench.clock, step.uuid)
        if way != "runs":
            create_domain(bench.runner, step.config)
        return way != "runs"

    def bring_back(self) -> None:
        """In a run that is gone on with: see to it that what was started runs and what answered answers.

        dom0 may have gone down meanwhile, and xendomains may have started the guest a moment ago.
        """
        gone_on, self.gone_on = self.gone_on, False
        for step in self.book.run.begun.steps[: self.book.number] if gone_on else ():
            if isinstance(step, Start) and self._see_to_domain(step):
                self.bench.progress.say(f"{step.guest}: its domain was gone, and is started again")
            elif isinstance(step, Wait):
                self._wait(step)

    def _wait(self, step: Wait) -> None:
        """Until the guest answers; what it said until then is kept."""
        try:
            self._wait_for_answer(step)
        finally:
            self._keep_console()

    def _wait_for_answer(self, step: Wait) -> None:
        clock = self.bench.clock
        begun = there = clock.seconds()
        while not self._answers(step):
            now = clock.seconds()
            if find_domain(self.bench.runner, self.subject.guest.domain_uuid):
                there = now
            if now - there > _AWAY:
                hint = f"read {self.book.folder}/boot.txt; domu boot {step.guest}"
                raise StepError("its domain ended before it answered", hint, "gone")
            if now - begun > step.limit:
                raise self._silence(step)
            clock.pause(_LOOK)

    def _silence(self, step: Wait) -> StepError:
        message = f"it did not answer within {span(step.limit)}"
        hint = f"read {self.book.folder}/boot.txt, or look: xl console {step.guest}; the same command waits on"
        if asks_for_login(step.guest, self._boot_console()):
            message += ", though its console asks for a login"
            hint = f"has dom0 a way to it? if it is to have none, write ready: {{console: true}}; {hint}"
        return StepError(message, hint, "silent")

    def _answers(self, step: Wait) -> bool:
        if step.command:
            return command_succeeds(self.bench.runner, self._argv(step.command), self._environment(step))
        if step.address:
            return port_answers(step.address, step.port, greets=step.port == SSH)
        return asks_for_login(step.guest, self._boot_console())

    def _boot_console(self) -> str:
        """What the installed system has said on its console."""
        starts = [number for number, step in enumerate(self.book.run.begun.steps) if isinstance(step, Start)]
        log = self.bench.console_of(self.subject.guest.name)
        places = [place_in(self.book.run.first_note(number)) for number in starts]
        return "".join(read_from(log, place) for place in places).replace("\r", "")

    def _keep_console(self) -> None:
        said = self._boot_console().encode(errors="replace")
        write_atomic(self.book.folder / "boot.txt", said, mode=0o600)

    def _run_hook(self, step: RunHook) -> None:
        """Once, or once more where a run was cut off in it or it failed."""
        again = any(isinstance(one, Started) and one.step == self.book.number for one in self.book.run.records)
        self.book.start()
        log = self.book.folder / f"hook-{step.number}.txt"
        status = run_hook(
            self._argv(step.command),
            env=self._environment(step) | ({"DOMU_AGAIN": "1"} if again else {}),
            limit=step.limit,
            log=log,
            lock=self.book.journal.folder / "hook.lock",
            pause=self.bench.clock.pause,
        )
        if status != 0:
            hint = f"read {log}; the same command runs it again, and nothing else"
            raise StepError(f"{step.command[0]} ended with status {status}", hint, "hook")

    def _argv(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """A relative path of a program is one of the site's."""
        program, *words = command
        return (str(self.bench.home / program) if "/" in program else program, *words)

    def _environment(self, step: Wait | RunHook) -> dict[str, str]:
        return {"DOMU_GUEST": step.guest, "DOMU_ADDRESS": step.address, "DOMU_RUN": self.book.run.id}
