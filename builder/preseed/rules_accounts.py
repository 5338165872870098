"""Rules about accounts and secrets: what the installer makes of them, and who else may read them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.findings import Severity
from builder.preseed.commands import LONGEST, command_entries
from builder.preseed.given import Given
from builder.preseed.rule import Failing, Problem, Rule, Subject
from builder.preseed.rules_values import is_placeholder, value_of
from builder.preseed.syntax import Entry

_WHO = ("root", "user")
_HASHES = ("passwd/root-password-crypted", "passwd/user-password-crypted")
# crypt(5): prefix and shape of each method that Debian's libcrypt reads.
_STRONG = re.compile(r"\$(y|gy|7|2[abxy]|6)\$.+\$?[./A-Za-z0-9]{20,}")
_SHA256 = re.compile(r"\$5\$(rounds=[0-9]+\$)?[^$:]{1,16}\$[./A-Za-z0-9]{43}")
_WEAK = re.compile(r"\$1\$[^$:]{0,8}\$[./A-Za-z0-9]{22}|\$(md5|sha1|3)\$.+|_[./A-Za-z0-9]{19}|[./A-Za-z0-9]{13}")
_NO_LOGIN = frozenset({"!", "*", "!!", "x", "!*"})
_PASSWORD_IN_URL = re.compile(r"://[^\s/@:]+:[^\s/@]+@")
_LONGEST_HASH = 400  # signs; crypt(5) gives 384 at most
_PLAIN_HTTP = re.compile(r"http://[^\s'\"|;&)]+", re.IGNORECASE)
_SHELL = re.compile(r"\s*(?:in-target\s+|chroot\s+\S+\s+)?(?:/bin/)?(?:ba|da)?sh\b")
_FETCHES = re.compile(r"\b(?:wget|curl|fetch-url)\s")


def _of(subject: Subject, name: str) -> Iterator[tuple[Entry, str]]:
    for entry in subject.by_question.get(name, ()):
        if value := value_of(entry):
            yield entry, value


def _pipelines(command: str) -> Iterator[list[str]]:
    """The parts of each pipeline, roughly: quotes are not looked at."""
    for statement in re.split(r"[;&]|\|\|", command[:LONGEST]):
        if "|" in statement:
            yield statement.split("|")


def _gives_password(parts: list[str]) -> bool:
    """`echo NAME:PASSWORD | chpasswd`, in the target or not, without `-e`."""
    told = any(re.match(r"\s*(?:echo|printf)\s", part) and ":" in part for part in parts[:-1])
    taken = re.search(r"\bchpasswd\b(?P<rest>.*)", parts[-1])
    return told and taken is not None and not re.search(r"\s(?:-e|--encrypted)\b", taken["rest"])


def _runs_fetched(parts: list[str]) -> bool:
    """`wget http://... | sh`."""
    fetched = any("http://" in part and _FETCHES.search(part) for part in parts[:-1])
    return fetched and any(_SHELL.match(part) for part in parts[1:])


def _plain_password(subject: Subject) -> Iterator[Problem]:
    for who in _WHO:
        for entry, value in _of(subject, f"passwd/{who}-password"):
            if not is_placeholder(value):
                message = f"{who}'s password stands here in plain text"
                yield Problem(
                    entry.value.start, message, f"write the hash: passwd/{who}-password-crypted; domu passwd makes one"
                )
    for entry, command in command_entries(subject.by_question):
        if any(_gives_password(parts) for parts in _pipelines(command)):
            yield Problem(
                entry.value.start, "a password stands in this command in plain text", "use chpasswd -e and a hash"
            )


def _other_password(subject: Subject) -> Iterator[Problem]:
    for entry, question in subject.known:
        said_before = question.name.startswith("passwd/") or question.name.endswith(("again", "-crypted"))
        if question.type == "password" and not said_before and value_of(entry):
            message = f"{question.name} is a secret, readable by whoever can read this file"
            yield Problem(entry.value.start, message, "set it in the installed system, or keep the file private")


def _weak_hash(subject: Subject) -> Iterator[Problem]:
    for name in _HASHES:
        for entry, value in _of(subject, name):
            if _WEAK.fullmatch(value) and not is_placeholder(value):
                message = "the hash is of an old kind (DES, MD5 or SHA-1), which is quickly guessed"
                yield Problem(entry.value.start, message, "make one of yescrypt or SHA-512: domu passwd")


def _sha256_hash(subject: Subject) -> Iterator[Problem]:
    for name in _HASHES:
        for entry, value in _of(subject, name):
            if _SHA256.fullmatch(value):
                yield Problem(entry.value.start, "the hash is a SHA-256 one", "yescrypt resists longer: domu passwd")


def _no_hash(subject: Subject) -> Iterator[Problem]:
    for name in _HASHES:
        for entry, value in _of(subject, name):
            short = len(value) <= _LONGEST_HASH
            known = short and (_STRONG.fullmatch(value) or _SHA256.fullmatch(value) or _WEAK.fullmatch(value))
            if not known and value not in _NO_LOGIN and not is_placeholder(value):
                message = "this is no crypt hash, so no password will fit it"
                yield Problem(entry.value.start, message, "make one: domu passwd; * is an account without a password")


def _locked_root(subject: Subject) -> Iterator[Problem]:
    entry = subject.last("passwd/root-password-crypted")
    if entry and value_of(entry) == "!" and subject.value("passwd/root-login", "true") != "false":
        message = "user-setup takes ! for no answer and asks for root's password"
        yield Problem(entry.value.start, message, "write * instead, or d-i passwd/root-login boolean false")


def _both_passwords(subject: Subject) -> Iterator[Problem]:
    for who in _WHO:
        plain, crypted = (subject.last(f"passwd/{who}-password{end}") for end in ("", "-crypted"))
        if plain and crypted and value_of(plain) and value_of(crypted):
            message = f"{who}'s password is given as a hash, too (line {crypted.line}), and the hash wins"
            yield Problem(plain.question.start, message, "remove the plain one")


def _mistyped_again(subject: Subject) -> Iterator[Problem]:
    for who in _WHO:
        first, again = (subject.last(f"passwd/{who}-password{end}") for end in ("", "-again"))
        if first and again and value_of(first) != value_of(again):
            message = f"differs from line {first.line}: the installer stops at user-setup/password-mismatch"
            yield Problem(again.value.start, message, "write the same password twice, or a hash once")


def _nobody(subject: Subject) -> Iterator[Problem]:
    root, user = (subject.last(f"passwd/{name}") for name in ("root-login", "make-user"))
    if root and user and value_of(root) == "false" and value_of(user) == "false":
        message = "without root's login the installer makes a user all the same, and asks who that is"
        yield Problem(
            max(root, user).question.start, message, "let root log in, or name a user and write make-user true"
        )


def _unmade_user(subject: Subject) -> Iterator[Problem]:
    if subject.value("passwd/make-user") == "false" and subject.value("passwd/root-login", "true") != "false":
        for name in ("username", "user-fullname", "user-password", "user-password-crypted"):
            if (entry := subject.last(f"passwd/{name}")) and value_of(entry):
                message = "no user is made (passwd/make-user false), so this is not looked at"
                yield Problem(entry.question.start, message, "remove it, or write make-user true")
                return


def _unused_root(subject: Subject) -> Iterator[Problem]:
    if subject.value("passwd/root-login") == "false":
        for end in ("", "-crypted"):
            entry = subject.last(f"passwd/root-password{end}")
            if entry and value_of(entry) not in {"", "!", "*"}:
                message = "root may not log in (passwd/root-login false), so the password is thrown away"
                yield Problem(entry.question.start, message, "remove it, or write root-login true")


def _secret_over_network(subject: Subject) -> Iterator[Problem]:
    if subject.given.loading != "network":
        return
    for entry, question in subject.known:
        if question.type == "password" and len(value_of(entry)) > 1 and not is_placeholder(value_of(entry)):
            message = "whoever can fetch this file, or sees it pass by http, can read this or try passwords on it"
            yield Problem(
                entry.question.start, message, "serve the file by https to the guest alone, or use the initrd"
            )
            return


def _loaded_by_http(subject: Subject) -> Iterator[Problem]:
    for name in ("preseed/url", "preseed/include", "preseed/run"):
        entry = subject.last(name)
        if entry and (match := _PLAIN_HTTP.search(entry.value.text)) and not subject.value(f"{name}/checksum"):
            message = f"{match[0]} comes by http, where anybody on the way can put another in its place"
            yield Problem(entry.value.start, message, f"use https, or give {name}/checksum (MD5 is all it knows)")


def _run_by_http(subject: Subject) -> Iterator[Problem]:
    for entry, command in command_entries(subject.by_question):
        if any(_runs_fetched(parts) for parts in _pipelines(command)):
            message = "a script is fetched by http and run as root: anybody on the way can put another in its place"
            yield Problem(entry.value.start, message, "put it into the initrd, use https, or compare its SHA-256 first")


def _password_in_url(subject: Subject) -> Iterator[Problem]:
    for entry in subject.settings:
        match = _PASSWORD_IN_URL.search(entry.value.text) if "://" in entry.value.text else None
        if match and not is_placeholder(match[0]):
            message = "a URL with a password, which the installer also writes into logs and sources.list"
            yield Problem(entry.value.start, message, "use an address that needs none")


_HASH = b"$6$saltsaltsalt$" + b"a" * 86
_MD5 = b"$1$saltsalt$" + b"a" * 22
_ROOT = b"d-i passwd/root-password-crypted password "

RULES = (
    Rule(
        "L401",
        Severity.WARNING,
        "A plain password",
        _plain_password,
        "Whoever can read the file knows it. The installer's database, which keeps it, is copied into the installed "
        "system below /var/log/installer with passwords left out, but commands are logged whole.",
        "Write a hash; `domu passwd` asks for a password and prints one.",
        failing=(
            Failing(b"d-i passwd/root-password password secret\n", 1),
            Failing(b"d-i preseed/late_command string echo root:secret | in-target chpasswd\n", 1),
        ),
        passing=(_ROOT + _HASH + b"\n", b"d-i preseed/late_command string in-target chpasswd -e </tmp/hashes\n"),
    ),
    Rule(
        "L402",
        Severity.NOTE,
        "Another secret",
        _other_password,
        "Whoever can read the file knows it.",
        "Keep the file private, or set the secret elsewhere.",
        failing=(Failing(b"d-i partman-crypto/passphrase password secret\n", 1),),
        passing=(b"d-i partman-crypto/passphrase password\n",),
    ),
    Rule(
        "L403",
        Severity.WARNING,
        "A weak hash",
        _weak_hash,
        "Passwords behind DES, MD5 and SHA-1 hashes are found by trying, at billions a second.",
        "Make one of yescrypt or SHA-512: `domu passwd`.",
        failing=(Failing(_ROOT + _MD5 + b"\n", 1), Failing(_ROOT + b"ab7CYsvBKK2Mk\n", 1)),
        passing=(_ROOT + _HASH + b"\n",),
    ),
    Rule(
        "L404",
        Severity.NOTE,
        "A SHA-256 hash",
        _sha256_hash,
        "It is no weak one, but Debian itself makes yescrypt since bullseye, which costs an attacker memory as well.",
        "`domu passwd` makes one of yescrypt where the system can.",
        failing=(Failing(_ROOT + b"$5$saltsaltsalt$" + b"a" * 43 + b"\n", 1),),
        passing=(_ROOT + _HASH + b"\n",),
    ),
    Rule(
        "L405",
        Severity.ERROR,
        "A hash that is none",
        _no_hash,
        "The text goes into /etc/shadow as it is. When it is no hash, no password fits it, and nobody can log in.",
        "Make a hash: `domu passwd`. `*` is an account without a password.",
        failing=(Failing(_ROOT + b"secret\n", 1), Failing(_ROOT + b"$6$saltsaltsalt$tooshort\n", 1)),
        passing=(_ROOT + b"*\n", _ROOT + b"$y$j9T$" + b"a" * 22 + b"$" + b"a" * 43 + b"\n"),
    ),
    Rule(
        "L406",
        Severity.ERROR,
        "An exclamation mark for root's password",
        _locked_root,
        "user-setup-ask takes `!` for an answer that is missing, unless root may not log in, and asks.",
        "Write `*`, which fits no password either, or passwd/root-login false.",
        failing=(Failing(_ROOT + b"!\n", 1),),
        passing=(_ROOT + b"!\nd-i passwd/root-login boolean false\n", _ROOT + b"*\n"),
    ),
    Rule(
        "L407",
        Severity.WARNING,
        "A password both plain and as a hash",
        _both_passwords,
        "The hash wins, and the plain one is told to every reader of the file for nothing.",
        "Remove the plain one.",
        failing=(Failing(b"d-i passwd/root-password password x\n" + _ROOT + _HASH + b"\n", 1),),
        passing=(_ROOT + _HASH + b"\n",),
    ),
    Rule(
        "L408",
        Severity.ERROR,
        "Two passwords that should be the same",
        _mistyped_again,
        "user-setup compares them and shows an error, which no preseed keeps away.",
        "Write the same twice, or better a hash.",
        failing=(Failing(b"d-i passwd/user-password password one\nd-i passwd/user-password-again password two\n", 2),),
        passing=(b"d-i passwd/user-password password one\nd-i passwd/user-password-again password one\n",),
    ),
    Rule(
        "L409",
        Severity.ERROR,
        "Neither root nor a user",
        _nobody,
        "passwd/root-login false sets passwd/make-user true, whatever the preseed says (user-setup-ask, state 3).",
        "Let one of the two log in.",
        failing=(Failing(b"d-i passwd/root-login boolean false\nd-i passwd/make-user boolean false\n", 2),),
        passing=(b"d-i passwd/root-login boolean true\nd-i passwd/make-user boolean false\n",),
    ),
    Rule(
        "L410",
        Severity.WARNING,
        "A user who is named and not made",
        _unmade_user,
        "With passwd/make-user false the answers about the user are not looked at.",
        "Remove one or the other.",
        failing=(Failing(b"d-i passwd/make-user boolean false\nd-i passwd/username string alice\n", 2),),
        passing=(b"d-i passwd/make-user boolean true\nd-i passwd/username string alice\n",),
    ),
    Rule(
        "L411",
        Severity.WARNING,
        "A password for a root who may not log in",
        _unused_root,
        "With passwd/root-login false user-setup empties root's password and locks the account.",
        "Remove one or the other.",
        failing=(Failing(b"d-i passwd/root-login boolean false\n" + _ROOT + _HASH + b"\n", 2),),
        passing=(b"d-i passwd/root-login boolean true\n" + _ROOT + _HASH + b"\n",),
    ),
    Rule(
        "L412",
        Severity.NOTE,
        "Secrets in a file that comes over the network",
        _secret_over_network,
        "The installer fetches the file without proof of who it is, and by http everybody on the way can read it.",
        "Serve it by https and to the guest's address alone, or carry it in the initrd.",
        failing=(Failing(_ROOT + _HASH + b"\n", 1),),
        passing=(_ROOT + b"*\n",),
        given=Given(loading="network"),
    ),
    Rule(
        "L413",
        Severity.WARNING,
        "Answers or scripts loaded by http",
        _loaded_by_http,
        "What arrives is obeyed as root. By http anybody on the way can put something else in its place.",
        "Use https, or give the checksum that the installer compares; it knows MD5 only.",
        failing=(Failing(b"d-i preseed/include string http://a.example.org/more.cfg\n", 1),),
        passing=(b"d-i preseed/include string more.cfg\n", b"d-i preseed/url string https://a.example.org/p.cfg\n"),
    ),
    Rule(
        "L414",
        Severity.WARNING,
        "A script fetched by http and run",
        _run_by_http,
        "It runs as root. By http anybody on the way can put something else in its place.",
        "Carry it in the initrd, use https, or compare its SHA-256 before it runs.",
        failing=(Failing(b"d-i preseed/late_command string wget -O- http://a.example.org/x | sh\n", 1),),
        passing=(b"d-i preseed/late_command string wget -O- https://a.example.org/x | sh\n",),
    ),
    Rule(
        "L415",
        Severity.WARNING,
        "A URL with a password",
        _password_in_url,
        "Mirrors and proxies end up in sources.list, in apt's configuration and in the installer's logs.",
        "Use an address that needs no password.",
        failing=(Failing(b"d-i mirror/http/proxy string http://me:secret@proxy.example.org:3128/\n", 1),),
        passing=(b"d-i mirror/http/proxy string http://proxy.example.org:3128/\n",),
    ),
)
