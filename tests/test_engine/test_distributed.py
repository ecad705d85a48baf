"""Two gloo processes on the CPU."""
import os
import subprocess
import sys
from pathlib import Path

import torch

TESTS = Path(__file__).parents[1]

_LOTTERY = '''
import sys
sys.path.insert(0, sys.argv[1])
from toy import lottery_config
from mmengine.registry import RUNNERS
# mmengine's own start-up of a launcher asks for CUDA.
import torch
torch.distributed.init_process_group('gloo')
cfg = lottery_config(sys.argv[2], rounds=2, launcher='pytorch')
cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', find_unused_parameters=True,
                             device_ids=None)
cfg.resume = 'resume' in sys.argv
model = RUNNERS.build(cfg).train()
state = {n: p.detach() for n, p in model.module.named_parameters()} if model else {}
torch.save(state, f'{sys.argv[2]}/rank_{torch.distributed.get_rank()}.pth')
'''

_DIFFER = '''
import sys
sys.path.insert(0, sys.argv[1])
import torch
from mmlth.engine.hooks.ticket_hook import check_same_on_all_ranks
torch.distributed.init_process_group('gloo')
rank = torch.distributed.get_rank()
check_same_on_all_ranks('a')
try:
    check_same_on_all_ranks('ab'[rank])
except RuntimeError as error:
    open(f'{sys.argv[2]}/refused_{rank}', 'w').write(str(error))
'''


def launch(code, tmp_path, *args):
    script = tmp_path / 'script.py'
    script.write_text(code)
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--nproc_per_node=2',
         '--master_addr=127.0.0.1', f'--master_port={29600 + os.getpid() % 300}',
         str(script), str(TESTS), str(tmp_path), *args],
        capture_output=True, text=True, timeout=300, env={**os.environ, 'OMP_NUM_THREADS': '1'})


def test_lottery_on_two_ranks(tmp_path):
    result = launch(_LOTTERY, tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    first, second = (torch.load(tmp_path / f'rank_{r}.pth') for r in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    final = torch.load(tmp_path / 'round_2/final.pth', weights_only=True)
    for name, entry in final['mmlth']['masks'].items():
        assert int((final['state_dict'][name] == 0).sum()) >= 1
        assert torch.equal(final['state_dict'][name], first[name])
    assert (tmp_path / 'report.md').exists()
    result = launch(_LOTTERY, tmp_path, 'resume')       # nothing left to do
    assert result.returncode == 0, result.stderr[-3000:]


def test_differing_masks_stop_every_rank(tmp_path):
    result = launch(_DIFFER, tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    for rank in range(2):
        assert 'different masks' in (tmp_path / f'refused_{rank}').read_text()
