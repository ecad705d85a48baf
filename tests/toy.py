"""A small real training: mmengine's Runner, a model of all layer kinds, fixed data."""
from itertools import count
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS, RUNNERS
from torch import nn
from torch.utils.data import Dataset

_NUMBER = count()


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """Convolution, batch norm, transposed convolution, linear; one shared layer."""

    def __init__(self, width=8):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(2, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.ConvTranspose2d(width, width, 2, stride=2), nn.ReLU())
        self.head = nn.Linear(width, 3)
        self.same_head = self.head

    def forward(self, inputs, labels, mode='tensor'):
        logits = self.same_head(self.backbone(inputs).mean((2, 3)))
        if mode == 'loss':
            return dict(loss=nn.functional.cross_entropy(logits, labels))
        if mode == 'tensor':
            return logits
        return list(zip(logits.argmax(1), labels))


@DATASETS.register_module(force=True)
class ToyDataset(Dataset):
    """Points in three classes told apart by the mean of each channel."""
    METAINFO = dict(classes=('a', 'b', 'c'))

    def __init__(self, size=24):
        generator = torch.Generator().manual_seed(1)
        self.labels = torch.arange(size) % 3
        self.inputs = torch.randn(size, 2, 4, 4, generator=generator)
        self.inputs += (self.labels.float().view(-1, 1, 1, 1) - 1)
        self.metainfo = self.METAINFO

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return dict(inputs=self.inputs[index], labels=self.labels[index])


@METRICS.register_module(force=True)
class ToyAccuracy(BaseMetric):
    """The fraction of right answers, in percent."""
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results += [float(guess == label) for guess, label in data_samples]

    def compute_metrics(self, results):
        return dict(AP=100 * sum(results) / len(results))


def toy_config(work_dir, *, by_epoch=False, iters=12, optimizer=None, val=True, **override):
    """The config of a dense training; ``override`` is merged over it."""
    train_cfg = (dict(type='EpochBasedTrainLoop', max_epochs=iters // 4) if by_epoch else
                 dict(type='IterBasedTrainLoop', max_iters=iters, val_interval=iters))
    loader = dict(
        batch_size=6, num_workers=0, dataset=dict(type='ToyDataset'),
        collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True))
    cfg = dict(
        model=dict(type='ToyModel'),
        work_dir=str(Path(work_dir)),
        # Runners of one name in one second would share a logger and a message hub.
        experiment_name=f'toy_{next(_NUMBER)}',
        train_dataloader=loader,
        train_cfg=train_cfg,
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=optimizer or dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.01)),
        param_scheduler=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0,
                              end=iters // 2)],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=100),
            checkpoint=dict(type='CheckpointHook', interval=iters if not by_epoch else 1,
                            by_epoch=by_epoch)),
        randomness=dict(seed=3, deterministic=True),
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        log_level='WARNING',
        default_scope='mmengine')
    if val:
        cfg.update(
            val_dataloader={**loader, 'sampler': dict(type='DefaultSampler', shuffle=False)},
            val_cfg=dict(type='ValLoop'), val_evaluator=dict(type='ToyAccuracy'))
    cfg = Config(cfg)
    cfg.merge_from_dict(override)
    return cfg


def lottery_config(work_dir, *, sparsity=0.8, rounds=1, to='4it', schedule='restart',
                   by_epoch=False, iters=12, optimizer=None, val=True, **override):
    """The toy config with the lottery's override; ``override`` is merged last."""
    cfg = toy_config(work_dir, by_epoch=by_epoch, iters=iters, optimizer=optimizer, val=val)
    cfg.merge_from_dict(dict(
        runner_type='mmlth.LotteryRunner',
        optim_wrapper=dict(type='mmlth.MaskedOptimWrapper'),
        default_hooks=dict(
            rewind=dict(type='mmlth.RewindHook', to=to, schedule=schedule),
            prune=dict(type='mmlth.PruneHook', sparsity=sparsity, rounds=rounds))))
    cfg.merge_from_dict(override)
    return cfg


def run_lottery(cfg, resume=False):
    """Train a lottery; of two in one second each round has a name of its own."""
    name = f'toy_{next(_NUMBER)}.py'
    cfg = Config(cfg.to_dict(), cfg_text=name, filename=name)
    cfg.resume = resume
    return RUNNERS.build(cfg).train()
