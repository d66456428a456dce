"""Convert saved models of Flux.jl 0.6 to 0.16 to luxport layers, and parameters and states to `Flux.state`."""

from luxport.porting.flux.functions import Hole
from luxport.porting.flux.layers import Ported, is_model, port
from luxport.porting.flux.old_layer_norm import OldLayerNorm

__all__ = ["Hole", "OldLayerNorm", "Ported", "is_model", "port"]
