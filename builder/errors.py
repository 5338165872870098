"""One family of errors. Only `cli` catches it: message and hint for the person, exit status 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.findings import Finding


class BuilderError(Exception):
    """What went wrong, in the user's words, and the next thing to do (`hint`, may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class RefusalError(BuilderError):
    """Nothing was done, for the reasons in `findings` (at least one of severity error)."""

    def __init__(self, message: str, findings: Iterable[Finding], hint: str = "") -> None:
        super().__init__(message, hint)
        self.findings = tuple(findings)
