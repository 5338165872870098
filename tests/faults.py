"""What can go wrong on the way from a mirror to the store: a table of faults, each with how it ends.

docs/fetching.md shows it; tests/integration/test_fetch_faults.py runs it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.fetch import Fetcher, MismatchError, NotFoundError, RefusedError, Timeouts, UnreachableError
from builder.host.run import run
from builder.host.store import Blob, Store
from builder.host.trust import SignatureError, fetch_release
from builder.media.release import Digest, parse_sha256sums
from tests.archive import (
    IMAGES,
    NETBOOT,
    NOW,
    PACKAGES,
    PAGE,
    Archive,
    Fault,
    Handler,
    Server,
    cut,
    drip,
    endless,
    error,
    flip,
    flipped,
    nonsense,
    other,
    promise,
    redirect,
    reset,
    sha256,
    shifted,
    silent,
    stamp,
    unpromised,
    whole,
)

IN_RELEASE = "dists/toy/InRelease"
SUMS = f"{IMAGES}/SHA256SUMS"
LINUX = f"dists/toy/{IMAGES}/{NETBOOT}/linux"  # its digest is in SHA256SUMS, its size nowhere
INDEX = f"dists/toy/{PACKAGES}"  # its digest and size are in the Release
QUICK = Timeouts(connect=0.5, silence=0.2, window=0.2, least=1000)


@dataclass
class Listener:
    """Remembers what was said and how many bytes moved."""

    said: list[str] = field(default_factory=list)
    started: list[tuple[str, int | None, int]] = field(default_factory=list)
    moved: int = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def start(self, label: str, total: int | None, *, done: int = 0) -> None:
        self.started.append((label, total, done))

    def advance(self, count: int) -> None:
        self.moved += count

    def finish(self) -> None:
        pass


@dataclass
class Scene:
    """A published archive, its server, and an empty store."""

    archive: Archive
    server: Server
    store: Store
    keyring: Path
    listener: Listener
    proxy: str | None = None
    suite: str = "toy"
    allow_expired: bool = False
    allow_older: bool = False
    pauses: list[float] = field(default_factory=list)
    warnings: tuple[Finding, ...] = ()

    def obtain(self) -> Blob:
        """The whole way: InRelease -> Packages (signed size) and SHA256SUMS -> linux (digest only)."""
        base = self.server.url if self.proxy is None else "http://mirror.example.org"
        with Fetcher(
            proxy=self.proxy, progress=self.listener, sleep=self.pauses.append, retries=2, timeouts=QUICK
        ) as fetcher:
            verified = fetch_release(
                fetcher,
                base,
                suite=self.suite,
                keyring=self.keyring,
                now=NOW,
                runner=run,
                store=self.store,
                progress=self.listener,
                allow_expired=self.allow_expired,
                allow_older=self.allow_older,
            )
            self.warnings, release = verified.findings, verified.release

            def get(path: str, digest: Digest) -> Blob:
                return fetcher.download(f"{base}/dists/{self.suite}/{path}", digest=digest, store=self.store, what=path)

            get(PACKAGES, release.digest(PACKAGES))
            sums = parse_sha256sums(get(SUMS, release.digest(SUMS)).path.read_text())
            return get(f"{IMAGES}/{NETBOOT}/linux", Digest(sums[f"{NETBOOT}/linux"]))

    def no_wrong_artefact(self) -> None:
        """Every name under sha256/ is the digest of its content, and no file waits under a final name."""
        for path in self.store.root.glob("sha256/*/*"):
            assert path.parent.name + path.name == sha256(path.read_bytes()), path
        assert all(path.suffix == ".part" for path in self.store.root.glob("incoming/*"))


@dataclass(frozen=True)
class Row:
    """A fault, how to bring it about, the error it ends in (None: the right file), and in words.

    `told` is a pattern of what the error or the progress lines say; `check` looks at what the server was asked.
    """

    fault: str
    arrange: Callable[[Scene], object]
    end: type[BuilderError] | None
    outcome: str
    told: str
    check: Callable[[Scene], bool] = lambda _scene: True


def signed(scene: Scene, *by: str, **words: str) -> None:
    scene.archive.put(scene.archive.keys.sign(scene.archive.release(), *by, **words))


def in_release(change: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """Serve a changed InRelease."""
    return lambda scene: scene.archive.put(change(scene.archive.files[IN_RELEASE]))


def trust_revoked(scene: Scene) -> None:
    scene.keyring = scene.archive.keys.revoked_keyring(scene.keyring, "revoked")
    signed(scene, "revoked")


def trust_expired(scene: Scene) -> None:
    scene.archive.keys.keyring(scene.keyring, "archive", "expired")
    signed(scene, "expired", at="20200601T000000")


def one_of_two_bad(scene: Scene) -> None:
    """Two signatures by trusted keys, one of them made over another text."""
    keys = scene.archive.keys
    keys.keyring(scene.keyring, "archive", "stranger")
    right = keys.sign(scene.archive.release(), "archive")
    wrong = keys.sign(scene.archive.release(Origin="Evil"), "stranger")
    scene.archive.put(two_signatures(right, wrong))


def two_signatures(first: bytes, second: bytes) -> bytes:
    """The first message with the second one's signature beside its own: two packets in one armour."""
    gathered = b"".join(run(["gpg", "--dearmor"], stdin=armour(message)).stdout for message in (first, second))
    enarmoured = run(["gpg", "--enarmor"], stdin=gathered).stdout.replace(b"PGP ARMORED FILE", b"PGP SIGNATURE")
    return first.partition(b"-----BEGIN PGP SIGNATURE")[0] + enarmoured


