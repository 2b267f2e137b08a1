#!/usr/bin/env python3
"""Runs the cases that every language is held to: run.py [--fixture FOLDER] [--server PROGRAM] [CASE]...

The last line is "N passed, N failed". A case of the list that is missing here fails, and so does one that is not in the list.
"""

import argparse
import importlib
import json
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixture", type=pathlib.Path, required=True, help="where mail.redb and readout.json are")
    parser.add_argument("--server", type=pathlib.Path, required=True, help="the program mail_server")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    import harness

    for module in ("fixture", "reading", "acting", "running", "life"):
        importlib.import_module(f"case_{module}")
    listed = [case["id"] for case in json.loads((ROOT / "tests/cases/cases.json").read_text())]
    unknown = sorted(set(harness.CASES) - set(listed))
    if unknown:
        sys.exit(f"not in tests/cases/cases.json: {', '.join(unknown)}")
    passed = failed = 0
    with harness.World(args.fixture, args.server) as world:
        for name in args.cases or listed:
            started = time.monotonic()
            try:
                if name not in harness.CASES:
                    raise AssertionError("this case is missing in Python")
                harness.CASES[name](world)
                passed += 1
                print(f"case {name} ... ok ({time.monotonic() - started:.1f} s)", flush=True)
            except Exception:
                failed += 1
                traceback.print_exc()
                print(f"case {name} ... FAILED", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
