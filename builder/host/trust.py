"""Who signed a Release file: gpgv's status lines against a pinned keyring, then suite, dates and replays."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import InitVar, dataclass
from datetime import datetime
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.fetch import Fetcher
from builder.host.run import Runner
from builder.host.store import Store
from builder.media.release import Release, judge_release, parse_release, shown
from builder.progress import Progress

DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LONGEST = 4 << 20  # bytes of an InRelease; sid's has 0.2 MiB
# Any of these, and the message is not one signed text: gpgv(1), doc/DETAILS "General status codes".
_REFUSED = {"BADSIG", "BADARMOR", "ERROR", "NODATA", "UNEXPECTED"}
# RFC 4880, 9.4: SHA256, SHA384, SHA512, SHA224. gpgv still takes SHA-1 signatures.
_HASHES = {"8", "9", "10", "11"}
# RFC 4880, 5.2.1: over a binary or a text document; not over a key, a name or a time.
_CLASSES = {"00", "01"}


class SignatureError(BuilderError):
    """No key of the keyring vouches for these bytes."""


class _Token:
    """Held by this module alone: what makes a VerifiedRelease a proof."""


_TOKEN = _Token()


@dataclass(frozen=True, slots=True)
class VerifiedRelease:
    """A Release whose signature, suite and dates were found right. Only `verify_release` makes one."""

    release: Release
    signers: tuple[str, ...]  # fingerprints of the primary keys whose signatures counted
    sha256: str  # of the signed text
    findings: tuple[Finding, ...]  # warnings: what an override let pass
    token: InitVar[_Token]

    def __post_init__(self, token: _Token) -> None:
        if token is not _TOKEN:
            raise TypeError("a VerifiedRelease is made by builder.host.trust.verify_release alone")


@dataclass(frozen=True, slots=True)
class Signature:
    """What gpgv said of one signature: the words of its status lines, each with its arguments."""

    words: dict[str, tuple[str, ...]]

    @property
    def signer(self) -> str:
        """Fingerprint of the primary key when the signature counts, else nothing."""
        valid = self.words.get("VALIDSIG", ())
        if "GOODSIG" not in self.words or len(valid) < 10:  # EXPKEYSIG, EXPSIG and REVKEYSIG stand in GOODSIG's place
            return ""
        return valid[9] if valid[7] in _HASHES and valid[8] in _CLASSES else ""

    @property
    def complaint(self) -> str:
        """Why it does not count, for a message."""
        for word, reason in _REASONS.items():
            if word in self.words:
                return reason.format((self.words[word] or ("(no key)",))[0])
        return f"a signature of a kind that is not accepted ({' '.join(self.words.get('VALIDSIG', ('unknown',)))})"


_REASONS = {
    "BADSIG": "the text was changed after key {} signed it",
    "REVKEYSIG": "key {} has been revoked",
    "EXPKEYSIG": "key {} has expired",
    "EXPSIG": "the signature of key {} has expired",
    "NO_PUBKEY": "key {} is not in the keyring",
    "ERRSIG": "the signature of key {} cannot be checked by this gpgv",
}


def verify_release(
    data: bytes, *, keyring: Path, suite: str, now: datetime, runner: Runner, allow_expired: bool = False
) -> VerifiedRelease:
    """Verify an InRelease as it came over the wire and read what was signed in it, and only that.

    SignatureError when no key of `keyring` signed it, RefusalError when it is not `suite` or its dates are wrong.
    """
    if not keyring.is_file():
        raise BuilderError(f"the keyring {keyring} does not exist", "apt-get install debian-archive-keyring")
    text, signers = _signed_text(data, keyring.absolute(), runner)
    release = parse_release(text)
    findings = judge_release(release, suite=suite, now=now, allow_expired=allow_expired)
    if findings.errors:
        raise RefusalError(f"the Release of {suite} is not used", findings)
    return VerifiedRelease(release, signers, hashlib.sha256(text.encode()).hexdigest(), tuple(findings), _TOKEN)


def verify_detached(data: bytes, signature: bytes, *, what: str, keyring: Path, runner: Runner) -> tuple[str, ...]:
    """The primary keys of `keyring` whose signature of `data` counts, by fingerprint; `what` names it in messages.

    SignatureError when there is none.
    """
    with tempfile.TemporaryDirectory(prefix="domu-gpgv-") as folder:
        text, proof = Path(folder, "text"), Path(folder, "proof")
        text.write_bytes(data)
        proof.write_bytes(signature)
        argv = [
            "gpgv",
            "--homedir", folder,  # nobody's gpgv.conf
            "--keyring", str(keyring.absolute()),
            "--status-fd", "1",
            str(proof), str(text),
        ]  # fmt: skip
        return _judge(runner(argv).text, keyring, what)


def fetch_release(
    fetcher: Fetcher,
    base: str,
    *,
    suite: str,
    keyring: Path,
    now: datetime,
    runner: Runner,
    store: Store,
    progress: Progress,
    allow_expired: bool = False,
    allow_older: bool = False,
) -> VerifiedRelease:
    """The InRelease of `base`/dists/`suite`, verified; a refused one is asked for once more past every cache."""
    url = f"{base.rstrip('/')}/dists/{suite}/InRelease"

    def judged(data: bytes) -> VerifiedRelease:
        try:
            verified = verify_release(
                data, keyring=keyring, suite=suite, now=now, runner=runner, allow_expired=allow_expired
            )
        except SignatureError as error:
            raise SignatureError(f"{url}: {error.message}", error.hint) from error
        refuse_replay(verified, store, allow_older=allow_older)
        return verified

    data = fetcher.text(url, limit=_LONGEST)
    try:
        return judged(data)
    except SignatureError as error:
        why = error.message
    except RefusalError as error:
        why = f"{url}: {'; '.join(finding.message for finding in error.findings)}"
    progress.say(f"{why}; asking once more past every cache (Cache-Control: no-cache)")
    return judged(fetcher.text(url, limit=_LONGEST, fresh=True))


def refuse_replay(verified: VerifiedRelease, store: Store, *, allow_older: bool = False) -> None:
    """Remember the newest Release seen of this suite, from whatever mirror, and refuse an older one (RefusalError).

    An attacker, or a mirror that stands still, can show an old Release whose signature is still right.
    """
    release = verified.release
    key = re.sub(r"[^A-Za-z0-9-]", "_", f"{release.origin or 'unknown'}-{release.name}")
    with store.lock(f"release-{key}"):
        known = store.note("release", key)
        newest = datetime.fromisoformat(known["date"]) if known else release.date
        if release.date < newest and not allow_older:
            finding = Finding(
                "M104",
                f"the mirror shows a Release of {release.name} of {shown(release.date)},"
                f" though one of {shown(newest)} was already seen",
                "the mirror is behind, or somebody replays an old Release: take another,"
                " or allow it: domu fetch --allow-older",
            )
            raise RefusalError(f"the Release of {release.name} is not used", [finding])
        if known is None or release.date > newest:
            store.keep_note("release", key, {"date": release.date.isoformat(), "sha256": verified.sha256})


def _signed_text(data: bytes, keyring: Path, runner: Runner) -> tuple[str, tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="domu-gpgv-") as folder:
        came, signed = Path(folder, "InRelease"), Path(folder, "signed")
        came.write_bytes(data)
        argv = [
            "gpgv",
            "--homedir", folder,  # nobody's gpgv.conf
            "--keyring", str(keyring),
            "--status-fd", "1",
            "--output", str(signed),
            str(came),
        ]  # fmt: skip
        # The exit status says too little: it is 2 when one of three good signatures is by an unknown key.
        signers = _judge(runner(argv).text, keyring)
        try:
            return signed.read_bytes().decode(), signers
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise SignatureError("gpgv gave no readable text for the InRelease", "take another mirror") from error


def _judge(status: str, keyring: Path, what: str = "InRelease") -> tuple[str, ...]:
    overall, signatures = read_status(status)
    words = {word for part in (overall, *signatures) for word in part.words}
    signers = tuple(sorted({signature.signer for signature in signatures} - {""}))
    if signers and not words & _REFUSED:
        return signers
    if not signatures:
        raise SignatureError(
            f"the {what} is not signed at all", "something else answers in the mirror's place; see what the URL gives"
        )
    why = "; ".join(signature.complaint for signature in signatures if not signature.signer) or "it is not one message"
    if "NO_PUBKEY" in words and not words & _REFUSED:
        hint = f"when the archive is right, its key comes with a newer keyring package: the one that owns {keyring}"
    else:
        hint = "do not use it; take another mirror"
    raise SignatureError(f"the {what} is not signed as it must be by a key of {keyring}: {why}", hint)


def read_status(text: str) -> tuple[Signature, list[Signature]]:
    """Status lines of gpgv: those that stand before the first signature or belong to none, and each signature."""
    parts: list[dict[str, tuple[str, ...]]] = [{}]
    for line in text.splitlines():
        mark, word, *rest = [*line.split(" "), ""]
        if mark != "[GNUPG:]":
            continue
        if word == "NEWSIG":
            parts.append({})
        else:
            parts[-1][word] = tuple(filter(None, rest))
    return Signature(parts[0]), [Signature(part) for part in parts[1:]]
