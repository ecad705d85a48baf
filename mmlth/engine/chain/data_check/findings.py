"""What can be wrong with data, and what is: one finding per file and kind."""
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, List, Sequence

SHOWN = 20      # findings that are listed one by one
# Kind -> what the table calls it, in the order of the table.
KINDS: Dict[str, str] = {
    'annotation': 'annotations that cannot be read',
    'unread': 'images that do not decode',
    'cut': 'images that are cut short',
    'size': 'images of another size than annotated',
    'flat': 'boxes without an area',
    'outside': 'boxes that leave their image',
    'left out': 'annotations that are left out',
    'empty': 'images without an object',
    'class': 'classes that no file names',
    'unnamed': 'names that the config lacks',
    'order': 'classes that go by another name',
    'unseen': 'classes without an object'}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: Of :data:`KINDS`.
        where: A file, or the name of a class.
        what: What is wrong there, without the name.
        fatal: Whether it would end the training, make its loss not a number, or mix up classes.
    """
    kind: str
    where: str
    what: str
    fatal: bool = False

    def __str__(self) -> str:
        return f'{self.where}: {self.what}'


@dataclass
class Look:
    """What was looked at in the data of one loader.

    Args:
        name: E.g. ``'train_dataloader'``.
        images: How many there are.
        read: How many were decoded.
        objects: How many boxes or labels there are that a training learns from.
        ignored: How many more are marked to be ignored.
        classes: How many the config names.
        findings: What is wrong.
    """
    name: str
    images: int = 0
    read: int = 0
    objects: int = 0
    ignored: int = 0
    classes: int = 0
    findings: List[Finding] = field(default_factory=list)

    @property
    def fatal(self) -> List[Finding]:
        return [finding for finding in self.findings if finding.fatal]


def table(looks: Sequence[Look]) -> str:
    """One table of all that was looked at, a column per loader."""
    rows = [['', *(look.name for look in looks)]]
    for key in ('images', 'read', 'objects', 'ignored', 'classes'):
        title = {'read': 'images read', 'ignored': 'objects to be ignored'}.get(key, key)
        rows.append([title, *(f'{getattr(look, key):,}' for look in looks)])
    counts = [Counter(finding.kind for finding in look.findings) for look in looks]
    rows += [[title, *(f'{count[kind]:,}' if count[kind] else '-' for count in counts)]
             for kind, title in KINDS.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ['| ' + ' | '.join([row[0].ljust(widths[0]),
                                *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) + ' |'
             for row in rows]
    lines.insert(1, '|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    return '\n'.join(lines)


def details(looks: Sequence[Look]) -> str:
    """The first findings of each loader, those that end a training before the others."""
    parts = []
    for title, fatal in (('Would end the training, or spoil it', True),
                         ('To be known', False)):
        for look in looks:
            found = [finding for finding in look.findings if finding.fatal == fatal]
            lines = [f'  {finding}' for finding in _mixed(found)[:SHOWN]]
            if len(found) > SHOWN:
                lines.append(f'  ... and {len(found) - SHOWN:,} more')
            if lines:
                parts.append('\n'.join([f'{title} ({look.name}):', *lines]))
    return '\n\n'.join(parts)


def _mixed(findings: Sequence[Finding]) -> List[Finding]:
    """The first of each kind, then the second of each: none hides the others."""
    seen: Counter = Counter()
    ranked = []
    for finding in findings:
        ranked.append((seen[finding.kind], list(KINDS).index(finding.kind), finding))
        seen[finding.kind] += 1
    return [finding for _, _, finding in sorted(ranked, key=lambda item: item[:2])]
