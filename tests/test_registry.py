"""How a setting names a method."""
import pytest

from mmlth.core.errors import UserError
from mmlth.registry import SCORES, find


def test_why_a_module_cannot_be_imported_is_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'own_scores').mkdir()
    (tmp_path / 'own_scores' / '__init__.py').write_text('def size(weights):\n    return weights\n')
    (tmp_path / 'own_scores' / 'lacking.py').write_text(
        'import no_such_package\n\n\ndef size(weights):\n    return weights\n')
    assert find(SCORES, 'own_scores.size').__name__ == 'size'
    with pytest.raises(UserError, match=r"'own_scores.lacking.size' \(own_scores.lacking cannot be "
                       r"imported: No module named 'no_such_package'\), expected one of: "):
        find(SCORES, 'own_scores.lacking.size')
    for misspelt in ('own_scores.sise', 'own_score.size', 'own_scores.lacing.size', 'sise', 3):
        with pytest.raises(UserError, match=f'unknown score {misspelt!r}, expected one of: '):
            find(SCORES, misspelt)
