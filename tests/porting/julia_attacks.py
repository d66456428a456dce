"""Attacks on the translation of Julia, written by hand: a name and a source each."""

from __future__ import annotations

__all__ = ["ATTACKS"]

ATTACKS: dict[str, str] = {
    "a string over lines in a signature": 'f(x = "a\nprint(1)\n") = Dense(x => 1)\nmodel = f(3)',
    "a custom literal as a type": 'function f(x::Foo"a\nprint(1)\n")\n    g(x)\nend',
    "a keyword over lines": 'm = Chain(Dense(1 => 2; var"a\nprint(1)\n#" = 3))',
    "a call before its definition": 'm = Chain(exec("print(1)"))\nexec(x) = Dense(x => 1)',
    "calls of builtins before their definitions": (
        'm = Chain(eval("1"), open("x"), __import__("os"))\neval(x) = Dense(x => 1)\nopen(x) = Dense(x => 1)'
    ),
    "a default of a struct": (
        'Base.@kwdef struct S\n    a::Int = exec("1")\n    exec_::Int = 3\nend\nexec(x) = x\nm = S()'
    ),
    "a builtin in other letters": 'm = Chain(𝐞𝐱𝐞𝐜("print(1)"))\n𝐞𝐱𝐞𝐜(x) = Dense(x => 1)',
    "a part of a compact layer": "using Lux\nm = @compact(exec=Dense(1 => 2)) do x\n    @return exec(x)\nend",
    "fields by which one gets into Python": (
        "struct S\n    gi_frame::Int\n    __class__::Int\nend\nf(x) = x.__class__.gi_frame\nm = f(S(1, 2))"
    ),
    "a cookie of another encoding": "# coding: utf-7\n# +AAo-print(1)\nm = Dense(1 => weird(3))",
    "Python's own names as variables": (
        "__builtins__ = Dense(1 => 2)\n__getattr__(x) = Dense(x => 1)\nprint = 3\nluxport = 2\n"
        "m = Dense(luxport => print)"
    ),
    "a struct over lines": 'struct var"A\nprint(1)\n"\n    x\nend\n(m::var"A\nprint(1)\n")(y) = m.x(y)',
    "docstring with quotes in quotes": (
        '"""\n\\"\\"\\"\nprint(\'stranger\')\n\\"\\"\\"\n"""\nf(x) = Dense(x => 1)\nm = f(3)'
    ),
    "docstring of ''' and backslash end": (
        "\"\"\"\n'''\nprint('stranger')\n'''\\\\\"\"\"\nstruct S\n a\nend\n(m::S)(x) = m.a(x)\nm = S(Dense(1 => 2))"
    ),
    "raw string ending in backslash": (
        'm = Chain(Dense(1 => 2); name=raw"\\\\")\nn = Chain(Dense(1 => 2); name=raw"a\\"); print(\'stranger\') #")'
    ),
    "raw of a quote": "m = Chain(Dense(1 => 2); name=raw\"'); print('stranger'); ('\")",
    "@eval": (
        "@eval exec(x) = Dense(x => 1)\n@eval $(Symbol(\"a\nprint('stranger')\n\"))(x) = Dense(x => 1)\n"
        'm = Chain(exec("1"))'
    ),
    "@eval begin": (
        "for f in (:exec, :eval)\n @eval begin\n  $f(x) = Dense(x => 1)\n end\nend\nm = exec(\"print('stranger')\")"
    ),
    "include_string": (
        "include_string(Main, \"m = Dense(1 => 2)\nprint('stranger')\")\n"
        "m = include_string(Main, \"print('stranger')\")"
    ),
    "Meta.parse": "m = Chain(eval(Meta.parse(\"print('stranger')\")), Core.eval(Main, :(print(1))))",
    "nested interpolation": 'm = Chain(Dense(1 => 2); name="$("$("$(print(1))")")")',
    "interpolation of code in name": (
        "n = 3\nm = Chain(Dense(1 => n); name=\"a$(n)\nprint('stranger')\n\")\n"
        'k = Chain(Dense(1 => n); name="{n}{print(1)}$n")'
    ),
    "f-string braces": (
        'm = Chain(Dense(1 => 2); name="{print(1)}{{0}}")\n@info "{__import__(\'os\')}"\nerror("{m.__class__} %s")'
    ),
    "\\N names": (
        'm = Chain(Dense(1 => 2); name="\\N{NEWLINE}print(1)")\n'
        'n = Chain(Dense(1 => 2); name=raw"\\N{NEWLINE}print(1)\\x0aprint(1)")'
    ),
    "U+2028 in comment": "# a\u2028print('stranger')\nm = Dense(1 => 2)",
    "U+2029 in comment": "#= a\u2029print('stranger') =#\nm = Dense(1 => weird(2)) # b\u2029print('stranger')",
    "U+0085 in comment": "m = Dense(1 => weird(2)) # b\x85print('stranger')\x85",
    "VT in comment": "m = Dense(1 => weird(2)) # b\x0bprint('stranger')\x0b",
    "FF in comment": "# a\x0cprint('stranger')\nm = weird(2) # b\x0cprint('stranger')\x0c",
    "FS GS RS": (
        "# a\x1cprint('stranger')\x1dprint('stranger')\x1eprint('stranger')\nm = weird(\"\x1cprint('stranger')\")"
    ),
    "CR alone": "# a\rprint('stranger')\rm = Dense(1 => 2)",
    "NFKC builtins": (
        "ｅxec(x) = Dense(x => 1)\n𝓮𝓿𝓪𝓵(x) = Dense(x => 1)\nｏｐｅｎ(x) = Dense(x => 1)\nｐrint(x) = Dense(x => 1)\n"
        "𝖌𝖊𝖙𝖆𝖙𝖙𝖗(x) = Dense(x => 1)\nⅽompile(x) = Dense(x => 1)\nﬁlter(x) = Dense(x => 1)\n"
        "ſet(x) = Dense(x => 1)\nm = Chain(ｅxec(1), 𝓮𝓿𝓪𝓵(1), ｏｐｅｎ(1), ⅽompile(1))"
    ),
    "NFKC keywords": "ｌambda(x) = Dense(x => 1)\nｄef = 3\nｉf_ = 2\nm = Chain(ｌambda(ｄef))\nｃlass = m",
    "NFKC dunder": (
        "struct S\n ＿＿class＿＿\n ｇi_frame\n__init_subclass__\nend\n(m::S)(x) = m.＿＿class＿＿(m.ｇi_frame(x))\n"
        "m = S(Dense(1=>2), Dense(2=>2), 1)"
    ),
    "dunder attributes": (
        'f(x) = x.__globals__.__builtins__.exec("1")\nm = f(Dense(1 => 2))\n'
        "n = Dense(1 => 2).__class__.__mro__[1].__subclasses__()"
    ),
    "var dunder": (
        'm = @compact(var"__class__"=Dense(1 => 2), var"__init__"=3) do x\n @return var"__class__"(x)\nend\n'
        'f(x) = m.var"__dict__"[1]\n'
    ),
    "fields that are keywords": (
        "struct S\n class\n def\n lambda\n None\n True_\n is\n yield\n await\n nonlocal\n match\n type\nend\n"
        "(m::S)(x) = m.lambda(m.class(m.None(x)))\nm = S([Dense(1 => 1) for i in 1:11]...)"
    ),
    "fields that are Layer's own": (
        "struct S\n initial_parameters\n initial_states\n output_shape\n name\n __call__\n replace\n"
        " __post_init__\n __match_args__\n __slots__\nend\n(m::S)(x) = m.initial_parameters(x)\n"
        "m = S([Dense(1 => 1) for i in 1:9]...)\nn = Chain(m, m)"
    ),
    "type parameters": (
        "struct S{exec, T<:var\"a\nprint('stranger')\n\", __class__} <: Lux.AbstractLuxLayer\n a::T\nend\n"
        "(m::S{exec})(x) where {exec} = exec(m.a(x))\nm = S{print, eval}(Dense(1 => 2))\n"
        'k = S{print("x")}(Dense(1=>2))'
    ),
    "where clause": 'f(x::T) where {T<:exec("1"), S<:var"b\nprint(\'stranger\')"} = Dense(x => 1)\nm = f(3)',
    "include name": (
        'include("a\nprint(\'stranger\')\n.jl")\ninclude("/etc/passwd")\ninclude("../../../etc/passwd\\0")\n'
        'include("http://x/y.jl")\ninclude("\x1b[2J.jl")\nm = Dense(1 => 2)'
    ),
    "own imports": (
        "luxport = exec\nmath(x) = Dense(x => 1)\nfunctools = 3\ndataclasses(x, y) = x\noperator = relu\n"
        "not_ported(x) = Dense(x=>1)\nxp = 1\nspatial = 2\n"
        'm = Chain(math(functools), luxport(1), not_ported("x"), weird(2))\nunknown_thing(1)'
    ),
    "import renames": (
        "using Flux: Dense as exec, Chain as print\nimport Lux as luxport\nimport Base.exec, Main.eval as e\n"
        'using var"a\nprint(\'stranger\')\n"\nm = print(exec(1 => 2), e("1"))'
    ),
    "surrogates": (
        'm = Chain(Dense(1 => 2); name="\\ud800\\udfff")\nn = Chain(Dense(1 => 2); name="\\U0010ffff\\U110000\\xff")'
    ),
    "lone surrogate in text": "m = Dense(1 => 2) # \ud800",
    "very long name": "x" * 5000
    + "(a) = Dense(a => 1)\nm = "
    + "x" * 5000
    + "(3)\n"
    + "ﷺ" * 60
    + " = 3\nn = "
    + "ﷺ" * 60,
    "BOM": (
        "\ufeff# coding: utf-16\nm = Dense(1 => 2)\n\ufeffprint('stranger')\nx\ufeffy = 3\nn = Dense(1 => x\ufeffy)"
    ),
    "BOM twice": "\ufeff\ufeffm = weird(1)\n#\ufeffprint('stranger')",
    "coding cookies": (
        "#!/usr/bin/python -*- coding: raw_unicode_escape -*-\n# vim: set fileencoding=unicode_escape :\n"
        '# \\u000aprint(1)\nm = weird("\\u000aprint(1)")'
    ),
    "shebang": "#!/bin/sh\nprint('stranger')\nm = Dense(1 => 2)",
    "bidi": 'm = Dense(1 => 2) # \u202e\u2066 )1(tnirp\u2069\nn\u200d = weird("\u2067")',
    "custom literal": (
        'x"a"\nexec"1"\n'
        'm = Chain(exec"print(\'stranger\')", eval"1"2, b"print(\'stranger\')", f"{print(1)}", u"x", rb"x")'
    ),
    "cmd literal": "m = Chain(`print('stranger')`, run(`sh -c \"x\"`), `$(print(1))`)\nrun(`touch x`)",
    "regex": 'm = Chain(Dense(1 => 2); name=r"\\"+print(\'stranger\')+\\"")\nf(x) = replace(x, r"a"s => s"\\0")',
    "char literals": (
        "m = Dense(1 => '\\'')\nn = Dense(Int('\\n') => Int('\"'))\nk = '\\u2028'\n"
        "l = Chain(Dense(1 => 2); name=string('\\'', ')'))"
    ),
    "symbols": (
        'm = Chain(; var"a, b=print(1)"=Dense(1 => 2))\nn = Chain(; Symbol("x=print(1)") => Dense(1 => 2))\n'
        "k = (; var\"\nprint('stranger')\"=3)\nl = Dense(1 => k.var\"\nprint('stranger')\")\nz = :(print(1))"
    ),
    "keyword splat name": (
        'f(; var"**"=3, var"x)\nprint(\'stranger\')\n("=Dense(1 => 2)) = var"**"\nm = Chain(f(; var"**"=3))'
    ),
    "operators as names": (
        "const ⊗ = exec\n⊗(a, b) = Dense(a => b)\nm = 1 ⊗ 2\n(+)(a, b) = print(a)\nn = Dense(1 + 2 => 3)\n"
        "√(x) = Dense(x => 1)\nk = √2"
    ),
    "getproperty overload": (
        "Base.getproperty(m::S, s::Symbol) = exec(s)\nBase.show(io::IO, m) = print(io, m)\n"
        "function (::Type{S})(x) exec(x) end\nm = S(1).foo"
    ),
    "macro definitions": (
        'macro exec(x) esc(x) end\n@exec print(1)\n@var"a\nprint(\'stranger\')\n"(1)\nmacro var"b\n'
        "print('stranger')\n\"(x) x end\nm = @exec Dense(1 => 2)"
    ),
    "module": (
        'module exec\nexport eval\neval(x) = Dense(x => 1)\nend\nusing .exec\nm = exec.eval(3)\nmodule var"a\n'
        "print('stranger')\n\"\nm = Dense(1 => 2)\nend"
    ),
    "try/catch names": (
        'try\n m = Dense(1 => 2)\ncatch exec\n exec("1")\nfinally\n print(1)\nend\nlet print = 3\n'
        " global m = Dense(print => 1)\nend"
    ),
    "do block names": (
        "m = Chain(map([1,2]) do exec\n  Dense(exec => 1)\nend...)\n"
        "n = Chain([Dense(print => 1) for (print, eval) in zip([1,2],[3,4])]...)"
    ),
    "numbers with names": (
        'x = 2exec\ny = 3print\nm = Dense(2exec("1") => 0x1.8p3)\nn = Dense(1_000_000_000 => 1e5im)'
    ),
    "line joined": "m = Dense(1 =>\\\n 2)\nn = Chain(Dense(1 => 2),\\\n print('stranger'))",
    "default calls later": 'f(x = g(y = exec("1"))) = Dense(x => 1)\ng(x; y = print(x)) = x\nexec(x) = 3\nm = f()',
    "kwdef docs": (
        'Base.@kwdef struct S\n "doc\nprint(\'stranger\')\n"\n a = 3 # c\x0cprint(\'stranger\')\n """d\n'
        'print(\'stranger\')"""\n b::var"t\nprint(\'stranger\')" = exec("1")\nend\nm = S()'
    ),
    "training": (
        'opt = Flux.setup(exec("1"), m)\nfor (x, y) in eval("1")\n Flux.train!(print, m, [(x, y)], open("x"))\n'
        "end\nloss(m, x, y) = exec(m(x))"
    ),
    "attributes of xp": (
        "function (m::S)(x)\n xp = x\n xp.__class__(x)\n return xp.from_dlpack(x)\nend\nstruct S\n a\nend\n"
        "m = S(Dense(1 => 2))\nn = @compact(xp=Dense(1=>2)) do x\n @return xp.foo(x)\nend"
    ),
    "NUL": "m = Chain(Dense(1 => 2); name=\"a\\0b\x00print('stranger')\")\n# \x00print('stranger')",
    "very deep attribute": "m = Dense(1 => 2)" + ".a" * 5000,
    "long comment": "#" + 'x"""' * 20_000 + '\nm = Dense(1 => weird("' + "'''" * 9_000 + '"))',
}
