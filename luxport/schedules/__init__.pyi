__all__: list[str]

from ._combinators import ComposedSchedule as ComposedSchedule
from ._combinators import Constant as Constant
from ._combinators import Interpolator as Interpolator
from ._combinators import Loop as Loop
from ._combinators import OneCycle as OneCycle
from ._combinators import Sequence as Sequence
from ._combinators import Shifted as Shifted
from ._combinators import Shortened as Shortened
from ._decay import Exp as Exp
from ._decay import Inv as Inv
from ._decay import Poly as Poly
from ._decay import Step as Step
from ._schedule import Schedule as Schedule
from ._stateful import Stateful as Stateful
from ._waves import CosAnneal as CosAnneal
from ._waves import Sin as Sin
from ._waves import SinDecay2 as SinDecay2
from ._waves import SinExp as SinExp
from ._waves import Triangle as Triangle
from ._waves import TriangleDecay2 as TriangleDecay2
from ._waves import TriangleExp as TriangleExp