def armour(message: bytes) -> bytes:
    """The signature of a clear-signed message."""
    return b"-----BEGIN PGP SIGNATURE" + message.partition(b"-----BEGIN PGP SIGNATURE")[2]


def replayed(scene: Scene) -> None:
    """A newer Release was seen; now the mirror shows the old one, rightly signed."""
    old = scene.archive.files[IN_RELEASE]
    scene.archive.publish(Date=stamp(NOW - timedelta(hours=1)))
    scene.obtain()
    scene.archive.put(old)


def stale_in_cacher(scene: Scene) -> None:
    old = scene.archive.files[IN_RELEASE]
    scene.archive.publish(Date=stamp(NOW - timedelta(hours=1)))
    scene.obtain()
    scene.server.spoilt[IN_RELEASE] = old


def set_on(**values: object) -> Callable[[Scene], None]:
    """Set fields of the scene."""

    def arrange(scene: Scene) -> None:
        for name, value in values.items():
            setattr(scene, name, value)

    return arrange


def together(*arranges: Callable[[Scene], None]) -> Callable[[Scene], None]:
    """One after the other."""

    def arrange(scene: Scene) -> None:
        for each in arranges:
            each(scene)

    return arrange


def swapped(scene: Scene) -> None:
    """SHA256SUMS is signed and right, but the mirror has linux and initrd.gz the wrong way round."""
    files, folder = scene.archive.files, f"dists/toy/{IMAGES}/{NETBOOT}"
    files[f"{folder}/linux"], files[f"{folder}/initrd.gz"] = files[f"{folder}/initrd.gz"], files[f"{folder}/linux"]


def swapped_sums(scene: Scene) -> None:
    """Somebody swapped the digests inside SHA256SUMS, which the Release vouches for."""
    path = f"dists/toy/{SUMS}"
    one, two = scene.archive.files[path].split(b"\n")[:2]
    scene.archive.files[path] = b"\n".join([two[:64] + one[64:], one[:64] + two[64:], b""])


