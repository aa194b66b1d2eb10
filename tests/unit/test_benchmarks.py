"""The benchmark of the echo: its report where nothing could be measured flat out, and its frames."""

from pathlib import Path

import pytest

from benchmarks import flat_out, report
from benchmarks.figures import Figures
from benchmarks.flat_out import FlatOut, NoCompilerError

PACED = Figures(cpu_us_per_frame=30.0, p50_us=100.0, p99_us=200.0, kib_per_call=30.0, late_p99_us=10.0, others_busy=0.0)
SERVERS = {"node": 16.0, "picows": 8.0, "floor": 4.0}


def flat(cpu_us: float) -> FlatOut:
    return FlatOut(cpu_us_per_frame=cpu_us, frames_per_s=1e6 / cpu_us, server_busy=1.0, others_busy=0.0)


def test_the_table_compares_with_node_and_the_floor() -> None:
    paced = dict.fromkeys(["node", "picows"], PACED)
    table = report.table([report.Round(paced, {name: flat(cpu_us) for name, cpu_us in SERVERS.items()})])
    assert "| CPU per frame, 100 calls flat out ÷ Node | ≤ 0.6 | 0.50 (0.50–0.50) |" in table
    assert "| CPU per frame, 100 calls flat out ÷ the floor | ≤ 2.6 | 2.00 (2.00–2.00) |" in table


def test_the_table_leaves_out_what_was_not_measured() -> None:
    table = report.table([report.Round(dict.fromkeys(["node", "picows"], PACED), {})])
    assert "flat out" not in table
    assert "| CPU per frame, 100 paced calls ÷ Node | ≤ 0.8 | 1.00 (1.00–1.00) |" in table


def test_a_missing_compiler_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompilerError, match="apt install gcc"):
        flat_out.build(tmp_path)


@pytest.mark.parametrize("size", [0, 125, 126, 600])
def test_a_frame_is_masked_text_of_its_length(size: int) -> None:
    message = bytes(at % 256 for at in range(size))
    frame = flat_out._frame(message)
    assert frame[0] == 0x81
    assert frame[1] & 0x80
    length, head = (frame[1] & 0x7F, 2) if size < 126 else (int.from_bytes(frame[2:4], "big"), 4)
    mask, masked = frame[head : head + 4], frame[head + 4 :]
    assert length == len(masked) == size
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked)) == message
