"""What became of each layer of a sparse model."""
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional


@dataclass
class LayerReport:
    """One convolution or linear layer."""
    name: str
    density: float                      # share of the weights that is not zero
    calls: int                          # in one run of the model
    dense_ms: Optional[float] = None    # of all its calls; None: not measured
    sparse_ms: Optional[float] = None
    chosen: str = 'dense'               # or 'sparse'
    why: Optional[str] = None


@dataclass
class SparseReport:
    """All of them."""
    layers: List[LayerReport]
    folded: int                         # batch norms
    pools: int                          # max poolings that run on our kernel
    aligns: int                         # RoIAligns likewise
    threads: int                        # that the times were measured with
    unavailable: Optional[str]          # why there are no sparse kernels; None: there are
    dense_ms: Optional[float] = None    # of the whole model; None: no layer is faster sparse
    sparse_ms: Optional[float] = None

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def to_text(self) -> str:
        """A table, and a line that sums it up."""
        width = max([len(layer.name) for layer in self.layers], default=0)
        lines = [f'{"layer":<{width}}{"density":>9}{"dense ms":>10}{"sparse ms":>11}  chosen']
        for layer in self.layers:
            dense, sparse = ('' if t is None else f'{t:.2f}'
                             for t in (layer.dense_ms, layer.sparse_ms))
            lines.append(f'{layer.name:<{width}}{layer.density:>9.1%}{dense:>10}{sparse:>11}'
                         f'  {layer.chosen}: {layer.why}')
        return '\n'.join([*lines, self.summary()])

    def summary(self) -> str:
        """One sentence."""
        if self.unavailable:
            return self.unavailable
        sparse = sum(layer.chosen == 'sparse' for layer in self.layers)
        whole = '' if self.dense_ms is None else (
            f'; the whole model takes {self.sparse_ms:.1f} ms sparse, {self.dense_ms:.1f} dense')
        return (f'{sparse} of {len(self.layers)} layers run sparse, {self.folded} batch norms are '
                f'folded, {self.pools} max poolings and {self.aligns} RoIAligns have faster '
                f'kernels ({self.threads} thread{"s" * (self.threads != 1)})'
                + whole)
