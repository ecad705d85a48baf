"""What a ticket starts from."""
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Dict, Mapping, Optional

from mmengine.config import Config
from torch import Tensor

from mmlth.core.mask import Mask

if TYPE_CHECKING:
    from ..specs import RewindSpec

State = Dict[str, Tensor]


class Start:
    """What a ticket starts from: its weights, and the schedule that it is trained by.

    This one rewinds both: the weights are those of the rewind point. A class of one's own,
    registered in ``mmlth.registry.STARTS`` or named with its module, is chosen by
    ``RewindHook(mode=...)``; :meth:`weights` is often all that it has.

    Attributes:
        words: What it starts from, as in "A ticket starts from WORDS the rewind point 0it".
        label: What analyses call its trainings; ``''``: it goes without saying. None: its name.
        rewinds: The weights of the rewind point are needed, unless it ``initialises``.
        initialises: There are no start weights: the model is initialised anew, by another seed
            than the dense one.
        resumes: Its training may go on from the rewind point (``schedule='resume'``).
        goes_on: Its training has the last learning rates of the one before.
        length: Of its training, other than the schedule's. None: the schedule's.
        given: What a config called it, in plain values; a ticket notes it. None: the weights are
            those of the point, or the trained ones, as they are.
    """
    words: ClassVar[str] = 'the weights of'
    label: ClassVar[Optional[str]] = None
    rewinds: bool = True
    initialises: ClassVar[bool] = False
    resumes: ClassVar[bool] = True
    goes_on: ClassVar[bool] = False
    length: Optional[str] = None
    given: Any = None

    def check(self, cfg: Config, rewind: 'RewindSpec') -> None:
        """Raise a UserError for what a lottery would miss later.

        Args:
            cfg: The lottery's config; it is not changed.
            rewind: What its RewindHook is set to.
        """

    def weights(self, point: Mapping[str, Tensor], trained: Mapping[str, Tensor],
                mask: Mask) -> State:
        """The start weights: a tensor for each of the model's; none for a new initialisation.

        Args:
            point: The model's parameters and buffers at the rewind point, on the CPU. Empty
                unless ``rewinds``.
            trained: The same as they are at the end of the training, on their device. They are
                the model's own: not to be changed in place.
            mask: The ticket's; its pruned entries are set to 0 afterwards.

        Raises:
            UserError: It cannot be had of these.
        """
        return dict(point)

    def adapt(self, cfg: Config, rewind: 'RewindSpec', point: Path) -> None:
        """Set what the ticket's training goes on from, and its schedule, in place.

        Args:
            cfg: Of the training. Its hook ``ticket`` is the TicketHook.
            rewind: What the lottery's RewindHook is set to.
            point: The rewind point's file.
        """
        cfg.resume = self.resumes and rewind.schedule == 'resume'
        cfg.load_from = str(point) if cfg.resume else None

    @classmethod
    def trained_before(cls, point: Optional[int], before: Optional[int]) -> Optional[int]:
        """How many iterations the start weights were trained since their initialisation.

        Args:
            point: The rewind point's iteration; None where it is not known.
            before: Those of the weights at the end of the round before.
        """
        return point if cls.rewinds else before
