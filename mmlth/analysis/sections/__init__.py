"""One analysis a module: from runs to sections of the report, which look what they show up below.

An analysis is one function ``(runs, evaluations) -> sections`` in the registry ANALYSES. It takes
all finished lotteries and what their networks were evaluated to be, and raises a UserError that
says why it has nothing to show.
"""
from typing import Callable, Dict, List, Sequence

from mmlth.registry import ANALYSES
from mmlth.report import Section

from ..found.run import Run
from ..measure.evaluate import Evaluations
from .ablations import allocation_sections, rewinding_sections, rounds_sections
from .categories import difficulty_sections, frequency_sections
from .connectivity import connectivity_sections
from .controls import controls_sections
from .cost import network_cost_sections, training_cost_sections
from .curves import backbone_sections, sparsity_sections
from .early_bird import early_bird_sections
from .endings import endings_sections
from .equal_cost import equal_cost_sections
from .latency import latency_sections
from .layers import layers_sections
from .modules import modules_sections
from .overlap import overlap_sections
from .samples import samples_sections
from .sizes import sizes_sections
from .tables import imagenet_sections, task_sections
from .verdict import verdict_sections

Analysis = Callable[[Sequence[Run], Evaluations], List[Section]]

# In the order of the report; those of users come behind them.
BUILT_IN: Dict[str, Analysis] = {
    'trained to the end': endings_sections, 'verdict': verdict_sections,
    'controls': controls_sections, 'sparsity': sparsity_sections, 'models': backbone_sections,
    'latency': latency_sections,
    'rewinding point': rewinding_sections, 'linear mode connectivity': connectivity_sections,
    'layers': layers_sections, 'rounds': rounds_sections, 'allocation': allocation_sections,
    'early-bird': early_bird_sections, 'modules': modules_sections,
    'ImageNet tickets': imagenet_sections, 'tickets of other tasks': task_sections,
    'object sizes': sizes_sections, 'frequency of categories': frequency_sections,
    'difficulty of categories': difficulty_sections, 'overlap of tickets': overlap_sections,
    'sample images': samples_sections, 'cost of the tickets': training_cost_sections,
    'equal cost': equal_cost_sections, 'cost of the networks': network_cost_sections}
for _name, _analysis in BUILT_IN.items():
    ANALYSES.register_module(name=_name, module=_analysis)
