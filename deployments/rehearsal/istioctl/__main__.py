"""`python -m deployments.rehearsal.istioctl [--as VERSION] COMMAND ...`."""

import sys

from deployments.rehearsal.istioctl.main import VERSIONS, main

if __name__ == "__main__":
    words = sys.argv[1:]
    # Only in front: further behind, `--as` is the real one's own flag, for impersonation.
    version, words = (words[1], words[2:]) if words[:1] == ["--as"] else (VERSIONS[-1], words)
    sys.exit(main(words, version=version))
