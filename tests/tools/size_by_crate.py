#!/usr/bin/env python3
"""Prints what each crate weighs in a shared library that has its symbols, and the sections besides: size_by_crate.py LIBRARY"""

import collections
import re
import subprocess
import sys

FEW = 15


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def crate(name):
    """The crate that a symbol is of: of a trait's method, the one of the type that it is for."""
    name = re.sub(r"^(<|&|mut |dyn |\(|\[|\*const |\*mut |for<[^>]*> )+", "", name)
    found = re.match(r"([A-Za-z_][A-Za-z0-9_]*)(\[[0-9a-f]+\])?::", name)
    if found:
        return found.group(1)
    if re.match(r"(uniffi_mailkeep|ffi_mailkeep|UNIFFI_META)", name):
        return "mailkeep_ffi"
    return "(others)"


def main():
    library = sys.argv[1]
    code = collections.Counter()
    for line in run("nm", "--demangle", "--print-size", "--size-sort", "--radix=d", library).splitlines():
        _, size, kind, name = line.split(" ", 3)
        if kind in "tTwW":
            code[crate(name)] += int(size)
    print(f"{'code of':<28}{'KB':>8}")
    for name, size in code.most_common(FEW):
        print(f"{name:<28}{size / 1024:>8.0f}")
    print(f"{'the rest':<28}{sum(size for _, size in code.most_common()[FEW:]) / 1024:>8.0f}")
    print(f"{'section':<28}{'KB':>8}")
    for line in run("size", "-A", "-d", library).splitlines():
        words = line.split()
        if len(words) == 3 and words[0].startswith(".") and int(words[1]) > 16 << 10 and not words[0].startswith(".debug"):
            print(f"{words[0]:<28}{int(words[1]) / 1024:>8.0f}")


main()
