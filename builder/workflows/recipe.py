"""`domu recipe`: what partman would make of a recipe, and what is wrong with it. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from builder.errors import BuilderError
from builder.findings import Finding, Findings, Place
from builder.preseed.layout import Layout, least_disk, predict
from builder.preseed.partman import Machine
from builder.preseed.recipe import parse_recipe
from builder.preseed.recipe_lint import lint_recipe
from builder.preseed.stock import fallback_name
from builder.units import Size


@dataclass(frozen=True, slots=True)
class Forecast:
    """The layout, what the recipe's text and the layout gave to say, and the stock recipe that d-i would take instead
    (empty when the recipe fits, or when none of them does either).
    """

    layout: Layout
    findings: Findings
    instead: str = ""


def forecast(content: bytes, file: str, machine: Machine, disk: Size) -> Forecast:
    """Read a recipe and predict; BuilderError when it is no text."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BuilderError(f"{file} is not UTF-8 text: byte {error.start} is {content[error.start]:#04x}") from error
    recipe, findings = parse_recipe(text, file)
    findings.extend(lint_recipe(recipe, machine.suite, file))
    layout = predict(recipe, machine, disk)
    if layout.fits and not layout.problem:
        return Forecast(layout, findings)
    least = least_disk(recipe, machine)
    hint = f"it needs {least.bytes // 1_000_000}MB" if least else "no disk is large enough"
    if layout.problem:
        findings.add(Finding("R304", f"partman stops in the middle: {layout.problem}", hint, Place(file)))
        return Forecast(layout, findings)
    instead = fallback_name(machine, disk) or ""
    then = f"takes the stock recipe {instead!r} in silence" if instead else "stops at the error partman-auto/no_recipe"
    message = f"the recipe does not fit on {disk.bytes} bytes ({disk.human}): the installer {then}"
    findings.add(Finding("R303", message, hint, Place(file)))
    return Forecast(layout, findings, instead)
