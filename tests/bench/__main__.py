"""`make bench`: every comparison, each paired in one run, as Markdown tables with ratios."""

from __future__ import annotations

import platform

from tests.bench import bench_check, bench_initrd, bench_iso, bench_lint, bench_startup

print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}\n")
for part in (bench_initrd, bench_iso, bench_startup, bench_check, bench_lint):
    part.main()
    print()
