"""Models of Lux.jl saved as structs, of any generation from 0.4 to 1, as luxport's layers."""

from luxport.porting.lux.layers import is_model, port
from luxport.porting.lux.saved_models import build_with_parameters_beside
from luxport.porting.lux.whole_layer_norm import WholeLayerNorm

__all__ = ["WholeLayerNorm", "is_model", "port", "build_with_parameters_beside"]
