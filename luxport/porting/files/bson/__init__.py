"""BSON.jl: documents whose tags say which Julia value they stand for."""

from luxport.porting.files.bson.documents import Document, parse
from luxport.porting.files.bson.values import read_values

__all__ = ["Document", "parse", "read_values"]
