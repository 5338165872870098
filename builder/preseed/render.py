"""Templates and one guest's context to a preseed. The one door to Jinja2: sandboxed, strict, and bounded.

A template reads no file but other templates, reaches no private attribute, and loops a limited number of times.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, UndefinedError, nodes
from jinja2 import Template as Compiled
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from builder.errors import RefusalError
from builder.findings import NOWHERE, Finding, Place, did_you_mean
from builder.preseed.context import PreseedContext
from builder.preseed.latecommands import HOME, Phase, Step, Where, path_of, scripts
from builder.preseed.quoting import UnfitValueError, debconf, literal, one_line, shell
from builder.profile.base import Model
from builder.secret import Secret

NAMES = tuple(
    sorted(
        {item.name for item in fields(PreseedContext)}
        | {name for name, value in vars(PreseedContext).items() if isinstance(value, cached_property)}
        | {"password", "host_key"}
    )
)
COLLECTED = ("early", "late", "file")
_FILTERS = """
    default first int items join last length list lower map reject rejectattr replace select selectattr sort string trim
    unique upper
"""
# The stock templates take some 60 turns for a guest with 25 volumes; a thousand times that is a mistake.
LOOP_LIMIT = 100_000
_FAULTS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, order=True)
class Template:
    """A template's text; `origin` is the path to show in messages."""

    name: str
    text: str
    origin: str

    @property
    def sha256(self) -> str:
        """Of the text's UTF-8 bytes."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A preseed and the files of the initrd that it needs (by absolute path; keep all of them mode 0600).

    `used` names every template that had a part in it, with its SHA-256, sorted.
    """

    text: str
    used: tuple[tuple[str, str], ...]
    files: Mapping[str, str] = field(default_factory=dict)


class _TooLongError(Exception):
    """The templates loop without end, or nearly."""


class _Unknown(StrictUndefined):
    """An unknown name; its message's second line, if any, says which name was meant."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name = str(self._undefined_name)
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is missing:
            return f"{name!r} is not a name that templates know\n{did_you_mean(name, [*NAMES, *COLLECTED])}"
        if isinstance(self._undefined_obj, Mapping):
            return f"there is no {name!r} here\n{did_you_mean(name, map(str, self._undefined_obj))}"
        owner = type(self._undefined_obj)
        known = [word for word in dir(owner) if not word.startswith("_")]
        known += getattr(owner, "model_fields", {})
        return f"{owner.__name__} has no {name!r}\n{did_you_mean(name, known)}"


class _Sandbox(ImmutableSandboxedEnvironment):
    """Counts what a rendering does: templates used, turns of loops."""

    def __init__(self, templates: Mapping[str, Template]) -> None:
        super().__init__(
            loader=FunctionLoader(lambda name: self._source(templates, name)),
            undefined=_Unknown,
            finalize=self._printed,
            autoescape=False,  # preseeds and scripts are no HTML; every value is quoted by a filter
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=-1,
        )
        own = {"debconf": debconf, "shell": shell, "reveal": self._reveal, "counted": self._counted}
        self.filters = {name: self.filters[name] for name in _FILTERS.split()} | own
        self.globals = {name: self.globals[name] for name in ("range", "namespace")}
        self.used: set[str] = set()
        self.turns = 0

    def begin(self) -> None:
        """Forget the rendering before."""
        self.used, self.turns = set(), 0

    @staticmethod
    def _source(templates: Mapping[str, Template], name: str) -> tuple[str, str, Callable[[], bool]] | None:
        template = templates.get(name)
        return (template.text, template.origin, lambda: True) if template else None

    def _load_template(self, name: str, globals: Any) -> Compiled:  # noqa: A002 (Jinja2's own name for it)
        self.used.add(name)
        return super()._load_template(name, globals)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Have every loop count its turns."""
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
        return tree

    def _counted(self, items: Iterable[object]) -> Iterator[object]:
        for item in items:
            self.turns += 1
            if self.turns > LOOP_LIMIT:
                raise _TooLongError
            yield item

    @staticmethod
    def _reveal(value: object) -> str:
        if not isinstance(value, Secret):
            raise UnfitValueError(f"reveal is for secrets; {literal(value)!a} is none")
        return value.reveal()

    @staticmethod
    def _printed(value: object) -> str:
        if isinstance(value, Secret):
            raise UnfitValueError("a secret is written only by the filter reveal, as in {{ password('...')|reveal }}")
        return one_line(value)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """No secret's text, and nothing of what pydantic adds to a model (parse_file opens files)."""
        if isinstance(obj, Secret) or (isinstance(obj, Model) and hasattr(Model, attr)):
            return False
        return super().is_safe_attribute(obj, attr, value)


