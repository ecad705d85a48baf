"""``lottery.json``: where the chain of rounds stands."""
import json
from pathlib import Path
from typing import Any, Dict, List

from mmengine.config import Config

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath, json_text, write_json

from .lottery_spec import LotterySpec
from .moved import follow
from .same_training import differences, plain_config
from .schema import check_lottery

# JSON may take 20 times its size in memory; of ours a megabyte is much already.
_LARGEST = 8 * 2**20
_OF_ROUNDS = 2**20      # of it, for what rounds note


class LotteryState:
    """The content of ``lottery.json``, saved after each change.

    ``config`` is the whole config in plain values, ``spec`` what its hooks make of it
    (:class:`~mmlth.engine.chain.lottery_spec.LotterySpec`), and ``hooks`` says which of them
    are subclasses of ours; older files have neither of the two.

    ``rounds`` has one dict per round: ``round``, ``status`` (``'waiting'``,
    ``'running'`` or ``'done'``), ``scope_sparsity`` and ``network_sparsity``
    (fractions), ``compute_sparsity`` (of the scope's multiply-adds; None where they could not be
    counted), ``latency`` (of a ticket,
    :func:`~mmlth.engine.chain.ticket_latency.ticket_latency`; None if not measured),
    ``metrics``, ``checkpoint`` and ``ticket`` (paths relative to the work dir),
    ``checkpoint_bytes``, ``ticket_bytes``, ``iterations``,
    ``planned_iterations`` (more, if a hook ended the round early), ``ended_by`` (that hook's
    class), ``rewind_iteration`` (in round 0, where tickets are rewound to), ``given`` (in a round
    0 that was not trained here, :func:`~mmlth.engine.chain.given.note_given`), ``processes`` (that
    train at once, by a launcher), ``ticket_digest`` (of the ticket that the round trains;
    both are noted when it begins) and ``seconds``. In lotteries of older versions
    ``ended_by``, ``rewind_iteration``, ``given``, ``processes``, ``ticket_digest``,
    ``compute_sparsity`` and ``latency`` are None.
    """

    def __init__(self, work_dir: AnyPath, cfg: Config, spec: LotterySpec):
        self.path = Path(work_dir) / paths.LOTTERY
        self.config = plain_config(cfg)
        self.spec, self.hooks = dict(spec.settings), dict(spec.classes)
        self.rounds = [self.waiting(r) for r in range(spec.rounds + 1)]

    @staticmethod
    def waiting(index: int) -> Dict[str, Any]:
        """The entry of a round that has not begun."""
        return dict(
            round=index, status='waiting', scope_sparsity=None, network_sparsity=None,
            compute_sparsity=None, latency=None, metrics={}, checkpoint=None, ticket=None,
            checkpoint_bytes=None, ticket_bytes=None, ticket_digest=None, iterations=0,
            planned_iterations=0, ended_by=None, rewind_iteration=None, given=None, processes=None,
            seconds=0.0)

    def save(self) -> None:
        write_json(self.path, self._content())

    def check_size(self) -> None:
        """Raise a UserError if the file would be too large to be read again."""
        size = len(json_text(self._content()))
        if size > _LARGEST - _OF_ROUNDS:
            key = max(self.config, key=lambda key: len(json_text(self.config[key])))
            raise UserError(
                f'this config takes {size / 2**20:.1f} MiB in {paths.LOTTERY}, which may begin '
                f'with {(_LARGEST - _OF_ROUNDS) / 2**20:.0f} to be read again; most of it is '
                f'{key}. Long lists and arrays belong into a file that the config names, such as '
                'an annotation file of those images.')

    def _content(self) -> Dict[str, Any]:
        return dict(version=1, config=self.config, spec=self.spec, hooks=self.hooks,
                    rounds=self.rounds)

    def resume(self) -> List[str]:
        """Take over what the file says; it must be of a config that trains the same.

        The lotteries that it starts from may have been moved with it.

        Returns:
            list[str]: What else has changed in the config.

        Raises:
            UserError: The file is damaged or of another config.
        """
        saved = read_lottery(self.path)
        config, rounds = saved['config'], saved['rounds']
        moved = follow(config, self.path.parent)
        self.config['load_from'] = moved.get('load_from')
        changed, harmless = differences(config, self.config)
        if changed:
            changed, harmless = differences(moved, self.config)
        if changed:
            raise UserError(
                f'{self.path.parent} was begun with another config, so it cannot be '
                f'resumed: {"; ".join(changed[:5])}{"; ..." if len(changed) > 5 else ""}. '
                'Undo the change, or start in another --work-dir.')
        if len(rounds) != len(self.rounds):
            raise UserError(
                f'{self.path} cannot be read: it has {len(rounds)} rounds, its config '
                f'{len(self.rounds)}; restore it, or start in another --work-dir')
        for own, old in zip(self.rounds, rounds):
            # What an older mmlth did not note keeps its initial value.
            own.update({key: old[key] for key in own.keys() & old.keys()})
        return harmless


def read_lottery(path: AnyPath) -> Dict[str, Any]:
    """The checked content of a ``lottery.json``: ``version``, ``config`` and ``rounds``.

    Raises:
        UserError: The file is missing, damaged, or no lottery's.
    """
    path = Path(path)
    try:
        lottery = read_json(path)
        check_lottery(lottery)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f'{path} cannot be read ({type(error).__name__}: {error}); restore it, or start '
            'in another --work-dir') from None
    return lottery


def read_json(path: AnyPath) -> Any:
    """The JSON in a file of 8 MiB at most.

    Raises:
        OSError, ValueError or RecursionError: It cannot be read, is too large, or no JSON.
    """
    if not Path(path).is_file():
        raise FileNotFoundError('there is no such file')
    with open(path, 'rb') as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f'it is larger than {_LARGEST:,} bytes')
    return json.loads(content.decode('utf-8'))