def through_cacher(*paths: str, spoil: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """The server plays an apt-cacher-ng, used as HTTP proxy, whose copies of these are spoilt."""

    def arrange(scene: Scene) -> None:
        scene.proxy = scene.server.url
        for path in paths:
            scene.server.spoilt[path] = spoil(scene.archive.files[path])

    return arrange


def elsewhere(scene: Scene) -> None:
    scene.archive.files["moved/here"] = scene.archive.files[scene.archive.linux]
    scene.server.always(scene.archive.linux, redirect("/moved/here"))


def part_kept(change: Callable[[bytes], bytes], name: str) -> Callable[[Scene], None]:
    """An earlier run left this much of a file in incoming/."""

    def arrange(scene: Scene) -> None:
        body = scene.archive.files[name]
        scene.store.incoming(sha256(body)).write_bytes(change(body))

    return arrange


def stored_then_spoilt(scene: Scene) -> None:
    blob = scene.obtain()
    blob.path.chmod(0o644)
    blob.path.write_bytes(flip(blob.path.read_bytes()))
    os.utime(blob.path, ns=(1, 1))


def nobody_home(scene: Scene) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        scene.proxy = f"http://user:hunter2@127.0.0.1:{free.getsockname()[1]}"


def on(path: str, *faults: Fault) -> Callable[[Scene], None]:
    """Answer the next requests for this path so, then rightly."""
    return lambda scene: scene.server.once(path, *faults)


def always(path: str, fault: Fault) -> Callable[[Scene], None]:
    """Answer every request for this path so."""
    return lambda scene: scene.server.always(path, fault)


def asked(path: str, *, times: int, ranges: tuple[str, ...] = (), no_cache: int = 0) -> Callable[[Scene], bool]:
    """How often the path was asked for, from where, and how often past caches."""

    def check(scene: Scene) -> bool:
        seen = scene.server.requests_for(path)
        return (
            len(seen) == times
            and tuple(headers["Range"] for headers in seen if "Range" in headers) == ranges
            and sum(headers.get("Cache-Control") == "no-cache" for headers in seen) == no_cache
        )

    return check


def shortened_unpromised(handler: Handler, body: bytes) -> None:
    """Half of it, and only the end of the connection tells the length."""
    unpromised(handler, body[:100_000])


def busy_for(seconds: float) -> Fault:
    """503, with a Retry-After that is so many seconds from the moment of the answer, as a date."""

    def answer(handler: Handler, _body: bytes) -> None:
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        handler.fail(503, Retry_After=format_datetime(until, usegmt=True))

    return answer


# fmt: off
SIGNATURES = (
    Row("signed by a key that is not in the keyring", lambda s: signed(s, "stranger"), SignatureError,
        "names the key, and the package to update", r"key [0-9A-F]{16} is not in the keyring.*newer keyring package"),
    Row("signed by an expired key", trust_expired, SignatureError, "an expired key does not count", "has expired"),
    Row("signed by a revoked key", trust_revoked, SignatureError, "a revoked key does not count", "has been revoked"),
    Row("signed with SHA-1", lambda s: signed(s, "archive", digest="SHA1"), SignatureError,
        "does not count, though gpgv takes it", "of a kind that is not accepted"),
    Row("two signatures, one by an unknown key", lambda s: s.archive.publish(by=("stranger", "archive")), None,
        "one good signature by a key of the keyring is enough", ""),
    Row("two signatures, one of them bad", one_of_two_bad, SignatureError,
        "a bad signature spoils the good one", "changed after key"),
    Row("not signed", lambda s: s.archive.put(s.archive.release()), SignatureError, "says so", "not signed at all"),
    Row("wrapped as OpenPGP, not signed", lambda s: s.archive.put(s.archive.keys.wrap(s.archive.release())),
        SignatureError, "says so (gpg --decrypt would exit with 0)", "not signed at all"),
    Row("other text before the armour", in_release(lambda right: b"SHA256:\n evil\n\n" + right), None,
        "only what gpgv wrote out is read", ""),
    Row("other text after the armour", in_release(lambda right: right + b"Suite: evil\n"), None,
        "only what gpgv wrote out is read", ""),
    Row("two signed messages in one file", in_release(lambda right: right + right), SignatureError,
        "one message is due", "not one message"),
    Row("changed after it was signed", in_release(lambda right: right.replace(b"Components: main", b"Components: evil")),
        SignatureError, "says so", "changed after key", asked(IN_RELEASE, times=2, no_cache=1)),
    Row("broken in the cacher only", through_cacher(IN_RELEASE, spoil=lambda right: right.replace(b"main", b"evil")),
        None, "asked for once more past the cache", "asking once more past every cache"),
    Row("an HTML page in the InRelease's place", in_release(lambda _right: PAGE), SignatureError,
        "a body is nothing until its signature is right", "not signed at all"),
    Row("empty InRelease", in_release(lambda _right: b""), SignatureError, "says so", "not signed at all"),
    Row("endless InRelease", in_release(lambda right: right * 10_000), MismatchError,
        "not read beyond 4 MiB", "is longer than the 4194304 bytes"),
    Row("signed, but no Release", lambda s: s.archive.put(s.archive.keys.sign(b"Hello: world\n", "archive")),
        BuilderError, "says what is missing", "neither Suite nor Codename"),
    Row("signed, but without SHA-256", lambda s: s.archive.publish(SHA256="", MD5Sum="\n abc 1 x"), BuilderError,
        "weaker digests are not looked at", "no SHA256 digests"),
)
DATES = (
    Row("Valid-Until is past", lambda s: s.archive.publish(Valid_Until=stamp(NOW - timedelta(days=1))), RefusalError,
        "gives the date (M103)", "M103"),
    Row("Valid-Until is past, and that is allowed",
        together(lambda s: s.archive.publish(Valid_Until=stamp(NOW - timedelta(days=1))), set_on(allow_expired=True)),
        None, "passes with a warning (M103)", "",
        lambda s: [finding.severity.word for finding in s.warnings] == ["warning"]),
    Row("dated in the future", lambda s: s.archive.publish(Date=stamp(NOW + timedelta(days=2))), RefusalError,
        "names both clocks (M102)", "M102"),
    Row("an older Release is replayed", replayed, RefusalError, "gives both dates (M104)", "M104"),
    Row("an older Release is replayed, and that is allowed", together(replayed, set_on(allow_older=True)),
        None, "passes", ""),
    Row("the cacher has an older Release", stale_in_cacher, None, "asked for once more past the cache",
        "asking once more past every cache"),
    Row("another suite's Release", lambda s: s.archive.publish(Codename="tampa", Suite="testing"), RefusalError,
        "names both (M101)", "M101"),
)
BODIES = (
    Row("files swapped on the mirror", swapped, MismatchError, "names URL and both digests",
        r"linux has the wrong content .*past every cache", asked(LINUX, times=2, no_cache=1)),
    Row("digests swapped in SHA256SUMS", swapped_sums, MismatchError, "the Release vouches for SHA256SUMS",
        "SHA256SUMS has the wrong content"),
    Row("one bit wrong, once", on(LINUX, flipped), None, "asked for once more, past every cache",
        "right this time", asked(LINUX, times=2, no_cache=1)),
    Row("one bit wrong, for ever", always(LINUX, flipped), MismatchError, "after one more attempt past every cache",
        "wrong content .*past every cache", asked(LINUX, times=2, no_cache=1)),
    Row("one bit wrong in the cacher", through_cacher(INDEX, spoil=flip), None,
        "no-cache heals the cacher's copy; said so, naming it",
        r"\(through http://127.*wrong content.*right this time", asked(INDEX, times=2, no_cache=1)),
    Row("the cacher's copy is truncated", through_cacher(LINUX, spoil=lambda right: right[:1000]), None,
        "no-cache heals the cacher's copy", "right this time", asked(LINUX, times=2, no_cache=1)),
    Row("truncated once", on(LINUX, cut(100_000)), None, "continued with a Range", "the answer ended early",
        asked(LINUX, times=2, ranges=("bytes=100000-",))),
    Row("truncated for ever at the same byte", always(LINUX, cut(100_000)), UnreachableError,
        "gives up; what came is kept for the next run", "the answer ended early, after 3 attempts",
        lambda s: s.store.incoming(sha256(s.archive.files[LINUX])).stat().st_size == 100_000),
    Row("truncated without a length, size signed", on(INDEX, shortened_unpromised), None, "continued with a Range",
        "ended after 100000 of 200000 bytes", asked(INDEX, times=2, ranges=("bytes=100000-",))),
    Row("truncated without a length, no size known", on(LINUX, shortened_unpromised), None,
        "the digest tells; once more, past every cache", "right this time"),
    Row("no length at all", always(LINUX, unpromised), None, "read to its end; the digest tells", ""),
    Row("Content-Length too large", always(INDEX, promise(10**12)), MismatchError, "refused by its head",
        "1000000000000"),
    Row("Content-Length too small", always(INDEX, promise(100)), MismatchError, "refused by its head",
        "has 100 bytes, where 200000 are due"),
    Row("more bytes than were signed", always(INDEX, endless), MismatchError, "not read further",
        "longer than the 200000 bytes"),
    Row("empty answer", always(INDEX, other(b"")), MismatchError, "refused by its head", "has 0 bytes"),
    Row("an HTML page with status 200", always(LINUX, other(PAGE)), MismatchError, "never a file",
        "wrong content"),
    Row("ranges are not understood", on(LINUX, cut(100_000), whole), None, "begun anew",
        "", asked(LINUX, times=2, ranges=("bytes=100000-",))),
    Row("another range than the one asked for", on(LINUX, cut(100_000), shifted), None, "begun anew",
        "another part", asked(LINUX, times=3, ranges=("bytes=100000-",))),
    Row("416 for the rest", on(LINUX, cut(100_000), error(416)), None, "begun anew", "no such part",
        asked(LINUX, times=3, ranges=("bytes=100000-",))),
    Row("an earlier run left a spoilt beginning", part_kept(lambda _right: b"x" * 1000, LINUX), None, "begun anew",
        "an earlier run began it", asked(LINUX, times=2, ranges=("bytes=1000-",))),
    Row("an earlier run left more than the file", part_kept(lambda right: right + b"x", INDEX), None, "begun anew",
        "", asked(INDEX, times=1)),
    Row("an earlier run left all of it", part_kept(lambda right: right, INDEX), None, "taken in without a request",
        "", asked(INDEX, times=0)),
    Row("a stored file was spoilt on disk", stored_then_spoilt, None, "found out, removed and fetched again",
        "was spoilt", asked(LINUX, times=2)),
)
WAYS = (
    Row("redirect to another place", elsewhere, None, "followed; the digest decides", ""),
    Row("redirect to another file", always(LINUX, redirect(f"/{INDEX}")), MismatchError,
        "followed; the digest decides; both URLs are named", r"linux \(redirected to http.*Packages\) has the wrong content"),
    Row("redirect in a loop", always(LINUX, redirect(f"/{LINUX}")), UnreachableError, "given up after 5",
        "redirects more than 5 times", asked(LINUX, times=6)),
    Row("redirect to file://", always(LINUX, redirect("file:///etc/hostname")), UnreachableError, "not followed",
        "'file:///etc/hostname', which is not followed", asked(LINUX, times=1)),
    Row("redirect to ftp://", always(LINUX, redirect("ftp://ftp.example.org/linux")), UnreachableError,
        "not followed", "which is not followed"),
    Row("redirect to no URL", always(LINUX, redirect("http://[")), UnreachableError, "not followed",
        "which is no URL"),
    Row("404", always(LINUX, error(404)), NotFoundError, "at once; the caller may ask another source", "404 Not Found",
        asked(LINUX, times=1)),
    Row("403", always(LINUX, error(403)), RefusedError, "at once", "403 Forbidden", asked(LINUX, times=1)),
    Row("429 with Retry-After in seconds", on(LINUX, error(429, Retry_After="7")), None, "waits as long as it is told",
        "429 .*again in 7 s", lambda s: s.pauses == [7.0]),
    Row("503 with Retry-After as a date", on(LINUX, busy_for(30)), None,
        "waits as long as it is told", "503 ", lambda s: 0 < s.pauses[0] <= 30),
    Row("429 with Retry-After of an hour", always(LINUX, error(429, Retry_After="3600")), UnreachableError,
        "not waited for", "429 Too Many Requests", lambda s: s.pauses == []),
    Row("503 twice", on(LINUX, error(503), error(503)), None, "pauses double", "again in 2 s",
        lambda s: s.pauses == [1.0, 2.0]),
    Row("503 for ever, from a cacher", together(through_cacher(spoil=flip), always(IN_RELEASE, error(503))),
        UnreachableError, "names URL and cacher", r"mirror.example.org.*through http://127.*503 Service Unavailable"),
    Row("reset in the middle, once", on(LINUX, reset(100_000)), None, "continued with a Range", "again in 1 s"),
    Row("silent once", on(LINUX, silent), None, "tried again", "no byte came in time"),
    Row("silent for ever", always(LINUX, silent), UnreachableError, "gives up", "no byte came in time, after 3"),
    Row("one byte now and then", always(LINUX, drip), UnreachableError, "as dead as silent", r"only \d+ bytes came"),
    Row("not HTTP", always(LINUX, nonsense), UnreachableError, "gives up", "SSH-2.0"),
    Row("nobody listens", nobody_home, UnreachableError, "names the proxy without its password",
        r"through http://127[^@]*Connection refused", lambda s: "hunter2" not in "".join(s.listener.said)),
)
TABLE = (
    ("The InRelease's signature", SIGNATURES),
    ("Its suite and dates", DATES),
    ("Files", BODIES),
    ("The way there", WAYS),
)
# fmt: on
