"""One finished lottery: what it was, and what came out of each round."""
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmengine.config import Config

from mmlth.core import paths
from mmlth.engine.chain.lengths import Length
from mmlth.engine.chain.state import read_json
from mmlth.metrics import Metric, metrics_of

from .names import name_of


@dataclass
class Round:
    """One finished round; round 0 is dense.

    Args:
        index: From 0.
        folder: Its work dir.
        checkpoint: ``final.pth``.
        ticket: The ticket that it trained; None in round 0.
        metrics: As the evaluator names and scales them.
        scope_sparsity: Fraction of zeros among the weights in scope.
        network_sparsity: Fraction of zeros over all parameters.
        compute_sparsity: Fraction of the scope's multiply-adds; None if it was not counted.
        latency: Milliseconds as the lottery has measured them: ``dense_ms``, ``sparse_ms`` and
            ``speedup``; None if it has not.
        iterations: That it trained.
        planned_iterations: More, if a hook ended it early.
        length: Its iterations, those of its weights from their start, those of its chain.
        ended_by: The hook that ended it early, in words; None if it ran to its end.
        found_early: Whether that was done with the mask of an early-bird ticket.
        given: Of a dense model that was trained elsewhere, its checkpoint; else None.
        given_digest: Of that file; else None.
        processes: That trained at once, by a launcher; None if an older version noted none.
        seconds: Wall time.
        checkpoint_bytes: Size of the checkpoint; None if unknown.
        ticket_bytes: Size of the ticket; None in round 0.
    """
    index: int
    folder: Path
    checkpoint: Path
    ticket: Optional[Path]
    metrics: Dict[str, float]
    scope_sparsity: float
    network_sparsity: float
    compute_sparsity: Optional[float]
    latency: Optional[Dict[str, float]]
    iterations: int
    planned_iterations: int
    length: Length
    ended_by: Optional[str]
    found_early: bool
    given: Optional[str]
    given_digest: Optional[str]
    processes: Optional[int]
    seconds: float
    checkpoint_bytes: Optional[int]
    ticket_bytes: Optional[int]

    @property
    def trained_fully(self) -> bool:
        """Whether it ran as long as its schedule says: only then is round 0 the dense model."""
        return self.given is not None or 0 < self.iterations >= self.planned_iterations

    @property
    def masks(self) -> Optional[Path]:
        """The file of the masks that it has ended with; None if there is none."""
        if self.ticket is None:
            return None
        moved = self.ticket.with_name(paths.FINAL_MASK)
        return next((path for path in (moved, self.ticket) if path.is_file()), None)


@dataclass
class Run:
    """One finished lottery.

    Args:
        folder: Its work dir.
        model: E.g. ``'Faster R-CNN R18'``.
        data: Name of the training data, e.g. ``'VOC'``.
        seed: None only if a hand-written ``lottery.json`` has none.
        method: ``'direct'``, ``'ImageNet ticket'``, ``'ticket of Keypoint R-CNN R18'``,
            ``'layerwise'``, ``'control: random mask'``, ``'early-bird'``, ...; see
            :func:`mmlth.analysis.found.labels.method_label`.
        settings: Arguments of PruneHook and RewindHook with their defaults (``sparsity``,
            ``rounds``, ``allocation``, ``score``, ``scope``, ``floor``, ``control``,
            ``transfer`` with the ``label`` of its source, ``to``, ``mode``, ``schedule``, ...),
            and ``early_bird``, the arguments of EarlyBirdHook or None.
        training: Hash of the dense training apart from its seed: runs are averaged over
            seeds, and compared with a dense model, only if they agree in it.
        rounds: All of them, the dense one first.
        cfg: The whole config.
        rewound_to: The iteration of the rewind point; None for a point in epochs of an
            iteration-based loop, where an older version has not noted it.
        study: Name of the study it belongs to, or None.
        name: Its folder's name, behind that of its study; other, where another run of a report
            has that name (see :func:`mmlth.analysis.found.names.names_apart`).
    """
    folder: Path
    model: str
    data: str
    seed: Optional[int]
    method: str
    settings: Dict[str, Any]
    training: str
    rounds: List[Round]
    cfg: Config = field(repr=False)
    rewound_to: Optional[int]
    study: Optional[str] = None
    name: str = ''

    def __post_init__(self) -> None:
        self.name = self.name or name_of(self.folder, self.study)

    @property
    def dense(self) -> Round:
        """The dense model; it may be untrained, or trained in part (``trained_fully``)."""
        return self.rounds[0]

    @property
    def ticket(self) -> Round:
        """The last round."""
        return self.rounds[-1]

    @property
    def metrics(self) -> List[Metric]:
        """The main metric of each task that it was evaluated on; ``save_best`` says which."""
        return metrics_of((name for r in self.rounds for name in r.metrics), [self.cfg])

    @property
    def drawn_at_start(self) -> bool:
        """Whether its mask was drawn before any training, as its settings or its folder say."""
        at = self.settings['at']
        return at == 'start' or at is None and (
            self.settings.get('update') is not None
            or (self.dense.folder / paths.START_MASK).is_file())

    @property
    def needed(self) -> Optional[int]:
        """Iterations that its ticket costs.

        Of all rounds; but of its weights alone, from their initialisation on, if its mask was
        drawn before any training: then the dense model is trained only to be compared with.
        """
        length = self.ticket.length
        return length.from_start if self.drawn_at_start else length.chain

    @property
    def own_settings(self) -> Dict[str, Any]:
        """The settings that had an effect: an EarlyBirdHook without ``stop`` only looks on."""
        early_bird = self.settings['early_bird']
        looks_on = early_bird is not None and not early_bird.get('stop')
        return {**self.settings, 'early_bird': None if looks_on else early_bird}

    @property
    def kind(self) -> str:
        """Equal for runs that differ in their seed alone."""
        return self.training + json.dumps(self.own_settings, sort_keys=True, default=str)


def sparsity_report(entry: Round) -> Optional[Dict[str, Any]]:
    """The round's ``sparsity.json``, see :func:`mmlth.core.counts.sparsity_report`.

    None if it is missing or not what mmlth writes.
    """
    try:
        report = read_json(entry.folder / paths.SPARSITY)
        for row in [report['network'], report['scope'], *report['layers']]:
            row['name'] + '', row['weights'] + 0, row['zeros'] + 0, row['sparsity'] + 0.0
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return report
