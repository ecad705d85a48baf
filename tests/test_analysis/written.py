"""Lotteries as they stand on disk, without the training: written through LotteryState."""
import copy
from pathlib import Path

from mmengine.config import Config

from mmlth.core import paths
from mmlth.core.files import write_json, write_text
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.state import LotteryState

FASTER = dict(type='FasterRCNN', backbone=dict(type='ResNet', depth=18),
              roi_head=dict(type='StandardRoIHead', shared_head=dict(type='ResLayer')))
MASK = dict(type='MaskRCNN', backbone=dict(type='ResNet', depth=18), neck=dict(type='FPN'))
KEYPOINT = dict(type='mmlth.KeypointRCNN', backbone=dict(type='ResNet', depth=18))
VOC = dict(type='VOCDataset', data_root='data/VOCdevkit/',
           ann_file='VOC2007/ImageSets/Main/trainval.txt')
COCO = dict(type='CocoDataset', data_root='data/coco/')
MAP, BOX, SEGM = 'pascal_voc/mAP', 'coco/bbox_mAP', 'coco/segm_mAP'


def lottery_cfg(seed=0, model=FASTER, data=VOC, iters=100, rewind=None, early_bird=None,
                **prune):
    """A lottery's config; ``prune`` are arguments of its PruneHook.

    ``scope_`` is its scope: ``scope`` is a sparsity in :func:`write_lottery`.
    """
    if 'scope_' in prune:
        prune['scope'] = prune.pop('scope_')
    hooks = dict(
        prune=dict(type='mmlth.PruneHook', **prune),
        rewind=dict(type='mmlth.RewindHook', **(rewind or {})))
    if early_bird is not None:
        hooks['early_bird'] = dict(type='mmlth.EarlyBirdHook', **early_bird)
    return Config(copy.deepcopy(dict(
        model=model, train_dataloader=dict(batch_size=2, dataset=data),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=iters), default_hooks=hooks,
        randomness=dict(seed=seed), runner_type='mmlth.LotteryRunner')))


def write_lottery(folder, dense, ticket, scope=0.8, network=0.7, rounds=1, dense_iterations=None,
                  done=True, layers=None, **config):
    """Write a lottery's files.

    Args:
        folder: Its work dir.
        dense, ticket: Metrics of round 0 and of the last round.
        scope, network: Sparsities of the last round.
        rounds: Number of the last round; a list of sparsities says it itself.
        dense_iterations: Fewer than planned, if the dense training was ended early.
        done: Whether the last round is.
        layers: Of the last round's ``sparsity.json``: name -> (weights, zeros).
        config: Of :func:`lottery_cfg`.
    """
    folder, iters = Path(folder), config.get('iters', 100)
    if not isinstance(config.get('sparsity'), list):
        config['rounds'] = rounds
    cfg = lottery_cfg(**config)
    state = LotteryState(folder, cfg, LotterySpec.of(cfg))
    rounds = len(state.rounds) - 1
    for entry in state.rounds:
        index = entry['round']
        entry.update(
            status='done', metrics=dense if index == 0 else ticket,
            scope_sparsity=scope * index / rounds, network_sparsity=network * index / rounds,
            checkpoint=f'round_{index}/final.pth', checkpoint_bytes=1000, seconds=60.0,
            ticket=f'round_{index}/ticket.safetensors' if index else None,
            ticket_bytes=100 if index else None, planned_iterations=iters,
            iterations=iters if index or dense_iterations is None else dense_iterations)
    if not done:
        state.rounds[-1].update(status='running')
    state.save()
    if layers:
        write_json(paths.round_dir(folder, rounds) / paths.SPARSITY, _report(layers))
    return folder


def one(analysis, runs, evaluations=None):
    """The only section of an analysis; most look at the runs alone."""
    section, = analysis(runs, evaluations)
    return section


def write_curve(folder, rows):
    """The curve of early masks: (iteration, IoU with the final mask, chance)."""
    lines = ['iteration,iou_previous,iou_final,chance', *(f'{i},,{iou},{c}' for i, iou, c in rows)]
    write_text(paths.round_dir(folder, 0) / paths.EARLY_BIRD / paths.EARLY_BIRD_CSV,
               '\n'.join(lines) + '\n')


def _report(layers):
    def row(name, weights, zeros):
        return dict(name=name, weights=weights, zeros=zeros, sparsity=zeros / weights)
    weights, zeros = (sum(v) for v in zip(*layers.values()))
    return dict(network=row('network', 2 * weights, zeros), scope=row('scope', weights, zeros),
                groups=[], layers=[{**row(n, *v), 'group': 'base'} for n, v in layers.items()])
