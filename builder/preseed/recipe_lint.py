"""What partman-auto would take in silence and make something else of: findings about the words of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.findings import Finding, Findings, Place, Severity, did_you_mean
from builder.preseed.partman import RULES, read_amount
from builder.preseed.recipe import Line, Recipe
from builder.profile.model import Suite

# partman-auto's own signs: decode_recipe, ensure_primary, setup_partition (recipes.sh, auto-shared.sh), auto-lvm.sh,
# autopartition-crypto.
SIGNS = frozenset({
    "$primary", "$bootable", "$legacy_boot", "$default_filesystem", "$iflabel", "$reusemethod",
    "$lvmok", "$lvmignore", "$defaultignore", "$cryptoignore",
})  # fmt: skip
# Files that partman's parts read in a partition's folder, as far as a recipe has reason to set them.
FILES = frozenset({
    "method", "format", "formatable", "use_filesystem", "filesystem", "mountpoint", "label", "usage",
    "reserved_for_root", "subvol", "lv_name", "in_vg", "vg_name", "device", "raidid", "keep", "existing", "skip_erase",
    "crypto_type", "cipher", "keysize", "ivalgorithm", "keyhash", "keytype", "name",
})  # fmt: skip
# Filesystems that the suites' installers can make (partman-ext3, -btrfs, -xfs, -jfs, -basicfilesystems).
MADE = frozenset({
    "ext2", "ext2r0", "ext3", "ext4", "btrfs", "xfs", "jfs", "fat16", "fat32", "ntfs", "linux-swap",
})  # fmt: skip
# Fourth words that the stock recipes use for partitions without a filesystem; partman makes ext2 of them, harmlessly.
_NO_FILESYSTEM = frozenset({"free", "$default_filesystem", "raid", "lvm", "swap"})
_STAYS = "the installer then takes the minimum, so the partition does not grow"
_COLUMNS = (
    ("minimum", "the installer then asks for 2200000000 MB, so the recipe fits on no disk", Severity.ERROR),
    ("priority", _STAYS, Severity.WARNING),
    ("maximum", _STAYS, Severity.WARNING),
)
# partman looks for these words wherever they stand, so they count without braces, too.
_BARE = frozenset({"$lvmok", "$lvmignore", "$defaultignore", "$cryptoignore"})
# Any amount of RAM will do to see whether a word can be read.
_SOME_RAM = 1000


def lint_recipe(recipe: Recipe, suite: Suite, file: str = "") -> Findings:
    """Findings with the lines of `file`; what `parse_recipe` already found is not repeated."""
    findings = Findings()
    for line in recipe.lines:
        place = Place(file, line.number)
        findings.extend(_figures(line, place, takes_rest=line is _last_laid_out(recipe)))
        findings.extend(_filesystem(line, suite, place))
        findings.extend(_words(line, place))
        findings.extend(_use(line, place))
    specifiers = [specifier for line in recipe.lines for specifier in line.specifiers]
    if recipe.lines and ("mountpoint", "/") not in {(it.name, it.value) for it in specifiers}:
        message = "no partition is mounted at /, so the installer stops at partman-target/no_root"
        findings.add(
            Finding(
                "R113", message, "give one line mountpoint{ / }", Place(file, recipe.lines[0].number), Severity.WARNING
            )
        )
    return findings


def _last_laid_out(recipe: Recipe) -> Line:
    """The partition that ends where the disk does, whatever its figures say: the primary ones come first."""
    others = [line for line in recipe.lines if "$primary{" not in line.words]
    return (others or list(recipe.lines))[-1]


def _figures(line: Line, place: Place, *, takes_rest: bool) -> Iterator[Finding]:
    hint = "write MB as 500, a share of RAM as 20%, or both as 500+20%"
    for position, (name, consequence, severity) in enumerate(_COLUMNS):
        word = line.word(position)
        if word == "-1" and name == "maximum":
            continue
        if read_amount(word, _SOME_RAM) is None:
            seen = repr(word) if word else "missing"
            more = ", or -1 for unlimited" if name == "maximum" else ""
            yield Finding("R105", f"the {name} is {seen}: {consequence}", hint + more, place, severity)
        elif re.match(r"0[0-9]", word):
            message = f"the {name} {word!r} begins with 0, which the installer's shell takes for an octal number"
            yield Finding("R106", message, "remove the zero", place)
    amounts = [read_amount(line.word(position), 0) for position in range(3)]
    plain = all("%" not in line.word(position) for position in range(3))
    minimum, priority, maximum = amounts
    if plain and minimum is not None and maximum is not None and maximum < minimum:
        yield Finding(
            "R107",
            f"the maximum {maximum} is below the minimum {minimum}, which the installer takes instead",
            "write a larger maximum, or -1",
            place,
            Severity.WARNING,
        )
    if plain and minimum is not None and priority is not None and priority < minimum != maximum and not takes_rest:
        yield Finding(
            "R108",
            f"the priority {priority} is below the minimum {minimum}: this partition gets no share of free space",
            "write a priority above the minimum if it is to grow",
            place,
            Severity.NOTE,
        )


def _filesystem(line: Line, suite: Suite, place: Place) -> Iterator[Finding]:
    word = line.word(3)
    known = RULES[suite].filesystems | _NO_FILESYSTEM
    if word not in known and "biosgrub" not in line.words:  # whose partition is marked by its flag
        seen = repr(word) if word else "missing"
        message = (
            f"parted's filesystem (the fourth word) is {seen}, for which {suite} enters ext2 in the partition table"
        )
        yield Finding("R109", message, _one_of(word, known), place, Severity.WARNING)
    for specifier in line.specifiers:
        if specifier.name == "filesystem" and specifier.value not in MADE and "{" not in specifier.value:
            message = f"filesystem{{ {specifier.value} }} is none that the installer can make"
            yield Finding("R110", message, _one_of(specifier.value, MADE), place)


def _one_of(word: str, known: frozenset[str]) -> str:
    return did_you_mean(word, sorted(known)) or f"known: {' '.join(sorted(known))}"


def _words(line: Line, place: Place) -> Iterator[Finding]:
    inside = False
    for word in line.words[4:]:
        if inside:
            inside = word != "}"
        elif word.endswith("{"):
            inside = True
        elif word not in _BARE:
            message = f"the word {word!r} stands outside braces, where the installer skips it"
            near = did_you_mean(word, sorted(f"{name}{{ }}" for name in SIGNS | FILES))
            yield Finding(
                "R111", message, near or "write name{ value }, with blanks inside the braces", place, Severity.WARNING
            )
    for word in line.words:
        if re.search(r"[*?]", word) or "]" in word.partition("[")[2]:
            message = f"the installer's shell takes {word!r} for a file name pattern"
            yield Finding("R115", message, "write it without * ? [ ]", place, Severity.WARNING)
    for specifier in line.specifiers:
        if not specifier.closed or "{" in specifier.value:
            message = f"{specifier.name}{{ is not closed where it should be and swallows {specifier.value!r}"
            yield Finding("R112", message, "close it with a } that stands alone", place)
        if not specifier.name:
            message = f"the brace before {specifier.value!r} belongs to no name, so partman stops writing the partition"
            yield Finding("R114", message, "write name and brace as one word: mountpoint{ / }", place, Severity.WARNING)
            continue
        known = SIGNS if specifier.name.startswith("$") else FILES
        if specifier.name not in known and not specifier.name.startswith("options/"):
            message = f"the specifier {specifier.name}{{ }} is not known; the installer passes over it"
            hint = did_you_mean(specifier.name, sorted(SIGNS | FILES)) or f"known: {' '.join(sorted(known))}"
            yield Finding("R114", message, hint, place, Severity.WARNING)


def _use(line: Line, place: Place) -> Iterator[Finding]:
    values = {specifier.name: specifier.value for specifier in line.specifiers}
    if values.get("method") in {"format", "swap"} and "format" not in values:
        message = f"method{{ {values['method']} }} without format{{ }}: the partition is not formatted"
        yield Finding("R116", message, "add format{ }", place, Severity.WARNING)
    if "mountpoint" in values and "use_filesystem" not in values:
        message = f"mountpoint{{ {values['mountpoint']} }} without use_filesystem{{ }}: it is not mounted"
        yield Finding("R117", message, "add use_filesystem{ }", place, Severity.WARNING)
