"""Sample images, dense against ticket side by side."""
from typing import Any, Dict, List, Optional, Sequence

from mmlth.core.errors import UserError
from mmlth.engine.chain.samples import IMAGES, OBJECTS, SCORE
from mmlth.report import Picture, Section
from mmlth.report.keys import slug
from mmlth.report.picture import render_columns, to_png

from ..compare.changes import missing_text
from ..compare.families import main_cells
from ..compare.groups import Cell, Group, group_runs
from ..compare.sparsities import percent
from ..found.run import Run
from ..measure.evaluate import Evaluations

_WANTED = 80        # scope sparsity in percent; the nearest is shown


def samples_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """A few images per model.

    Raises:
        UserError: No dense model and ticket of the same seed were evaluated.
    """
    pictures: List[Picture] = []
    for group in group_runs(runs):
        run = _shown(group, evaluations)
        if run is not None:
            pictures += _pictures(group, run, evaluations)
    if not pictures:
        raise UserError('no drawn ticket was evaluated together with the dense model of its '
                        f'lottery. {missing_text(evaluations)}'.strip())
    return [Section(
        'samples', 'Sample images',
        f'The first {IMAGES} of the evaluation images with at least {OBJECTS} annotated objects '
        '(if there are not so many, those with the most), whatever is predicted on them. Left: '
        'ground truth; middle: the dense model; right: the ticket of the lowest seed whose '
        f'sparsity is nearest to {_WANTED} %. Predictions with a score of {SCORE} and above are '
        'shown; where none reaches it, none is.', pictures=pictures)]


def _shown(group: Group, evaluations: Evaluations) -> Optional[Run]:
    """The run to show: of the cell nearest to the wanted sparsity the lowest seed."""
    def both(run: Run) -> bool:
        return run.dense.trained_fully and None not in (
            evaluations.get(run.dense), evaluations.get(run.ticket))
    cells = [Cell([run for run in cell.runs if both(run)], cell.settings)
             for cell in main_cells(group)]
    cells = [cell for cell in cells if cell.runs]
    if not cells:
        return None
    cell = min(cells, key=lambda c: abs(c.scope_sparsity - _WANTED))
    return min(cell.runs, key=lambda run: (run.seed is None, run.seed))


def _pictures(group: Group, run: Run, evaluations: Evaluations) -> List[Picture]:
    """Of a run whose dense model and ticket were evaluated."""
    dense, ticket = evaluations.get(run.dense) or {}, evaluations.get(run.ticket) or {}
    of_ticket = {example['image_id']: example for example in ticket['examples']}
    pictures = []
    for example in dense['examples']:
        if example['image_id'] not in of_ticket:
            continue
        columns = [('ground truth', example['truth']),
                   ('dense', _shown_predictions(example)),
                   (f'ticket, {percent(100 * run.ticket.scope_sparsity)} % of the scope pruned',
                    _shown_predictions(of_ticket[example['image_id']]))]
        key = slug('sample', group.label, example['image_id'])
        counts = ', '.join(f'{len(objects)} {title.split(",")[0]}' for title, objects in columns)
        pictures.append(Picture(
            key, to_png(render_columns(example, columns)),
            f'{group.label}, image {example["image_id"]}, seed {run.seed}. Objects: {counts}.'))
    return pictures


def _shown_predictions(example: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The predictions that are shown."""
    return [found for found in example['predictions'] if found['score'] >= SCORE]
