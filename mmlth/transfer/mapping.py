"""Which tensor of the source goes where: rules on names that one can read."""
import re
from typing import Container, Dict, List, Mapping, Match, Optional, Pattern, Sequence, Tuple, Union

from mmlth.core.errors import UserError
from mmlth.core.parts import BACKBONE, BEHIND_BACKBONE, TILL_HEADS, any_of

from .formats import forms

# (regex on the source's name, replacements): the first rule that matches decides, and of its
# replacements the first that the target has.
Rule = Tuple[str, Sequence[str]]
_Compiled = Tuple[Pattern[str], List[str]]

MAPPINGS: Dict[str, Sequence[Rule]] = {
    # A classifier (torchvision, timm: layer1...; mmpretrain: backbone.layer1...) or a detector
    # into the backbone of any model. A classifier's own head (fc, head) finds no place and is
    # left out.
    'backbone': [
        (rf'^{any_of(BACKBONE)}\.(.+)$', [rf'{part}.\1' for part in BACKBONE]),
        (rf'^(?!{any_of(BEHIND_BACKBONE)}\.)(.+)$', [rf'{part}.\1' for part in BACKBONE])],
    # Between tasks.
    'till_heads': [(rf'^({any_of(TILL_HEADS)}\..+)$', [r'\1'])],
    'same': [(r'^(.+)$', [r'\1'])],
}


def match_names(source: Sequence[str], target: Sequence[str],
                mapping: Union[str, Sequence[Rule]]) -> Dict[str, str]:
    """Source name -> target name, for all that have a place in the target.

    Args:
        source: Names; what wraps a model (``module.`` of DataParallel, ``model.`` of Lightning)
            is taken off where a name has no place with it.
        target: The target's names.
        mapping: A key of :data:`MAPPINGS`, or rules of one's own,
            ``[(regex, replacement or replacements), ...]``.

    Raises:
        UserError: There is no such mapping, a rule is malformed, or two source tensors
            would go to one place.
    """
    rules, known = _rules(mapping), set(target)
    found: Dict[str, str] = {}
    for name in source:
        places = (_place(form, rules, known) for form in forms(name))
        place = next((place for place in places if place is not None), None)
        if place is not None:
            taken = next((n for n, p in found.items() if p == place), None)
            if taken is not None:
                raise UserError(f'both {taken} and {name} of the source would go to {place}; use '
                                'rules that tell them apart')
            found[name] = place
    return found


def _place(name: str, rules: Sequence[_Compiled], known: Container[str]) -> Optional[str]:
    for pattern, replacements in rules:
        match = pattern.match(name)
        if match:
            places = (_expand(match, replacement) for replacement in replacements)
            return next((place for place in places if place in known), None)
    return None


def _expand(match: Match[str], replacement: str) -> str:
    try:
        return match.expand(replacement)
    except (re.error, IndexError, TypeError) as error:
        raise UserError(f'the rule ({match.re.pattern!r}, {replacement!r}) cannot be applied to '
                        f'{match.string}: {error}') from None


def _rules(mapping: Union[str, Sequence[Rule], Mapping]) -> List[_Compiled]:
    if isinstance(mapping, str):
        if mapping not in MAPPINGS:
            raise UserError(f'there is no mapping {mapping!r}, expected one of: '
                            f'{", ".join(MAPPINGS)}, or a list of (regex, replacement)')
        mapping = MAPPINGS[mapping]
    try:
        return [(re.compile(pattern), [places] if isinstance(places, str) else list(places))
                for pattern, places in mapping]
    except (re.error, TypeError, ValueError) as error:
        raise UserError(f'a mapping is a list of (regex, replacement), got {mapping!r}: '
                        f'{error}') from None
