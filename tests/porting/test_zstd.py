"""Zstandard data of its own program, version 1.5.4, made from texts that are easy to make again."""

import base64

import jld2_writer as jw
import numpy as np
import pytest
import samples
from jld2_writer import JLD2Writer

from luxport import porting
from luxport.porting import FileFormatError
from luxport.porting.files.jld2.zstd import decompress_zstd

WAVES = np.round(np.sin(np.arange(400) / 7) * 50).astype(np.float32).tobytes()
TEXT = b"".join(b"layer_%d.weight = %d\n" % (i, i * i) for i in range(40))
ZEROS = bytes(1 << 20)

# Output of zstd -c --no-check -1 and -19, in base 85: tables sent and predefined, repeated offsets, Huffman codes of
# both kinds, blocks of one repeated byte.
COMPRESSED = [
    (WAVES, samples.ZSTD_WAVES),
    (WAVES, """D77#B0BBVO0Ah+67_e&&V8~VUT*6Ydt6P(eO2iyQAAy8H3PeBz#$-%ab!)Dy+G;Wi5}w-=NO-o6MhsGATMqUEir=v?Kjnw~ir?@9wy-T}
        %el&iu4Fd{+X02b?3SIfJ9fox*a0`}Cf%Hs><=QK5x`EwmexNTfTgf)ASFi1Bvgl@T__DvF3(9QQTZD4td6I3M%;`-(IF$VbPtlbIv<-)jJZMb
        )!EuCK8sW"""),
    (TEXT, """D77#B07#_;0OH6O7m%mv8wG;@xch&sij-2yl+q5We>o@t0z2oM&2nju$-B@lG@Z}4TD8@pQfu0&y?<Xy^1ZgRnzBRpBmZq7X?L=Fk!d=_
        pI?$djHEb(G5`z&0s#X?!JrU`krYQws3DAe{m+o26u1EprW`{b07iNx!yK@e@fV^=QcxL-<A@mYjp$neo&o+V#jky0e^CIu2g|z-ZOlCO-hfMn
        vLM~ey!-jG-TM5E9%vp_0R"""),
    (TEXT, """D77#B0BEHJ0J6&)7LY0F`wI=eAphSAY(n<lQtqPfM}Z5+tgm!wC*{_wPo3MD-R{oZbSg(Gr0_@xjhL}$MI%K#R!N1(iRKIqx8B5-uaIm-
        yU5yZ`s_|Lpa0DB<;cnrv0AZgx)T2wfB>*K7!U<UU<QgpgOCVLs1dNRzJCV5<8lKK6fK|+U`C3R;ZW=q{mv+PQDrc34n0-~g-{5EPzZ%k2!&7x
        Uy?**fE7x4j3E?c9&3P90R"""),
    (ZEROS, "D77#B0BB4A00;m90Q~<s5CQ@K5C8%I5C8%I5C8%I5C8%I5C8%I5C8)J5C8"),
]  # fmt: skip


def decode(text):
    return base64.b85decode("".join(text.split()))


@pytest.mark.parametrize(("plain", "text"), COMPRESSED)
def test_compressed_data_is_decoded(plain, text):
    assert decompress_zstd(memoryview(decode(text)), len(plain), 0, lambda *_: None) == plain


def test_a_long_array_of_zeros_in_few_bytes_is_decoded():
    w = JLD2Writer()
    zeros = np.zeros((512, 512), np.float32)
    file = w.finish(x=w.chunked(zeros, jw.FLOAT32, decode(COMPRESSED[-1][1]), [(32015, (3,))]))
    np.testing.assert_array_equal(porting.read(file).values["x"], zeros)


@pytest.mark.parametrize("which", [0, 2])
def test_damage_is_refused_or_gives_no_more_bytes(which):
    plain, text = COMPRESSED[which]
    whole = decode(text)
    refused = 0
    for place in range(len(whole)):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :]):
            try:
                assert len(decompress_zstd(memoryview(damaged), len(plain), 7, lambda *_: None)) <= len(plain)
            except FileFormatError as error:
                assert error.offset == 7
                refused += 1
    assert refused > len(whole)
