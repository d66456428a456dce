"""Read the files of BSON.jl: BSON documents whose tags say which Julia value they represent."""

from luxport.porting.files.bson.documents import Document, parse
from luxport.porting.files.bson.values import read_values

__all__ = ["Document", "parse", "read_values"]
