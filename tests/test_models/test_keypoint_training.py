"""Keypoint R-CNN on real images: a stock Runner, its pictures, a lottery, two ranks."""
import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from small_keypoint_rcnn import small

NUMBER = count()
ITERS = 4


def small_training(name, root, work_dir, images=8, ann_file='person_keypoints_train.json'):
    """A few iterations on some images of 160x120."""
    register_all_modules()
    cfg = small(name)
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'keypoints_{next(NUMBER)}'
    for loader, ann in ((cfg.train_dataloader, ann_file),
                        (cfg.val_dataloader, 'person_keypoints_val.json')):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(
            data_root=str(root), ann_file=str(ann), data_prefix=dict(img=str(root / 'images')),
            indices=images)
    cfg.train_dataloader.dataset.pipeline[2]['scales'] = [(160, 120), (176, 128)]
    cfg.val_dataloader.dataset.pipeline[1]['scale'] = (160, 120)
    cfg.test_dataloader = cfg.val_dataloader
    cfg.val_evaluator.ann_file = str(root / 'person_keypoints_val.json')
    cfg.test_evaluator = cfg.val_evaluator
    cfg.train_cfg.update(max_iters=ITERS, val_interval=ITERS)
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=ITERS)]
    cfg.default_hooks.checkpoint.interval = ITERS
    cfg.default_hooks.logger.interval = 1
    cfg.visualizer.name = f'visualizer_{cfg.experiment_name}'
    cfg.env_cfg.dist_cfg.backend = 'gloo'
    cfg.model.test_cfg.rcnn.score_thr = 0.
    return cfg


@pytest.fixture(scope='module')
def root(real_data):
    return real_data / 'coco_person'


@pytest.mark.slow
def test_stock_runner_trains_evaluates_resumes_and_draws(root, tmp_path):
    cfg = small_training('keypoint_rcnn_r18_coco', root, tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    hub = runner.message_hub
    for item in ('bbox_mAP', 'keypoints_mAP', 'keypoints_mAP_50', 'keypoints_AR'):
        assert 0 <= hub.get_scalar(f'val/coco/{item}').current() <= 1
    losses = hub.get_scalar('train/loss_keypoint').data[0]
    assert len(losses) == ITERS and all(0 < loss < 20 for loss in losses)

    cfg = small_training('keypoint_rcnn_r18_coco', root, tmp_path)
    cfg.resume = True
    cfg.train_cfg.max_iters = ITERS + 1
    cfg.default_hooks.visualization.update(draw=True, test_out_dir='pictures', score_thr=0.)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == ITERS + 1
    runner.test()
    assert len(list(tmp_path.glob('*/pictures/*.jpg'))) == 8


@pytest.mark.slow
def test_images_without_any_keypoints_train(root, tmp_path):
    content = json.loads((root / 'person_keypoints_train.json').read_text())
    for annotation in content['annotations']:
        annotation.update(keypoints=[0] * 51, num_keypoints=0)
    empty = {image['id'] for image in content['images'][:4]}
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] not in empty]
    path = tmp_path / 'bare.json'
    path.write_text(json.dumps(content))
    cfg = small_training('keypoint_rcnn_r18_coco', root, tmp_path, ann_file=path)
    cfg.train_dataloader.dataset.filter_cfg = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    hub = runner.message_hub
    assert not any(hub.get_scalar('train/loss_keypoint').data[0])
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())


@pytest.mark.slow
def test_lottery(root, tmp_path):
    cfg = small_training('keypoint_rcnn_r18_coco_prune80', root, tmp_path)
    cfg.default_hooks.rewind.to, cfg.latency = '1it', False
    model = RUNNERS.build(cfg).train()
    state = json.loads((tmp_path / 'lottery.json').read_text())
    assert [entry['status'] for entry in state['rounds']] == ['done', 'done']
    assert [entry['scope_sparsity'] for entry in state['rounds']] == pytest.approx(
        [0, 0.8], abs=1e-3)
    assert all('coco/keypoints_mAP' in entry['metrics'] for entry in state['rounds'])
    head = model.roi_head.keypoint_head
    assert (head.convs[0].conv.weight == 0).float().mean() > 0.2
    assert (head.deconv.weight != 0).all()     # the predictor is not pruned


_RANKS = '''
import sys
from datetime import timedelta
sys.path.insert(0, sys.argv[1])
import torch
from torch.nn.parallel import DistributedDataParallel
from test_keypoint_rcnn import batch, detector, sample
from mmlth.engine.ranks import leave_group
torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=60))
rank = torch.distributed.get_rank()
bare = detector().train()
model = DistributedDataParallel(bare)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
for images in ([sample(2)], [sample(0)]), ([sample(1)], [sample(2, visible=0.)]):
    data = bare.data_preprocessor(batch(*images[rank]), True)
    loss, _ = bare.parse_losses(model(**data, mode='loss'))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
torch.save(bare.roi_head.keypoint_head.state_dict(), f'{sys.argv[2]}/rank_{rank}.pth')
model = None    # a wrapped model holds the group
leave_group()
'''


@pytest.mark.slow
def test_a_rank_without_keypoints_keeps_up(tmp_path):
    (tmp_path / 'ranks.py').write_text(_RANKS)
    subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--nproc_per_node=2',
         '--master_addr=127.0.0.1', f'--master_port={29900 + os.getpid() % 90}',
         str(tmp_path / 'ranks.py'), str(Path(__file__).parent), str(tmp_path)],
        check=True, timeout=120, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    first, second = (torch.load(tmp_path / f'rank_{rank}.pth') for rank in (0, 1))
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())
