"""Operations by ONNX's own operators, one file a family."""

from luxport_onnx.ops.activations import *
from luxport_onnx.ops.affine import *
from luxport_onnx.ops.attention import *
from luxport_onnx.ops.conv import *
from luxport_onnx.ops.normalization import *
from luxport_onnx.ops.padding import *
from luxport_onnx.ops.pooling import *
from luxport_onnx.ops.random_bits import *
from luxport_onnx.ops.recurrent import *
from luxport_onnx.ops.resampling import *
from luxport_onnx.ops.running_values import *
from luxport_onnx.ops.softmax import *
