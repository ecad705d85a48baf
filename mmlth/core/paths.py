"""The names of all files and folders that a lottery leaves behind."""
from pathlib import Path

from .files import AnyPath

LOTTERY = 'lottery.json'            # the chain: one entry per round
LOCK = '.training.lock'             # held by the process that trains here; the file stays
REPORT = 'report.html'              # beside it report.md, figures and tables
REPORT_JSON = 'report.json'
CURVES = 'curves.json'             # of one round: its loss and metrics, a few points
SAMPLES = 'samples.json'           # of one round: what it finds on a few validation images
SPARSITY = 'sparsity.json'         # of one round: per layer, group, network
REWIND = 'rewind.pth'               # the rewind point, an ordinary mmengine checkpoint
TICKET = 'ticket.safetensors'       # what a round trains
RESUME = 'resume.pth'               # where an interrupted round goes on; gone once it is finished
START_MASK = 'start_mask.safetensors'   # drawn before the training (SNIP and the like)
NEXT_TICKET = 'next_ticket.safetensors'  # drawn by a PruneHook outside a lottery
EARLY_BIRD = 'early_bird'           # folder of candidate masks
EARLY_BIRD_CSV = 'curve.csv'
EARLY_BIRD_FIGURE = 'curve.png'
EARLY_BIRD_CHECKPOINT = 'early_bird.pth'
STALE = 'stale'                     # folder of what rounds have left of tickets replaced since
STALE_ENTRY = 'round.json'          # there, what lottery.json said of the round
EVALUATION = 'evaluation.json'      # of final.pth, by object size and by category
CONNECTIVITY = 'connectivity.json'  # lines from this round's networks to others
FINAL = 'final.pth'                 # a finished round: weights, plain meta, masks
FINAL_MASK = 'final_mask.safetensors'   # its masks, where they are not the ticket's any more


def round_dir(work_dir: AnyPath, round_index: int) -> Path:
    """The folder of one round, e.g. ``work_dirs/x/round_1``."""
    return Path(work_dir) / f'round_{round_index}'