class _Collector:
    """What templates set aside: `{% call late("name") %}script{% endcall %}`, early and file likewise."""

    def __init__(self) -> None:
        self.steps: dict[Phase, list[Step]] = {"early": [], "late": []}
        self.files: dict[str, str] = {}

    def early(self, name: str, *, caller: Callable[[], str]) -> str:
        """A step before anything else: no network, no disk."""
        self.steps["early"].append(Step(name, caller()))
        return ""

    def late(self, name: str, where: Where = "installer", *, caller: Callable[[], str]) -> str:
        """A step when the system is installed, below /target or, with `where` target, inside it."""
        self.steps["late"].append(Step(name, caller(), where))
        return ""

    def file(self, path: str, *, caller: Callable[[], str]) -> str:
        """A file of the initrd, below /domu."""
        if not re.fullmatch(rf"{HOME}(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+", path):
            raise UnfitValueError(f"{path!a} is no plain path below {HOME}")
        if path in self.files:
            raise UnfitValueError(f"{path} is written twice")
        self.files[path] = caller()
        return ""


@lru_cache(maxsize=4)
def _sandbox(templates: tuple[Template, ...]) -> _Sandbox:
    return _Sandbox({template.name: template for template in templates})


def render_preseed(context: PreseedContext, templates: Mapping[str, Template]) -> Rendered:
    """The preseed of one guest by its own template; the same inputs give the same bytes.

    RefusalError, with a finding at the template's file and line, for what the template does wrong.
    """
    sandbox = _sandbox(tuple(sorted(templates.values())))
    sandbox.begin()
    collector = _Collector()
    names: dict[str, Any] = {name: getattr(context, name) for name in NAMES}
    names |= {name: getattr(collector, name) for name in COLLECTED}
    start = context.guest.template
    try:
        text = sandbox.get_template(start).render(names)
        called = _phases_called(text, collector)
    except (TemplateError, UnfitValueError, _TooLongError, *_FAULTS) as error:
        finding = _finding(error, templates, context.guest.name)
        raise RefusalError(f"{context.guest.name}: {start} cannot be rendered", [finding]) from error
    files = dict(collector.files)
    for phase in called:
        files |= scripts(phase, context.guest.name, collector.steps[phase])
    used = tuple((name, templates[name].sha256) for name in sorted(sandbox.used & templates.keys()))
    return Rendered(text, used, dict(sorted(files.items())))


def _phases_called(text: str, collector: _Collector) -> list[Phase]:
    """The phases whose script the preseed runs; steps that no line runs would be lost without a word."""
    called: list[Phase] = []
    for phase, steps in collector.steps.items():
        lines = re.findall(rf"^d-i[ \t]+preseed/{phase}_command[ \t].*", text, re.MULTILINE)
        if lines and path_of(phase) in lines[-1]:  # of two answers the installer keeps the later one
            called.append(phase)
        elif steps:
            raise UnfitValueError(
                f"the {phase} step {steps[0].name!r} would never run\n"
                f"include {phase}.j2 and give no other answer to preseed/{phase}_command than: sh {path_of(phase)}"
            )
    return called


def _finding(error: Exception, templates: Mapping[str, Template], guest: str) -> Finding:
    """The error in the user's words, at the line of the template that raised it."""
    place = _place(error.__traceback__, templates)
    message, _, hint = str(error).partition("\n")
    code = "T104"
    match error:
        case TemplateSyntaxError():
            code = "T101"
            place = Place(error.filename or error.name or "", error.lineno)
            message = error.message or "is no template"
        case TemplateNotFound():
            code = "T103"
            message = f"there is no template {error.name!r}"
            hint = did_you_mean(str(error.name), templates) or "put it into preseeds/, or correct the name"
        case SecurityError():
            code, hint = "T105", "a template reads the guest's fields, and no file, private attribute or method"
        case UndefinedError():
            code = "T102"
        case _TooLongError():
            code, message = "T106", f"the loops of the templates take more than {LOOP_LIMIT} turns"
        case RecursionError():
            code, message = "T106", "templates include or call themselves without end"
        case _:
            message = message or type(error).__name__
    return Finding(code, message, hint, place, guest=guest)


def _place(traceback: TracebackType | None, templates: Mapping[str, Template]) -> Place:
    """Jinja2 rewrites tracebacks so that a template's frames carry its own file name and line."""
    origins = {template.origin for template in templates.values()}
    place = NOWHERE
    while traceback:
        file = traceback.tb_frame.f_code.co_filename
        if file in origins:
            place = Place(file, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
