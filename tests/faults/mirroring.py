"""A program that writes planned steps to a mirror, from one on, and tells each that is done."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mirror.given_mirror import new_mirror, planned_steps, take

if __name__ == "__main__":
    url, seed, length, begin = sys.argv[1], *map(int, sys.argv[2:])
    mirror = new_mirror(url)
    for number, step in list(enumerate(planned_steps(seed, length)))[begin:]:
        take(mirror, step)
        print(number + 1, flush=True)
