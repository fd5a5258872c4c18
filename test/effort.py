"""How much the tests do that could go on for ever: by hand enough to see what broke, in CI more."""

import os

IN_CI = "CI" in os.environ
