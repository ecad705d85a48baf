"""Writing and reading a ticket, and its size against the bound."""
import tempfile
from pathlib import Path
from statistics import median
from typing import List

from mmlth.core import Ticket, draw, select, snapshot
from mmlth.core.mask import pruned, size

from .models import detector
from .table import row
from .timing import interleaved


def bench_ticket(sparsity: float, repeats: int, quick: bool = False) -> List[dict]:
    """Rows for size (of the whole file), write and read."""
    model = detector(quick)
    mask = draw(select(model), sparsity)
    ticket = Ticket.draw(mask, snapshot(model), dict(sparsity=sparsity), 'the benchmark')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'ticket.safetensors'
        times = interleaved(dict(write=lambda: ticket.save(path),
                                 read=lambda: Ticket.load(path)), repeats)
        bytes_ = path.stat().st_size
    weights = size(mask)
    bound = 1.05 * (4 * (1 - pruned(mask) / weights) + 1 / 8) * weights
    return [
        row('ticket', f'{weights:,} weights: file / bound', bytes_, bound, 'B',
            bytes_ / bound, at_most=1),
        *(row('ticket', f'{name} (file on disk)' if name == 'write' else name,
              median(seconds), None, 's') for name, seconds in times.items()),
        *(row('ticket', f'{name}, throughput', bytes_ / 1e6 / median(seconds), None, 'MB/s')
          for name, seconds in times.items()),
    ]
