"""``python -m benchmarks [NAME ...] [--threads 1 2] [--quick] [--long] [--out FILE] [--list]``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks.harness import WORKS, Options, table, worker


def main() -> None:
    """Measure what was asked for and print it as it comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Timings beside JAX and PyTorch.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which work, all of it by default: {', '.join(WORKS)}"
    )
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N", help="default: 1, then 2")
    parser.add_argument("--quick", action="store_true", help="shorter runs and fewer rounds, to see that it works")
    parser.add_argument("--long", action="store_true", help="the run of a million steps as well (minutes)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the numbers as JSON")
    parser.add_argument("--list", action="store_true", help="list the work and stop")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in WORKS]:
        parser.error(f"unknown work {', '.join(unknown)}: choose from {', '.join(WORKS)}")
    if asked.list:
        print("\n".join(WORKS))
        return
    found = [record for threads in asked.threads for record in _all(asked, threads)]
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


def _all(asked: argparse.Namespace, threads: int) -> list[dict[str, Any]]:
    """Every work at one thread count, printed; the records."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not 1 <= threads <= cores:
        print(f"{threads} threads: left out, {cores} cores are available\n")
        return []
    records = []
    for name in asked.names or WORKS:
        for record in worker(name, Options(threads, asked.quick, asked.long)):
            if "blas" in record:
                kernels = record["blas"]
                print(f"{name}   {threads} thread{'s' if threads > 1 else ''}   BLAS: {kernels}", flush=True)
                continue
            print(table(record), flush=True)
            records.append({"work": name, "threads": threads, "quick": asked.quick, "blas": kernels, **record})
        print(flush=True)
    return records


if __name__ == "__main__":
    main()
