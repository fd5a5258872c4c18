"""`run.py seed`: fills the database with example data, which the top-level `seed.py` holds."""

import seed


def main(_arguments: list[str]) -> int:
    return int(seed.main() or 0)
