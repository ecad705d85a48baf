"""From trained networks to the lines between them: a table, a file of numbers, a page."""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from mmlth.core.files import write_json
from mmlth.report import write_report
from mmlth.report.keys import keys_apart
from mmlth.report.write import check_folder

from .compare.barriers import barrier_of, error_axis, errors_of
from .found.children import find_children, find_pairs, left_out_lines
from .measure.connectivity import LineSettings, line_of, remarks
from .sections.connectivity import Measured, connectivity_section


def connect(networks: Sequence[Union[str, Path]], settings: LineSettings,
            json: Optional[Union[str, Path]] = None,
            out: Optional[Union[str, Path]] = None) -> str:
    """Measure the lines that were not measured so before.

    Args:
        networks: As :func:`mmlth.analysis.found.children.find_children` takes them.
        settings: Of the lines.
        json: File for all numbers. Default: None.
        out: Folder for a report. Default: None.

    Returns:
        str: A table per pair, and what has been written.

    Raises:
        UserError: There is no pair, or a network cannot be read or evaluated.
    """
    if out:
        check_folder(out)
    children, left_out = find_children(networks)
    found = [Measured(pair, line_of(pair, settings)) for pair in find_pairs(children, left_out)]
    told = [remarks(each.pair) for each in found]
    parts = left_out_lines(left_out)
    parts += [_text(each, sentences) for each, sentences in zip(found, told)]
    if json:
        write_json(json, [_numbers(each, sentences) for each, sentences in zip(found, told)])
        parts.append(f'All numbers: {json}')
    if out:
        section = connectivity_section(found)
        keys_apart([section])
        section.text = '\n\n'.join([section.text, *dict.fromkeys(sum(told, []))])
        parts.append(f'Report: {write_report([section], out, title="Linear mode connectivity")}')
    return '\n\n'.join(parts)


def _text(measured: Measured, sentences: Sequence[str]) -> str:
    """The errors at each point, and the barriers."""
    columns = _barriers(measured)
    heads = ['alpha', *columns]
    rows = [[f'{alpha:.3f}', *(f'{barrier.errors[k]:.3f}' for barrier in columns.values())]
            for k, alpha in enumerate(next(iter(columns.values())).alphas)]
    rows += [['barrier', *(f'{barrier.height:.3f}' for barrier in columns.values())]]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = ['  '.join(cell.rjust(width) for cell, width in zip(row, widths))
             for row in [heads, *rows]]
    pair = measured.pair
    return '\n'.join([
        f'{pair.a.name} (alpha 0) to {pair.b.name} (alpha 1); batch norm by '
        f'{measured.line["images"]} training images at each point', *sentences, *lines])


def _numbers(measured: Measured, sentences: Sequence[str]) -> Dict[str, Any]:
    pair, line = measured
    return dict(
        a=str(pair.a.checkpoint), b=str(pair.b.checkpoint), siblings=not pair.apart,
        remarks=list(sentences), images=line['images'], points=line['points'],
        barriers={name: dict(height=barrier.height, highest=barrier.highest, at=barrier.at,
                             ends=barrier.ends) for name, barrier in _barriers(measured).items()})


def _barriers(measured: Measured) -> Dict[str, Any]:
    """By error; in the training loss, which every line has, last."""
    metrics: List[Any] = [*errors_of([measured.line], measured.pair.a.run.cfg), None]
    found = {error_axis(metric): barrier_of(measured.line, metric) for metric in metrics}
    return {name: barrier for name, barrier in found.items() if barrier}
