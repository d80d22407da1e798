"""Write sp-pipe@.service from its template: which exit codes forbid a restart is known to `sptools.errors` alone.

    python scripts/systemd/generate.py [--check]

`--check` writes nothing and fails where the committed unit differs.
"""

import sys
from pathlib import Path

from sptools.errors import all_codes

HERE = Path(__file__).resolve().parent


def render() -> dict[Path, str]:
    """Path → text of every generated unit."""
    final = " ".join(str(code) for code, restart in all_codes().items() if not restart)
    template = HERE / "sp-pipe@.service.in"
    return {HERE / "sp-pipe@.service": template.read_text().replace("@FINAL@", final)}


def main(check: bool) -> int:
    stale = [path for path, text in render().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.name} is stale: run scripts/systemd/generate.py", file=sys.stderr)
        else:
            path.write_text(render()[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
