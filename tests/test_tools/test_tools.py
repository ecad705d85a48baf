"""The tools as a user runs them: each once in a process of its own, real images."""
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

from mmlth.core import Ticket, draw, prunable
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model
from mmlth.sparse import ops

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs' / 'lth'
VOC = CONFIGS / 'faster_rcnn_r18_voc_prune80.py'
DIGITS = CONFIGS / 'faster_rcnn_r18_digits.py'


def tool(name, *args, cwd=ROOT):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', str(ROOT / 'tools' / f'{name}.py'), *map(str, args)],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, 'OMP_NUM_THREADS': '1'})


def tool_here(monkeypatch, name, *args):
    """Run a tool in this process, which has imported all already; returns what it exits with."""
    script = str(ROOT / 'tools' / f'{name}.py')
    monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
    monkeypatch.setenv('LOCAL_RANK', '0')       # train.py sets it
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')      # latency.py
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as end:
        return end.code
    return 0


def without_mmlth(script, *args, cwd=ROOT):
    """Run a stock tool in a process where mmlth cannot be imported."""
    code = (f'import sys, runpy; sys.modules["mmlth"] = None; sys.argv[0] = {str(script)!r}; '
            f'runpy.run_path({str(script)!r}, run_name="__main__")')
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', code, *map(str, args)],
                          capture_output=True, text=True, cwd=cwd)


def mmdet_tool(name):
    import mmdet
    return Path(mmdet.__path__[0]) / '.mim' / 'tools' / name


def tiny_voc(real_data, iterations=3):
    """Options for the VOC config: few real photographs, small (one anchor must fit), no weights."""
    options = {
        'model.backbone.init_cfg': 'None', 'model.roi_head.shared_head.init_cfg': 'None',
        'train_dataloader.batch_size': 2, 'train_dataloader.num_workers': 0,
        'val_dataloader.num_workers': 0, 'test_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader.persistent_workers': False,
        'test_dataloader.persistent_workers': False,
        'train_dataloader.dataset.indices': 12, 'val_dataloader.dataset.indices': 5,
        'test_dataloader.dataset.indices': 5,
        'model.train_cfg.rcnn.sampler.num': 32, 'model.test_cfg.rpn.max_per_img': 50,
        'train_cfg.max_iters': iterations, 'train_cfg.val_interval': iterations,
        'default_hooks.rewind.to': '1it', 'default_hooks.logger.interval': 1}
    for loader in ('train', 'val', 'test'):
        options[f'{loader}_dataloader.dataset.data_root'] = f'{real_data}/VOCdevkit/'
    for loader, step in (('train', 2), ('val', 1), ('test', 1)):
        options[f'{loader}_dataloader.dataset.pipeline.{step}.scale'] = '(320,200)'
    return [f'{key}={value}' for key, value in options.items()]


def metric(text):
    """The values of the last evaluation in a log."""
    return re.findall(r'pascal_voc/mAP: ([\d.]+)\s+pascal_voc/AP50: ([\d.]+)', text)[-1]


@pytest.mark.slow
def test_the_voc_job_on_real_photographs(tmp_path, real_data, monkeypatch, capfd):
    """Both rounds, evaluation, resume; then mmdet's own test.py without mmlth."""
    options = tiny_voc(real_data)
    work_dir = tmp_path / 'voc'
    result = tool('train', VOC, '--work-dir', work_dir, '--cfg-options', *options)
    assert result.returncode == 0, result.stderr[-3000:]
    assert '| 0 (dense) | 0.00%' in result.stdout and '| 70.67%' in result.stdout
    rounds = json.loads((work_dir / 'lottery.json').read_text())['rounds']
    assert set(rounds[1]['metrics']) == {'pascal_voc/mAP', 'pascal_voc/AP50'}

    again = tool_here(
        monkeypatch, 'train', VOC, '--work-dir', work_dir, '--resume', '--cfg-options', *options)
    assert again == 0 and 'Round 1/1 is finished, skipped' in capfd.readouterr().out

    dense_config = CONFIGS / 'faster_rcnn_r18_voc.py'
    options = [o for o in options if 'rewind' not in o]
    expected = [f'{rounds[1]["metrics"][f"pascal_voc/{n}"]:.4f}' for n in ('mAP', 'AP50')]
    final = work_dir / 'round_1' / 'final.pth'
    stock = without_mmlth(mmdet_tool('test.py'), dense_config, final,
                          '--work-dir', tmp_path / 'stock', '--cfg-options', *options)
    assert stock.returncode == 0, stock.stderr[-3000:]
    assert list(metric(stock.stdout + stock.stderr)) == expected
    ours = tool('test', VOC, final, '--work-dir', tmp_path / 'ours', '--out',
                tmp_path / 'out.pkl', '--cfg-options', *options)
    assert ours.returncode == 0, ours.stderr[-3000:]
    assert list(metric(ours.stdout + ours.stderr)) == expected
    assert (tmp_path / 'out.pkl').stat().st_size > 1000


