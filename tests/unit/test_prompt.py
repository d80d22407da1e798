"""What is read live is written before the loop looks at the next item of the input."""

import pytest

from sptools.filter import Pass
from sptools.formats import jsonl, text
from sptools.record import Rows
from sptools.run import Run
from sptools.tally import Tally


@pytest.mark.parametrize("format", [jsonl, text])
def test_a_line_is_there_before_the_next_item(format):
    class Out:
        name, seen = "x", b""

        def write(self, *buffers):
            self.seen += b"".join(buffers)

        def close(self, ok):
            self.seen += b"end"

    out = Out()

    def source():
        for k in range(3):
            assert out.seen.count(b"\n") == k
            yield Rows([{"time": k, "x": k}])

    Run(source(), Pass(), [format.write(out)], Tally())()
    assert out.seen.count(b"\n") == 3 and out.seen.endswith(b"\nend")
