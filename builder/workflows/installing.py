"""An installation, from the start of its domain to a verdict; gone on with where a run left it, never begun twice."""

from __future__ import annotations

from builder.errors import BuilderError
from builder.host.console import Tail, end_of, read_from
from builder.host.files import write_atomic
from builder.host.rebuild.domains import create_domain, destroy_domain
from builder.host.run import Runner
from builder.host.xl import ask, list_domains
from builder.plan.going_on import TROUBLE, may_try_again, pause_before, way_to_install
from builder.plan.journal import Failed
from builder.plan.steps import Install, span
from builder.plan.watch import InstallWatch, Verdict, installer_domain, kept_logs
from builder.workflows.bench import Bench, Book, StepError, Subject, note_of, place_in
from builder.xen.readings import Domain, read_domains

# Seconds. Between two looks at the console, and at xl; how long xl may take to make a domain, and be mute.
_CONSOLE, _XL, _MAKING, _MUTE = 1.0, 5.0, 120.0, 300.0


class Installation:
    """The step `Install` of one guest's run."""

    def __init__(self, step: Install, subject: Subject, book: Book, bench: Bench) -> None:
        self.step, self.subject, self.book, self.bench = step, subject, book, bench
        self.log = bench.console_of(step.guest)
        started = book.run.started
        self.attempt = started.attempt if started else 1
        self.place = place_in(started.note if started else {})

    def carry_out(self) -> None:
        """To its end. StepError when it failed for good, BuilderError when xl does; then the domain stays as it is."""
        begun = self._is_begun()
        while True:
            if begun:
                verdict = self._go_on()
            else:
                self._begin()
                verdict = self._watch()
            if verdict is None:
                self.attempt, begun = self.attempt + 1, False
                continue
            self._keep_logs()
            if verdict.kind == "finished":
                return
            if not may_try_again(self.book.run.attempts, transient=verdict.transient):
                raise StepError(verdict.message, verdict.hint, verdict.kind)
            self._fail(verdict)
            self.attempt, begun = self.attempt + 1, False

    def _is_begun(self) -> bool:
        """Whether an attempt was, and nobody wrote down how it ended; else the next one is numbered."""
        run = self.book.run
        if run.in_doubt or (run.failure and run.failure.reason == TROUBLE):
            return True
        if run.started:
            self.attempt += 1
        return False

    def _fail(self, verdict: Verdict) -> None:
        """Write down that this attempt failed, and wait for the next."""
        now, number = self.bench.clock.now(), self.book.number
        self.book.write(Failed(number, now, verdict.kind, verdict.message, verdict.hint))
        seconds = pause_before(self.attempt + 1)
        self.bench.progress.say(f"{self.step.guest}: {verdict.message}; it is tried again in {seconds:.0f} s")
        self.bench.clock.pause(seconds)

    def _domain(self) -> Domain | None:
        return installer_domain(list_domains(self.bench.runner), self.step.guest, self.step.uuid)

    def _begin(self) -> None:
        """Away with what an earlier attempt left, then a new domain."""
        if way_to_install(self.subject.guest, self._domain(), begun=False) == "destroy":
            self._destroy()
        self.place = end_of(self.log)
        self.book.start(attempt=self.attempt, note=note_of(self.place))
        self.bench.progress.stage(self.step.guest, "start the installer", 0)
        create_domain(self.bench.runner, self.step.config)

    def _destroy(self) -> None:
        """The domain of our UUID, or the one that crashed and was kept under another."""
        if domain := self._domain():
            destroy_domain(self.bench.runner, self.bench.clock, domain.uuid)

    def _go_on(self) -> Verdict | None:
        """The verdict on the attempt that is in doubt; None when another one is to begin."""
        end = self.bench.clock.seconds() + _MAKING
        while (way := way_to_install(self.subject.guest, self._domain(), begun=True)) == "wait":
            if self.bench.clock.seconds() > end:
                self._destroy()
                return None
            self.bench.clock.pause(_CONSOLE)
        self.book.start(attempt=self.attempt, note=note_of(self.place))
        if way == "watch":
            self.bench.progress.say(f"{self.step.guest}: going on with the installation that was begun")
            return self._watch()
        if _finished(self._new_watch(), read_from(self.log, self.place)):
            return Verdict("finished", "it was complete")
        self._destroy()
        return None

    def _new_watch(self) -> InstallWatch:
        return InstallWatch(self.step.guest, self.subject.catalogue)

    def _watch(self) -> Verdict:
        """Follow the console until there is a verdict."""
        with Tail(self.log, self.place) as tail:
            return self._follow(tail)

    def _follow(self, tail: Tail) -> Verdict:
        clock, watch = self.bench.clock, self._new_watch()
        begun = heard = looked = clock.seconds()
        domain = self._domain()
        while True:
            now = clock.seconds()
            if text := tail.read():
                watch.feed(text, now)
            if now - looked >= _XL or domain is None:
                looked = now
                try:
                    domain, heard = _seen(self.bench.runner, self.step), now
                except BuilderError:
                    if now - heard > _MUTE:
                        raise
            if verdict := watch.look(now, domain):
                return verdict
            if now - begun > self.step.limit:
                message = f"it was not complete after {span(self.step.limit)}: {watch.stage.title}"
                return Verdict("stuck", message, f"look at its console: xl console -t pv {self.step.guest}")
            self.bench.progress.stage(self.step.guest, watch.stage.title, watch.stage.overall)
            clock.pause(_CONSOLE)

    def _keep_logs(self) -> None:
        """The console of all attempts, and the installer's logs that came with it."""
        console = read_from(self.log, place_in(self.book.run.first_note(self.book.number)))
        for name, text in {"console": console, **kept_logs(console)}.items():
            write_atomic(self.book.folder / f"{name}.txt", text.encode(errors="replace"), mode=0o600)


def _seen(runner: Runner, step: Install) -> Domain | None:
    """As xl has it now; the short list is enough, and takes half the time."""
    return installer_domain(read_domains(ask(runner, "list", "--verbose").text), step.guest, step.uuid)


def _finished(watch: InstallWatch, console: str) -> bool:
    """Whether an installation that is over ended well."""
    watch.feed(console, 0.0)
    watch.look(0.0, None)
    verdict = watch.look(3600.0, None)
    return verdict is not None and verdict.kind == "finished"