@pytest.mark.slow
def test_any_stock_config_with_an_override(tmp_path, real_data, monkeypatch):
    """RetinaNet of mmdet's zoo on COCO, no file written; under mmdet's own train.py too."""
    options = {
        'model.backbone.init_cfg': 'None', 'train_cfg.max_epochs': 1,
        'model.backbone.frozen_stages': -1, 'latency': False,
        'train_dataloader.dataset.indices': 6, 'val_dataloader.dataset.indices': 3,
        'train_dataloader.num_workers': 0, 'val_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader.persistent_workers': False,
        'train_dataloader.dataset.pipeline.2.scale': '(160,100)',
        'val_dataloader.dataset.pipeline.1.scale': '(160,100)',
        'train_dataloader.dataset.data_root': f'{real_data}/coco80/',
        'val_dataloader.dataset.data_root': f'{real_data}/coco80/',
        'val_evaluator.ann_file': f'{real_data}/coco80/annotations/instances_val2017.json'}
    options = [f'{key}={value}' for key, value in options.items()]
    assert tool_here(monkeypatch, 'train', 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', '--lth',
                     CONFIGS / 'overrides' / 'prune80.py', '--work-dir', tmp_path,
                     '--cfg-options', *options, 'default_hooks.rewind.to=1it') == 0
    final = torch.load(tmp_path / 'round_1' / 'final.pth', weights_only=True)
    zeros = sum(int((final['state_dict'][n] == 0).sum()) for n in final['mmlth']['masks'])
    size = sum(final['state_dict'][n].numel() for n in final['mmlth']['masks'])
    assert zeros == round(0.8 * size)

    override = tmp_path / 'leaf.py'
    override.write_text("_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'\n"
                        + (CONFIGS / 'overrides' / 'prune80.py').read_text().split('"""')[2])
    stock = subprocess.run(
        [sys.executable, '-W', 'ignore', mmdet_tool('train.py'), override, '--work-dir',
         tmp_path / 'stock', '--cfg-options', *options, 'default_hooks.rewind.to=1it'],
        capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert stock.returncode == 0, stock.stderr[-3000:]
    assert (tmp_path / 'stock' / 'report.md').exists()


def test_scope_prints_what_the_paper_prints():
    result = tool('scope', VOC, '--json')
    assert result.returncode == 0, result.stderr
    preview = json.loads(result.stdout)
    share = {row['name']: 100 * row['share'] for row in preview['groups']}
    assert share['base'] == pytest.approx(21.93, abs=0.05)
    assert share['top'] == pytest.approx(66.39, abs=0.05)
    assert share['rpn'] == pytest.approx(9.71, abs=0.05)
    assert share['head'] == pytest.approx(0.43, abs=0.05)
    assert 100 * preview['network_sparsity'] == pytest.approx(70.66, abs=0.05)
    assert preview['scope_sparsity'] == pytest.approx(0.8, abs=1e-6)
    assert preview['scope_weights'] == sum(row['in_scope'] for row in preview['groups']
                                           if row['name'] in ('base', 'top'))


@pytest.mark.parametrize('config, groups', [
    ('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
     {'stem', 'base', 'top', 'downsample', 'backbone', 'neck', 'rpn', 'head', 'box_head',
      'mask_head', 'norm'}),
    ('mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py',
     {'backbone', 'head'}),
])
def test_scope_of_stock_configs(monkeypatch, capsys, config, groups):
    # Where another library's scope is the current one mmengine warns on stdout: JSON stays JSON.
    for scope in ('mmdet', 'mmpose', 'mmengine'):
        DefaultScope.get_instance(scope, scope_name=scope)
    assert tool_here(monkeypatch, 'scope', config, '--lth',
                     CONFIGS / 'overrides' / 'prune80.py', '--json') == 0
    preview = json.loads(capsys.readouterr().out)
    assert groups <= {row['name'] for row in preview['groups']}
    assert 0.7 < preview['network_sparsity'] <= 0.8


@pytest.mark.parametrize('args, message', [
    (['none.py'], 'there is no config none.py'),
    (['nothere::a.py'], "no installed package 'nothere'"),
    ([VOC], 'VOCdevkit'),
    ([VOC, '--cfg-options', 'default_hooks.prune.sparsity=1'], 'in [0, 1)'),
    ([VOC, '--cfg-options', 'default_hooks.prune.sparsity=-0.1'], 'in [0, 1)'),
    ([VOC, '--cfg-options', 'default_hooks.prune.allocation=uniform'], 'global, layerwise'),
    ([VOC, '--cfg-options', 'optim_wrapper.type=OptimWrapper'], 'not mask-aware'),
    ([VOC, '--resume', 'a.pth'], 'without a checkpoint'),
], ids=lambda value: str(value)[-40:])
def test_mistakes_end_with_one_line(monkeypatch, tmp_path, args, message):
    monkeypatch.chdir(tmp_path)
    line = tool_here(monkeypatch, 'train', *args)
    assert line.startswith('Error: ') and message in line and '\n' not in line
    assert not (tmp_path / 'work_dirs').exists()


def test_unknown_group_lists_the_groups(monkeypatch, tmp_path, real_data):
    line = tool_here(monkeypatch, 'train', VOC, '--work-dir', tmp_path, '--cfg-options',
                     *tiny_voc(real_data), 'default_hooks.prune.scope=["body"]')
    assert "unknown group(s) 'body'" in line and 'stem, base, top, downsample' in line


def test_rewind_point_after_the_end(tmp_path, real_data):
    result = tool('train', VOC, '--work-dir', tmp_path, '--cfg-options',
                  *tiny_voc(real_data), 'default_hooks.rewind.to=600it')
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith('Error: ') and 'ends after 3' in line


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A detector of digits of which 90 % are pruned."""
    torch.manual_seed(0)
    model = build_model(load_config(str(DIGITS)))
    weights = prunable(model)
    mask = draw(weights, 0.9)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.mul_(mask[name])
    path = tmp_path_factory.mktemp('checkpoint') / 'final.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def test_digits_and_a_ticket_of_them(monkeypatch, capsys, checkpoint, tmp_path):
    assert tool_here(monkeypatch, 'make_digits', '--root', tmp_path / 'digits', '--train', 3,
                     '--val', 2, '--size', 96) == 0
    assert str(tmp_path / 'digits') in capsys.readouterr().out
    scenes = json.loads((tmp_path / 'digits/annotations/instances_train.json').read_text())
    assert [(image['width'], image['height']) for image in scenes['images']] == [(96, 96)] * 3

    ticket = tmp_path / 'ticket.safetensors'
    assert tool_here(monkeypatch, 'draw_ticket', DIGITS, checkpoint, '-o', ticket, '--sparsity',
                     0.7, '--lth', CONFIGS / 'overrides' / 'prune80.py') == 0
    mask = Ticket.load(ticket).mask
    size, pruned = (sum(int(n) for n in numbers) for numbers in zip(*(
        (keep.numel(), (~keep).sum()) for keep in mask.values())))
    assert f'{pruned:,} of {size:,}' in capsys.readouterr().out and pruned == round(0.7 * size)

    line = tool_here(monkeypatch, 'draw_ticket', DIGITS, tmp_path / 'none.pth', '-o',
                     tmp_path / 'none', '--sparsity', 0.8)
    assert line.startswith('Error: ') and 'none.pth' in line and '\n' not in line
    assert not (tmp_path / 'none').exists()


@pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
def test_the_latency_of_a_ticket(monkeypatch, capsys, checkpoint, tmp_path):
    assert tool_here(monkeypatch, 'latency', DIGITS, checkpoint, '--shape', 96, 128, '--repeats', 1,
                     '--no-compile', '--threads', 1, 2, '--json', tmp_path / 'latency.json') == 0
    assert capsys.readouterr().out.count('speed-up') == 2
    first = json.loads((tmp_path / 'latency.json').read_text())
    assert [first['threads'], *(more['threads'] for more in first['more_threads'])] == [1, 2]
    assert first['max_relative_difference'] < 1e-4 and 'compile' not in first['forms']
    densities = {layer['name']: layer['density'] for layer in first['layers']}
    assert min(densities.values()) < 0.1 and max(densities.values()) > 0.2

    line = tool_here(monkeypatch, 'latency', DIGITS, tmp_path / 'none.pth', '--shape', 96, 128)
    assert line.startswith('Error: ') and 'none.pth' in line
