"""Models of Flux.jl, of any generation from 0.6 to 0.16, as luxport's layers."""

from luxport.porting.flux.functions import Hole
from luxport.porting.flux.layers import Ported, is_model, port
from luxport.porting.flux.old_layer_norm import OldLayerNorm

__all__ = ["Hole", "OldLayerNorm", "Ported", "is_model", "port"]
