"""Sections of every kind, as an analysis makes them; the numbers are made up."""
from math import sin

from mmlth.report import Figure, Picture, Reference, Section, Series
from mmlth.report.picture import to_png

SPARSITIES = [20, 50, 80, 90, 95]
CATEGORIES = (
    'person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant '
    'stop_sign parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe '
    'backpack umbrella handbag tie suitcase frisbee skis snowboard sports_ball kite '
    'baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass cup fork '
    'knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair '
    'couch potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone '
    'microwave oven toaster sink refrigerator book clock vase scissors teddy_bear hair_drier '
    'toothbrush').replace('_', ' ').split(' ')
CATEGORIES = [f'category {i} {name}' if i % 9 == 0 else name
              for i, name in enumerate(CATEGORIES[:80])]
LAYERS = [f'backbone.layer{i}.{j}.conv{k}' for i in range(1, 5) for j in range(2) for k in (1, 2)]
METHODS = {'direct': 0.0, 'ImageNet ticket': -1.4, 'control: random mask': -3.1,
           'control: fresh weights': -4.0}


def sparsity_section() -> Section:
    series = [Series(label, SPARSITIES,
                     [None if label.startswith('control') and s == 20
                      else 68.5 + drop * (0.4 + s / 100) - (s / 100) ** 6 * 6
                      + 0.2 * sin(s + 3 * drop) for s in SPARSITIES],
                     [0.9 + 0.1 * i for i in range(5)]) for label, drop in METHODS.items()]
    figure = Figure(
        'map_sparsity', 'lines', 'mAP of tickets on VOC against their sparsity: mean of five '
        'seeds, the band is ±3 standard deviations. The dashed line is the dense model, its band '
        'one standard deviation.', 'sparsity of the weights in scope (%)', 'mAP (%)', series,
        [Reference('dense, mean of 5', 68.53, 0.29)])
    rows = [dict(method=s.label, sparsity=x, mean=y, std=e / 3, seeds=5, p=10.0 ** -(i + 1),
                 winning=bool(i % 2)) for s in series
            for i, (x, y, e) in enumerate(zip(s.x, s.y, s.error))][:15]
    return Section(
        'sparsity', 'mAP against sparsity', 'Each ticket was trained with five seeds; the dense '
        'model of the same seed is its round 0.\n\nThe band is wide where seeds disagree: a '
        'ticket inside the dense band wins by the paper\'s rule.', rows,
        dict(method='method', sparsity='sparsity (%)', mean='mAP (%)', std='σ (%)', seeds='seeds',
             p='p', winning='winning'), [figure], paper='Fig. 2a')


def category_section() -> Section:
    series = [Series(f'{s} %', CATEGORIES, [
        -(0.3 if s == 80 else 0.7) * (i % 17) - 4 * abs(sin(i)) + 3 for i in range(80)])
        for s in (80, 90)]
    figures = [
        Figure('category_frequency', 'bars', 'Change of AP from dense of each category, rare ones '
               'first.', 'category, by number of training boxes', 'change of AP from dense (%)',
               series),
        Figure('object_size', 'bars', 'Change of AP by the size of objects.', 'task',
               'change of AP from dense (%)',
               [Series(size, ['boxes', 'masks', 'keypoints'], values, [0.5, 0.4, 0.6])
                for size, values in (('small', [-9, -8, None]), ('medium', [-4, -5, -2]),
                                     ('large', [-2, 1.1, -1]))])]
    return Section('categories', 'AP per category', 'Categories without AP in the dense model are '
                   'left out: toaster, hair drier.', figures=figures, paper='Fig. 5')


def layer_section() -> Section:
    parts = [Series('base', LAYERS[:10], [5 * i + 20 for i in range(10)]),
             Series('top', LAYERS[10:], [90 - 3 * i for i in range(6)])]
    bird = Figure(
        'early_bird', 'lines', 'Agreement of early masks with the final one, and mAP of the '
        'tickets drawn there.', 'iteration', 'IoU of surviving weights',
        [Series('IoU with the final mask', [500, 1000, 2000, 4000, 8000],
                [0.55, 0.7, 0.84, 0.93, 0.99]),
         Series('IoU with the mask before', [500, 1000, 2000, 4000, 8000],
                [None, 0.8, 0.9, 0.95, 0.97])], [Reference('chance', 0.11)],
        [Series('mAP of the early-bird ticket', [500, 1000, 2000, 4000, 8000],
                [64.0, 66.1, 67.3, 67.9, 68.2], [0.3] * 5)], 'mAP (%)')
    layers = Figure('layers', 'bars', 'Sparsity of each layer, input to output.', 'layer',
                    'weights pruned (%)', parts, [Reference('all in scope', 80.0)])
    return Section('layers', 'Where the zeros are', 'Global pruning spares the first layers.',
                   [dict(layer=name, sparsity=50.0) for name in LAYERS], figures=[bird, layers],
                   paper='Figs. 2c, 2f')


def picture_section(folder) -> Section:
    from PIL import Image
    png = to_png(Image.linear_gradient('L').resize((960, 320)))
    return Section('samples', 'Dense and ticket side by side', 'Left the annotation, then dense, '
                   'then the ticket.',
                   pictures=[Picture('sample_1', png, 'Image 000012: <b> & "x"')])


def all_sections(folder):
    return [sparsity_section(), category_section(), layer_section(), picture_section(folder)]
