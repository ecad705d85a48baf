"""An analysis section."""
from mmlth.registry import ANALYSES
from mmlth.report import Section


@ANALYSES.register_module()
def methods_seen(runs, evaluations):
    """Which methods there are."""
    rows = [dict(run=run.name, method=run.method) for run in runs]
    return [Section('methods-seen', 'Methods seen', 'All of them.', rows,
                    dict(run='run', method='method'))]
