"""A process that measures one piece of work and prints one line of JSON a record."""

from __future__ import annotations

import importlib
import json
import sys

from threadpoolctl import threadpool_info

from benchmarks.harness import Options, pin


def main(name: str, asked: str) -> None:
    """Pin, import the work, and print each record as it is measured."""
    options = Options(**json.loads(asked))
    pin(options.threads)
    work = importlib.import_module(f"benchmarks.{name}")
    print(json.dumps({"blas": blas()}), flush=True)
    for case in work.cases(options):
        print(json.dumps(case.measure(options)), flush=True)


def blas() -> str:
    """Which BLAS NumPy and SciPy use, with which kernels."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    found = [f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".rstrip() for pool in pools]
    return ", ".join(dict.fromkeys(found)) or "unknown BLAS"


if __name__ == "__main__":
    main(*sys.argv[1:])
