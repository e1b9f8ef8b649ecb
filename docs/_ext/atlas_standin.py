"""The stand-in: synthetic brains in the layout of the cloud's objects.

A build that reaches neither the network nor a mirror reads this instead. The
ids, names and colours are the Allen ontology's. The shapes are the formulas
below, drawn in a mouse brain's proportions, so that a section looks like one;
no number measured on them says anything about mice. Axes run from anterior
to posterior, superior to inferior and right to left. The two hemispheres are
mirror images, nothing is random, and only the coarser levels of the template
are averaged: every label level is sampled from the one at 25 um. The rat is
this mouse, enlarged and with other names, off the middle of its array and
wider on the left.
"""

import csv
import json
import os
import zipfile
from functools import cache as remember
from itertools import pairwise
from pathlib import Path, PurePosixPath

import atlas_standin_surface
import numpy as np
import zarr
from zarr.codecs import ZstdCodec

VERSION = "5"

# Shapes --------------------------------------------------------------------
# Lengths are tenths of a millimetre from the anterior end (a), from the top
# (d) and from the midline (m). Angles are degrees from straight up, positive
# to the side (in the cerebellum: to the back). Radii are two digits for each
# 20 degrees, from -180, or from 0 where both sides are alike.

# A hemisphere is nested shells around a centre that moves with a. Two rows
# for each a: radius of the surface, thickness of the cortex; thickness of the
# white matter, of the hippocampus.
SHELLS = """
19 000000000000000000000000000000000000 090909090909090909090909090909090909
000000000000000000000000000000000000 000000000000000000000000000000000000
22 050506070810131720212017131008070605 080809101113161919191919161311100908
000000000000000000000000000000000000 000000000000000000000000000000000000
26 060607080912152023252420161310080706 090910111215181919191919191613111009
000000000000000000000000000000000000 000000000000000000000000000000000000
31 101010121315182224262624211815131110 131313151618191919191919191918161413
000000000000000000000000000000000000 000000000000000000000000000000000000
35 171717151718202626252422222119191917 000000050814162018181718192017141600
000000000004040506050402020101000000 000000000000000000000000000000000000
37 313123172020222928252322232322232426 000000000513152118181718202117131709
000000000006070810080604030202000000 000000000000000000000000000000000000
45 343334212424213432282626252524252728 000000000000011817161515141412100700
000000000000000405030201010101000002 000000000000000000000000000000000000
53 353336212424223634312928272828282933 000000000000001616161515141312080609
000000010000010204020101010100000000 000000000000000000000000000000000000
61 343538222424223736333130303031313238 000000000000001314151414131211090707
000300000000010304030202020101000000 000000000000000401000000000000000000
69 313840222424223938343231313132323640 000000000000001211111212131211100706
000000000000000303020203020101010000 000000000000001213110700000000000000
77 273437222424223938343231323232343838 000000000000001310090909111110080708
000000000000000405020202020302000000 000000000000000511131110090808060000
83 343000000000303837343231313232343735 070700000000001614100909090908090808
000000000000000203030202020101000000 121000000000000005121314141516151814
89 312800000000343636333130303232333433 070700000000111212111009090807080808
000000000000000002040302020101010000 101000000000010203060812131516171614
95 282800000000313233312928282930323230 101000000000080910111009090910141210
000000000000000000000203010000000000 030300000000000103050808121413080603
100 252500000000282829282625262627272625 090900000000090909101210131516121009
000000000000000000000000000000000000 000000000000000000000205030100000000
104 232300000000242425242323232424242323 040400000000040404050606060606050404
000000000000000000000000000000000000 000000000000000000000000000000000000
"""
CENTRE_A = 22, 28, 38, 48, 80, 105
CENTRE_D = 41, 42, 39, 40, 37, 36
CENTRE_M = 12, 13, 15, 19, 19, 19
# Behind the thalamus it is a crescent: a, first angle, last angle.
CRESCENT_A = 80, 85, 90, 95, 100, 104
CRESCENT_FIRST = -52, -42, -34, -27, -8, 12
CRESCENT_LAST = 215, 188, 168, 152, 128, 100

# The brainstem: a, radius around a centre in the midline.
STEM = """
73 12172130293126242829
79 16212327292725232324
85 27262424262524231616
91 32312826242223292927
97 34332927242431313028
103 36383421222832282524
109 11121921272928252221
115 04071421272828232120
121 05061220232726232118
127 04061017222525242018
133 04061017222425232018
"""
STEM_A, STEM_D = (73, 85, 97, 109, 121), (44, 42, 44, 53, 56)

# The cerebellum: m, radius around a centre at CEREBELLUM_A.
CEREBELLUM = """
0 151312111010111520212018181717182017
5 131212111010111520212018181717182017
10 121211101010121820201917161717182015
15 121212111111131820191715161717191916
20 141412121212151819181615151517191917
25 151514131414151818171514141414171918
30 181616151515161717151414131313151820
35 202018151413141616141413131313141719
40 242216100910111212101010090908091420
44 222010040304050505040403030303051018
47 000000000000000000000000000000000000
"""
CEREBELLUM_A = 115
CEREBELLUM_M, CEREBELLUM_D = (0, 25, 40, 50), (30, 31, 37, 46)

# Cortical areas: a, angle, and how far they reach in both.
AREAS = """
FRP 20 0 4 90; MOp 43 27 14 21; MOs 34 3 18 26; SSp-n 57 50 6 12; SSp-bfd 67 35
8 16; SSp-ll 60 -2 7 12; SSp-m 46 60 9 20; SSp-ul 54 15 9 12; SSp-tr 67 -2 5
16; SSp-un 59 23 5 9; SSs 61 78 15 14; GU 47 100 10 9; VISC 63 102 11 9; AUDd
76 61 6 11; AUDp 79 72 6 8; AUDpo 85 60 5 10; AUDv 78 83 10 7; VISal 83 42 4 7;
VISam 77 -5 5 8; VISl 91 43 7 8; VISp 92 16 11 18; VISpl 100 45 4 12; VISpm 85
-4 7 8; VISli 91 54 6 6; VISpor 97 66 6 12; ACAd 44 -34 17 11; ACAv 49 -48 13
14; PL 31 -52 8 20; ILA 35 -84 4 16; ORBl 29 95 7 30; ORBm 28 -85 6 25; ORBvl
28 170 7 45; AId 36 112 12 16; AIp 60 115 14 8; AIv 35 132 9 14; RSPagl 81 -12
20 8; RSPd 82 -21 18 9; RSPv 78 -34 14 13; VISa 73 5 4 12; VISrl 78 27 5 10;
TEa 84 84 12 12; PERI 82 108 13 6; ECT 80 100 13 7; PIR 52 150 24 28; COAa 64
170 6 9; COApl 77 160 8 9; COApm 82 172 8 9; PAA 70 157 6 7; TR 84 144 6 9;
ENTl 91 118 12 22; ENTm 101 110 6 34;
"""
# Where a layer ends, as a part of the cortex's thickness.
LAYERS = {"1": 0.14, "2": 0.32, "2/3": 0.37, "3": 0.52, "4": 0.49, "5": 0.72,
          "6a": 0.94, "6": 1, "6b": 1}  # fmt: skip
COLLICULUS = {"SCzo": 0.06, "SCsg": 0.25, "SCop": 0.36, "SCig": 0.6,
              "SCiw": 0.82, "SCdg": 0.95, "SCdw": 1}  # fmt: skip

# White matter: from a to a, from angle to angle, which half (0 is outer).
WHITE = """
alv 0 132 -180 180 0; alv 0 132 -180 180 1; scwm 0 75 25 75 0; or 68 95 20 80
0; or 68 95 20 80 1; ec 50 90 75 180 0; ec 50 90 75 180 1; fa 0 48 -180 180 0;
fa 0 48 -180 180 1; ccg 38 48 -90 15 0; ccg 38 48 -90 15 1; ccb 48 72 -90 30 0;
ccb 48 72 -90 70 1; ccs 72 80 -90 25 0; ccs 72 80 -90 25 1; fp 80 110 -60 60 0;
fp 76 110 -60 70 1; dhc 72 90 -90 5 1; cing 44 84 -45 -4 0;
"""

# Lobules: m, angle, and how far they reach in both. "_" is a space.
LOBULES = """
LING 0 -150 6 14; CENT2 0 -112 9 20; CENT3 2 -75 12 20; CUL4,_5 4 -25 13 34;
DEC 2 35 11 20; FOTU 2 68 10 15; PYR 2 97 10 15; UVU 2 130 10 18; NOD 2 164 11
17; SIM 23 -38 9 36; ANcr1 30 12 11 28; ANcr2 29 70 12 26; PRM 26 118 12 24;
COPY 20 150 8 18; PFL 42 -178 11 30; FL 32 -145 8 24;
"""

# Ellipsoids: centre (a, d, m), half-axes, and tilts as tenths of the
# correlations of a with d, a with m and d with m. What lies between the
# nuclei belongs to the divisions; the outer ones stand out of the stem.
DIVISIONS = """
OLF 26 53 14 30 26 22; CTXsp 67 58 31 28 13 12 4 5 -2; STR 52 48 20 21 26 20;
PAL 54 56 14 17 19 16 -5 6 0; TH 70 41 13 15 13 18 -3 5 -3; HY 67 62 8 20 13 12
-3 2 -5; MB 92 33 10 19 24 13 -5 1 1; P 99 55 11 12 18 14 -4 1 -1; MY 119 60 12
18 17 16;
"""
NUCLEI = """
CLA 46 48 29 16 7 13 6 8 7; EPd 57 55 33 26 4 12 0 8 0; LA 73 52 36 7 7 4; BLAa
69 58 32 8 5 3; BLAp 77 59 34 9 4 3; BLAv 72 66 33 5 4 3 -3 6 -3; BMAa 65 66 27
8 4 4; BMAp 75 62 30 7 4 4 -3 5 2; PA 79 62 26 9 4 7; CP 54 42 24 18 17 17 -1 7
1; ACB 42 58 12 8 10 10 3 5 4; OT 44 69 16 12 6 14 7 5 2; LSc 53 31 5 7 6 4 -7
0 3; LSr 47 42 4 9 13 5 -8 2 -1; LSv 48 47 6 7 5 4 -4 0 -6; SF 54 37 3 5 11 6
-7 2 3; CEAc 66 57 29 8 6 4 -6 5 -8; CEAl 67 54 28 7 3 2 -5 7 -5; CEAm 66 57 25
8 5 5 -3 8 -3; MEA 69 64 21 9 9 5; GPe 61 48 23 8 8 9 -1 8 -2; GPi 66 53 20 4 4
5 1 1 -7; SI 50 63 15 16 9 11 -6 6 -1; MA 54 66 17 5 4 6 -7 5 -4; MS 48 50 1 5
11 1 -5 1 1; NDB 48 65 6 11 8 11 6 8 6; TRS 55 37 3 3 11 4 -8 -1 3; BST 54 52 9
6 9 4; VAL 65 44 12 5 7 5; VM 68 50 9 8 4 5; VPL 68 43 20 8 8 5 3 5 0; VPM 71
42 18 7 7 6 -2 2 -7; PoT 81 40 17 6 5 4 -2 7 -6; MGd 85 36 24 7 2 3 -1 7 1; MGv
84 39 23 6 3 3 1 7 1; LGd-sh 78 32 24 6 5 3 6 0 5; LGd-co 75 33 23 6 5 4 7 3 6;
LGd-ip 76 31 22 5 4 2 8 3 4; LP 75 31 15 9 4 8 0 7 0; PO 72 39 14 7 7 5 0 2 -7;
AMd 61 44 6 3 4 3 -1 -2 -6; AV 60 39 11 4 5 3; LD 66 32 14 5 5 7 -4 5 -2; MD 68
39 5 8 6 4; SMT 67 49 4 4 4 3; PVT 64 39 1 14 10 2 -8 1 0; RE 63 51 2 8 4 3; CM
67 45 2 8 3 2 6 2 3; PCN 68 44 7 6 4 4 4 1 -7; CL 69 36 9 6 6 2 -1 -1 6; PF 75
39 7 2 7 5; LGv 77 39 27 6 6 3 7 2 1; MH 69 30 2 9 4 2 -7 -1 -1; LH 70 32 5 7 3
3; RT 64 43 19 8 10 8 -2 6 -5; int 67 48 22 11 12 8 5 3 -4; SCH 59 69 2 3 2 1;
PVH 61 57 2 5 4 2 5 1 -3; ARH 70 71 2 7 3 3; DMH 71 62 3 4 5 4 7 -2 -2; MPO 53
62 6 6 6 5 0 7 3; MPN 55 62 3 4 5 3 -5 1 0; AHN 61 63 5 6 6 4 -6 -1 1; PH 75 56
3 5 8 4 -6 -5 5; PMv 76 66 6 3 3 3; VMH 68 67 4 5 4 4; LHA 67 60 12 12 6 5 0 -5
1; LPO 54 62 11 7 6 5 -4 8 -4; STN 73 54 17 4 4 4 1 -2 -8; TU 69 69 9 6 5 4 -2
3 -8; ZI 73 50 16 12 8 11 -7 7 -8; PVp 77 68 2 3 3 3 -7 -2 2; MMl 81 61 6 4 3 3
0 -6 4; MMm 80 62 3 3 3 2; SUM 79 58 4 4 3 5; PeF 64 61 9 4 3 3; APN 81 33 13 5
9 5 6 6 3; PAG 94 31 4 16 11 6; SNr 85 52 17 7 7 7 -6 0 -6; SNc 84 51 14 7 6 5
-4 0 -6; VTA 83 52 8 5 5 5 -6 -3 3; MRN 90 39 10 12 9 10; RN 87 44 8 5 4 5; PPN
97 43 13 5 5 5; CUN 101 34 14 5 4 5 -6 2 2; DR 98 38 1 5 7 1 6 -2 -3; IPC 87 56
1 4 3 1; PB 104 42 14 6 7 6 -4 -5 5; NLL 95 52 18 5 17 6 -8 7 -8; PSV 102 57 21
6 9 3; PG 90 64 6 4 6 7 6 0 0; TRN 94 61 5 5 5 6; V 102 53 16 4 5 3; PRNc 102
59 7 5 11 6; PRNr 95 53 9 6 9 6; CS 96 52 2 6 6 2; LDT 103 40 6 3 5 3 5 4 6;
PCG 106 44 4 4 7 5; POR 98 69 12 6 5 3 7 -1 -3; SOCl 101 67 15 5 5 3; DCO 113
50 25 6 6 5 -3 -6 7; VCO 107 57 27 8 8 3 0 -5 3; ECU 125 49 14 6 2 4 2 -7 -2;
NTS 122 53 8 10 3 9 0 -8 2; SPVC 128 59 17 4 10 6; SPVI 121 59 20 6 9 6 -1 0 6;
SPVO 112 59 19 6 8 4 1 -1 6; VII 109 68 14 5 4 5; GRN 114 62 4 11 8 5; IO 120
71 4 8 4 6 -2 -1 8; IRN 117 61 10 15 8 5 2 -3 6; LRNm 124 70 13 6 4 6 7 3 3;
MARN 112 68 4 9 3 3 0 2 5; MDRNd 128 61 12 5 9 6 1 -4 7; MDRNv 128 65 6 5 6 5 2
-1 6; PARN 115 60 15 13 8 5 4 -2 6; PGRNl 116 69 12 7 3 6 1 5 -1; LAV 111 48 17
3 4 4; MV 113 48 9 9 5 7 1 -6 0; SPIV 117 49 14 6 4 5 -2 -6 3; XII 125 57 2 5 4
3 7 -2 -3;
"""
NERVE, BULB = "onl 15 46 10.6 14.3 20.5 10.1", "MOB 17 44 12 14 19.5 9.7"
OUTER_NUCLEI = """
AON 28 52 11 9 12 9 5 -4 -2; TTd 35 48 2 8 8 3 -6 1 -3; TTv 31 61 4 5 5 5 -1 -4
5; DP 37 43 4 5 7 5 -8 0 0; AOBgl 21 35 11 3 4 3 8 0 0; AOBgr 18 38 12 5 6 4 8
0 -1; AOBmi 20 37 11 4 5 4 8 -1 -1; ICe 103 22 10 8 10 10; ICd 105 17 8 6 6 7;
ICc 105 23 12 6 8 6;
"""
CEREBELLAR_NUCLEI = """
FN 117 37 10 6 4 5 -6 3 -4; IP 115 39 18 5 5 7 2 -1 4; DN 112 43 25 4 4 3;
"""

# Tubes, painted over the rest: radius, then points (a, d, m).
TUBES = """
ccg 2.6 43 35 0 47 30 0; ccb 2.2 47 30 0 58 28 0 66 23 0 72 20 0; ccs 2.4 72 20
0 80 19 0; SEZ 1.2 14 43 10 22 44 11 32 40 12; aco 2.6 22 50 12 36 53 10 50 54
7; act 1.7 53 55 0 54 55 12 57 59 26; fi 2.8 57 33 7 61 30 15 67 33 25 72 41
30; fx 1.5 57 38 4 58 50 5 78 60 4; sm 1.5 57 48 7 58 38 7 64 31 5 71 30 4; st
1.2 58 40 15 65 38 21 73 46 29; mtt 1 62 46 7 70 53 6 79 60 4; fr 1.2 70 33 4
75 40 4 84 52 3; opt 2.2 53 71 2 58 70 7 66 63 19 72 53 27 76 40 30; och 2.5 50
71 0 55 71 3; cpd 3 72 51 21 80 55 22 86 60 15 91 65 8; py 2.4 93 69 5 104 72 4
131 72 3; ml 1.6 76 48 13 84 52 11 92 60 8 105 69 3 118 69 2; mlf 1.2 86 42 1
100 47 1 131 57 1; tspc 1.4 95 47 2 106 55 2 128 63 2; rust 1.3 88 50 9 103 62
15 126 66 17; ll 1.6 94 62 18 97 48 20 99 36 19; sV 3 91 62 22 98 63 23; sptV
2.2 100 62 24 114 61 23 131 58 22; VIIn 1.6 104 52 5 107 57 12 102 68 20; mcp
2.4 91 66 14 95 58 23 104 48 26; scp 2.2 112 43 19 103 42 11 96 47 9 90 50 2;
icp 2 109 44 24 120 60 23; VL 2.8 43 34 10 50 29 10 57 27 15; VL 2.3 58 27 16
67 29 29 74 36 34 82 50 38; V3 0.8 54 56 0 60 62 0 76 66 0; V3 0.8 57 50 0 58
40 0; V3 2.2 59 32 0 66 27 0 78 27 0; AQ 1.8 82 34 0 92 33 0 101 36 0 106 41 0;
V4 3 107 42 0 113 45 0 119 47 0; V4r 2.6 114 49 19 118 54 27; c 1 122 52 0 132
56 0;
"""

# Maps ----------------------------------------------------------------------

VOXEL_UM = 25
STEP = VOXEL_UM / 100
HALF = 528, 320, 228  # voxels of one hemisphere
SLAB = 8  # planes painted at once
BINS = 720  # directions in a map
ANGLES = np.arange(BINS) * 360 / BINS - 180


@remember
def read_structures():
    """Rows (id, parent_id, acronym, name, colour) in the ontology's order."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8") as table:
        return tuple(csv.DictReader(table))


@remember
def _index():
    """Acronym -> its row counted from 1; 0 is the background."""
    rows = read_structures()
    return {row["acronym"]: n for n, row in enumerate(rows, start=1)}


@remember
def _ids():
    ids = [int(row["id"]) for row in read_structures()]
    return np.array([0, *ids], "uint32")


@remember
def _items(text):
    """[(row, numbers), ...] of a text "acronym numbers; ..."."""
    words = [item.split() for item in text.split(";") if item.strip()]
    return [
        (_index()[name.replace("_", " ")], np.array(numbers, "f4"))
        for name, *numbers in words
    ]


def _positions(count):
    return (np.arange(count, dtype="f4") + 0.5) * STEP


def _soften(table, reach, axis, mode):
    """Mean over the neighbours up to `reach` bins away along one axis."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = reach + 1, reach
    total = np.cumsum(np.pad(table, pad, mode=mode), axis)
    size = 2 * reach + 1
    first, last = np.split(np.arange(total.shape[axis]), [-size])[0], size
    total = total.take(first + last, axis) - total.take(first, axis)
    return total / size


def _radial(text, columns, count):
    """Smooth (count, BINS) maps from rows "key radii radii ..."."""
    words = text.split()
    keys, maps = list(map(int, words[:: columns + 1])), []
    for column in range(1, columns + 1):
        radii = [[int(word[n : n + 2]) for n in range(0, len(word), 2)]
                 for word in words[column :: columns + 1]]  # fmt: skip
        if len(radii[0]) == 10:
            radii = [row[:0:-1] + row[:-1] for row in radii]
        known = np.arange(-180, 180, 20)
        turned = [np.interp(ANGLES, known, row, period=360) for row in radii]
        along = _positions(count)
        table = [np.interp(along, keys, line) for line in np.transpose(turned)]
        table = _soften(np.transpose(table), 12, 0, "edge")
        maps.append(_soften(table, 14, 1, "wrap").astype("f4"))
    return maps


def _territories(text, count):
    """(count, BINS) maps of seeds "name position angle reach turn".

    The row of the nearest seed, its margin over the next (1 is the reach of
    a seed), and the degrees between the bin and the seed.
    """
    along = _positions(count)[:, None]
    first = np.full((count, BINS), np.inf, "f4")
    second, beside = first.copy(), first.copy()
    owner = np.zeros((count, BINS), "u2")
    for row, (position, angle, reach, turn) in _items(text):
        off = np.abs((ANGLES - angle + 180) % 360 - 180)
        far = np.hypot((along - position) / reach, off / turn).astype("f4")
        owner[far < first] = row
        beside = np.where(far < first, off, beside)
        second = np.minimum(second, np.maximum(far, first))
        first = np.minimum(first, far)
    return owner, second - first, beside


def _layers():
    """(rows + 1, 64) table: an area's layer at each part of its depth."""
    table = np.zeros((len(_ids()), 64), "u2")
    for area, _ in _items(AREAS):
        parent = read_structures()[area - 1]
        table[area] = area
        for row in reversed(read_structures()):
            # The real annotation at 25 um has no voxel of RSPd4 either.
            if row["parent_id"] == parent["id"] and row["acronym"] != "RSPd4":
                layer = row["acronym"].removeprefix(parent["acronym"])
                end = round(64 * LAYERS[layer])
                table[area, :end] = _index()[row["acronym"]]
    return table


def _polar(up, side):
    """Radius, and the bin of the direction, from a centre."""
    turn = np.arctan2(side, up) * np.float32(BINS / 2 / np.pi) + BINS / 2
    return np.hypot(up, side), turn.astype("i4") % BINS


# Painting ------------------------------------------------------------------


class Brain:
    """One hemisphere as rows of the table, painted in slabs of planes."""

    def __init__(self):
        self.a, self.d, self.m = map(_positions, HALF)
        along = self.a[:, None]
        self.centre_d = np.interp(self.a, CENTRE_A, CENTRE_D).astype("f4")
        self.centre_m = np.interp(self.a, CENTRE_A, CENTRE_M).astype("f4")
        self.pia, *thick = _radial(SHELLS, 4, HALF[0])
        self.inner = self.pia - np.cumsum(thick, axis=0)
        self.area, _, _ = _territories(AREAS, HALF[0])
        self.layers = _layers()

        # The crescent is a shell that ends round at both angles and behind.
        first = np.interp(along, CRESCENT_A, CRESCENT_FIRST)
        last = np.interp(along, CRESCENT_A, CRESCENT_LAST)
        off = 2 * ((ANGLES + 90) % 360 - 90 - (first + last) / 2)
        round_off = (1 - (off / (last - first)) ** 14).clip(0)
        round_off *= 1 - ((along - 96) / 8).clip(0, 1) ** 3
        full = np.where(along < 80, 1, np.sqrt(round_off)).astype("f4")
        middle = (self.pia + self.inner[2]) / 2
        self.outside = middle + (self.pia - middle) * full
        self.hollow = middle - (self.pia - middle) * full

        self.white = np.zeros((2, HALF[0], BINS), "u2")
        for row, (a0, a1, t0, t1, half) in _items(WHITE):
            there = (along >= a0) & (along < a1)
            there = there & (t0 <= ANGLES) & (t1 > ANGLES)
            self.white[int(half), there] = row

        (self.stem,) = _radial(STEM, 1, HALF[0])
        self.stem_d = np.interp(self.a, STEM_A, STEM_D).astype("f4")

        (self.folia,) = _radial(CEREBELLUM, 1, HALF[2])
        self.folia_d = np.interp(self.m, CEREBELLUM_M, CEREBELLUM_D)
        self.folia_d = self.folia_d.astype("f4")
        self.lobule, margin, self.beside = _territories(LOBULES, HALF[2])
        fissures = 0.14 * np.exp(-((margin / 0.09) ** 2))
        self.folia *= 1 - fissures - 0.025 * np.cos(np.radians(30 * ANGLES))
        # Towards the side the folia turn back, and the white matter thins.
        degrees = 1.5 * (self.m - 16).clip(0, 30)
        self.oblique = (degrees * BINS / 360).astype("i4")
        self.medulla = 0.14 + 0.18 * np.exp(-(((self.m - 22) / 12) ** 2))
        self.medulla *= ((46 - self.m) / 8).clip(0, 1)

    def paint(self, start):
        """Return uint16 rows (SLAB, 320, 228) of the planes from `start`."""
        at = self.a[start : start + SLAB], self.d, self.m
        a, d, m = np.ix_(*at)
        plane, _, column = np.ix_(*map(np.arange, HALF))
        plane = plane[start : start + SLAB]

        centre_m = self.centre_m[plane]
        radius, turn = _polar(self.centre_d[plane] - d, m - centre_m)
        # Medially the surface is the plane between the hemispheres.
        wall = radius / (1 - m / centre_m).clip(1e-3)
        pia = np.minimum(self.pia[plane, turn], wall)
        cortex, white, core = self.inner[:, plane, turn]
        shell = radius < self.outside[plane, turn]
        shell &= radius >= self.hollow[plane, turn]

        depth, stem_turn = _polar(self.stem_d[plane] - d, m)
        depth = self.stem[plane, stem_turn] - depth
        stem = (depth > 0) & (a > 75)
        deep = stem | ((radius < core) & (a < 80 + 4 * (m > centre_m)))

        label = np.zeros(deep.shape, "u2")
        self._ellipsoids(label, at, DIVISIONS, 9, deep)
        self._ellipsoids(label, at, NUCLEI, 1.1, deep)
        self._ellipsoids(label, at, NERVE, 1, (label == 0) & (a < 30))
        self._ellipsoids(label, at, BULB, 1, (a < 30) & ~deep)
        self._cerebellum(label, at, (a, d, column), ~deep)
        outer = (label > 0) | (a < 40) | (a > 95)
        self._ellipsoids(label, at, OUTER_NUCLEI, 1.05, outer)

        part = (64 * (pia - radius) / (pia - cortex).clip(0.1)).clip(0, 63)
        where = shell & (radius >= cortex)
        layer = self.layers[self.area[plane, turn], part.astype("u1")]
        label[where] = layer[where]
        where = shell & (radius < cortex) & (radius >= white)
        half = (2 * radius < cortex + white).astype("u1")
        label[where] = self.white[half, plane, turn][where]
        where = np.nonzero(shell & (radius < white))
        part = (white - radius)[where] / (white - core)[where].clip(0.1)
        label[where] = self._hippocampus(
            at[0][where[0]], ANGLES[turn[where]], part
        )
        depth = np.where(stem, depth, np.inf)
        self._colliculus(label, a, ANGLES[stem_turn], depth)
        self._tubes(label, at)
        self._rim(label, a, d)
        return label

    @staticmethod
    def _near(at, centre, reach):
        """Slices of the voxels within reach, and their offsets (a, d, m)."""
        box, offsets = [], []
        for along, c, r in zip(at, centre, reach, strict=True):
            box.append(slice(*np.searchsorted(along, (c - r, c + r))))
            offsets.append(along[box[-1]] - c)
        return tuple(box), np.ix_(*offsets)

    def _ellipsoids(self, label, at, text, limit, where):
        """Give voxels to the ellipsoid that they are relatively closest to."""
        best = np.where(where, np.float32(limit**2), 0)
        for row, numbers in _items(text):
            centre, axes, tilts = np.split(numbers, (3, 6))
            ad, am, dm = tilts / 10 if tilts.size else (0, 0, 0)
            box, (x, y, z) = self._near(at, centre, limit * axes)
            if best[box].size:
                form = np.linalg.inv([[1, ad, am], [ad, 1, dm], [am, dm, 1]])
                form = (form / np.outer(axes, axes)).astype("f4")
                far = (form[0, 0] * x + 2 * form[0, 1] * y) * x
                far = far + (form[1, 1] * y + 2 * form[1, 2] * z) * y
                far = far + (form[2, 2] * z + 2 * form[0, 2] * x) * z
                closer = far < best[box]
                best[box][closer] = far[closer]
                label[box][closer] = row

    def _cerebellum(self, label, at, grid, free):
        a, d, column = grid
        radius, turn = _polar(self.folia_d[column] - d, a - CEREBELLUM_A)
        turn = (turn + self.oblique[column]) % BINS
        part = radius / self.folia[column, turn].clip(0.1)
        where = free & (part < 1) & (a > 60)
        label[where] = self.lobule[column, turn][where]
        # A stem of white matter, and a branch that narrows in each lobule.
        branch = self.beside[column, turn] * part < 3 - 2.5 * part
        tree = (part < self.medulla[column]) | (branch & (part < 0.8))
        label[where & tree] = _index()["arb"]
        self._ellipsoids(label, at, CEREBELLAR_NUCLEI, 1, where)

    @staticmethod
    def _hippocampus(a, angle, depth):
        """Rows for voxels (n,) at depth 0 (alveus) to 1 (the ventricle)."""
        index = _index()
        label = np.full(depth.shape, index["CA1"], "u2")
        # The dentate gyrus moves from medial to ventral on the way back.
        knots = 62, 72, 80, 88
        off = angle - np.interp(a, knots, (-38, -25, 30, 70))
        off /= np.interp(a, knots, (26, 34, 55, 45))
        label[(depth > 0.47) & (off > 0.6)] = index["CA3"]
        label[(depth > 0.4) & (depth < 0.5) & (off > 0.9)] = index["CA2"]
        ring = (off / 1.1) ** 2 + ((depth - 0.7) / 0.3) ** 2
        for name, end in ("DG-mo", 1), ("DG-sg", 0.42), ("DG-po", 0.2):
            label[ring < end] = index[name]
        late = a + (15 - angle).clip(0, 40) / 6 + 4 * depth
        label[late > 91] = index["ProS"]
        label[late > 93] = index["SUB"]
        for name, last in ("PAR", 70), ("PRE", 40), ("POST", 18):
            label[(late > 95) & (angle < last)] = index[name]
        label[depth < 0.05] = index["alv"]
        return label

    @staticmethod
    def _colliculus(label, a, angle, depth):
        """Layers below the roof of the midbrain, thinning to its edge."""
        roof = 1 - ((a - 92) / 12) ** 2 - (angle / 62) ** 2
        part = depth / (15 * np.sqrt(roof.clip(1e-4)))
        rows = np.array([_index()[name] for name in COLLICULUS], "u2")
        ends = list(COLLICULUS.values())
        where = part < 1
        label[where] = rows[np.searchsorted(ends, part[where])]

    def _tubes(self, label, at):
        tissue = label > 0
        for row, (width, *points) in _items(TUBES):
            points = np.reshape(points, (-1, 3))
            for p, q in pairwise(points):
                reach = np.abs(q - p) / 2 + width
                box, (x, y, z) = self._near(at, (p + q) / 2, reach)
                if tissue[box].size:
                    u, v, w = q - p
                    along = (x * u + y * v + z * w) / ((q - p) ** 2).sum()
                    along = along.clip(-0.5, 0.5)
                    far = (x - along * u) ** 2 + (y - along * v) ** 2
                    far += (z - along * w) ** 2
                    label[box][(far < width**2) & tissue[box]] = row

    @staticmethod
    def _rim(label, a, d):
        """Root itself, a voxel thick around the ventral brain, as really."""
        tissue = np.pad(label > 0, ((0, 0), (1, 1), (1, 1)))
        near = tissue[:, 2:, 1:-1] | tissue[:, :-2, 1:-1]
        near |= tissue[:, 1:-1, 2:] | tissue[:, 1:-1, :-2]
        label[near & (label == 0) & (a > 55) & (d > 40)] = _index()["root"]


# Volumes -------------------------------------------------------------------


# A level is made in slabs, each of which needs them.
@remember
def _painted(cache):
    """Rows (528, 320, 228) of one hemisphere, and the voxels of each row."""
    kept = Path(cache) / f"standin-{VERSION}.npz"
    if not kept.exists():
        brain, half = Brain(), np.zeros(HALF, "u2")
        counts = np.zeros(len(_ids()), "int64")
        for start in range(0, HALF[0], SLAB):
            slab = half[start : start + SLAB] = brain.paint(start)
            counts += 2 * np.bincount(slab.ravel(), minlength=counts.size)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"{os.getpid()}-{kept.name}")
        np.savez(partial, half=half, counts=counts)
        os.replace(partial, kept)
    with np.load(kept) as stored:
        return stored["half"], stored["counts"]


def voxel_counts(cache):
    """Return {structure id: its own voxels at 25 um, both hemispheres}.

    They are counted while painting, not read back from what is written.
    Structures without a voxel of their own are left out.
    """
    _, counts = _painted(cache)
    counts = zip(_ids().tolist(), counts.tolist(), strict=True)
    return {i: n for i, n in counts if i and n}


# Brightness of a division and what is in it; cells are bright, fibres dark.
GREY = {"root": 60, "grey": 260, "OLF": 250, "HPF": 245, "CNU": 270, "TH": 235,
        "HY": 255, "MB": 225, "P": 205, "MY": 200, "CB": 265, "DG-sg": 340,
        "CA3": 230, "PAL": 215, "OT": 300, "MOB": 240, "onl": 320,
        "fiber tracts": 130, "cc": 110, "VS": 70}  # fmt: skip
GREY_LAYERS = {"1": 50, "2": 25, "2/3": 10, "4": 35, "5": -15}


@remember
def _grey(cache):
    """Autofluorescence (528, 320, 228) of one hemisphere, uint16, 0 to 400."""
    rows = {row["id"]: row for row in read_structures()}
    levels = [0]
    for row in rows.values():
        above = row
        while above["acronym"] not in GREY:
            above = rows[above["parent_id"]]
        parent = rows.get(row["parent_id"], row)["acronym"]
        layer = row["acronym"].removeprefix(parent)
        # Neighbours without layers differ a little, whatever they are.
        shade = GREY_LAYERS.get(layer, int(row["id"]) * 7 % 23 - 11)
        levels.append(GREY[above["acronym"]] + shade)
    half, _ = _painted(cache)
    grey = np.array(levels, "f4")[half]
    # A lobule is one label; its granular layer is what lies deep in it.
    granular = lobules = np.isin(half, [row for row, _ in _items(LOBULES)])
    for axis in range(3):
        for shift in -6, -3, 3, 6:
            granular = granular & np.roll(lobules, shift, axis)
    grey[granular] += 50
    for axis in range(3):
        line = np.moveaxis(grey, axis, 0)
        line[1:-1] = (line[:-2] + line[1:-1] + line[2:]) / 3
    texture = [np.sin(7.5 * x + 3 * np.sin(1.5 * x))
               for x in map(_positions, HALF)]  # fmt: skip
    a, d, m = np.ix_(*texture)
    grey *= 1 + 0.03 * a * d * m
    return grey.astype("uint16")


def _shape(um):
    if um == RAT_UM:
        return RAT_SHAPE
    return 13200 // um, 8000 // um, 11400 // um


def _sampled(half, half_um, um):
    """Return a function: slice of planes -> their voxels, both sides.

    `half` has the voxels of one hemisphere, of `half_um`. A finer level takes
    the nearest one, a coarser level every n-th.
    """
    middles = [
        (2 * np.arange(n) + 1) * um if um < half_um
        else 2 * np.arange(n) * um + half_um
        for n in _shape(um)
    ]  # fmt: skip
    planes, rows, _ = (twice // (2 * half_um) for twice in middles)
    columns = np.abs(middles[2] - 11400) // (2 * half_um)
    return lambda part: half[planes[part]][:, :, columns][:, rows]


def _labels(cache, um):
    half, _ = _painted(cache)
    sampled = _sampled(half, VOXEL_UM, um)
    return lambda part: _ids()[sampled(part)]


def _template(cache, um):
    half, size = _grey(cache), max(um, VOXEL_UM)
    step = size // VOXEL_UM
    a, d, m = (n // step for n in HALF)
    half = half.reshape(a, step, d, step, m, step).mean((1, 3, 5))
    return _sampled(half.astype("uint16"), size, um)


# The rat: how many times a mouse it is along a, d, and m to the right and to
# the left; its first plane and row, and the column where its left begins.
RAT_UM = 39.0625
RAT_SHAPE = 1024, 512, 512
RAT_TIMES = 1.55, 1.5, 1.6, 1.664
RAT_FROM = 290, 60, 266


@remember
def read_rat():
    """Rows (id, acronym, name, colour, painted_from) of the rat's table."""
    path = Path(__file__).with_name("atlas_standin_rat.csv")
    with path.open(encoding="utf-8") as table:
        return tuple(csv.DictReader(table))


def _rat_ids():
    """Ids of the rat for each painted row, by its nearest named ancestor."""
    rows = {row["id"]: row for row in read_structures()}
    named = {
        acronym: int(row["id"])
        for row in read_rat()
        for acronym in row["painted_from"].split("; ")
    }
    ids = [0]
    for row in rows.values():
        while row["acronym"] not in named:
            row = rows[row["parent_id"]]
        ids.append(named[row["acronym"]])
    return np.array(ids, "uint32")


def _rat(cache, um):
    """Return a function like `_sampled`'s, for the ids of the rat."""
    half, _ = _painted(cache)
    ids = _rat_ids()
    a, d, m = (
        um * (np.arange(n) - first + 0.5)
        for n, first in zip(RAT_SHAPE, RAT_FROM, strict=True)
    )
    along, down, right, left = RAT_TIMES
    places = a / along, d / down, np.where(m < 0, -m / right, m / left)
    places = [np.floor(place / VOXEL_UM).astype(int) for place in places]
    outside = [
        (place < 0) | (place >= n)
        for place, n in zip(places, HALF, strict=True)
    ]
    planes, rows, columns = (
        np.where(out, 0, place)
        for out, place in zip(outside, places, strict=True)
    )

    def voxels(part):
        found = half[planes[part]][:, rows][:, :, columns]
        found[outside[0][part]] = 0
        found[:, outside[1]] = 0
        found[:, :, outside[2]] = 0
        return ids[found]

    return voxels


def _hemispheres(cache, um):
    planes, rows, columns = _shape(um)
    sides = np.where(np.arange(columns) < round(columns / 2), 2, 1)
    sides = np.broadcast_to(sides.astype("uint8"), (planes, rows, columns))
    return lambda part: sides[part]


# Files ---------------------------------------------------------------------

GIN = (
    "gin.g-node.org/BrainGlobe/atlases-v2/raw/master/annotations/"
    "allen_mouse_v1"
)
ATLAS = "s3/brainglobe/atlas"
SPACE = "coordinate-spaces/allen-adult-mouse-ccf-space/2015"
TEMPLATE = "templates/allen-adult-mouse-stpt-template/2015"
TERMINOLOGY = "terminologies/allen_mouse-terminology/3_0"
ANNOTATION = "annotation-sets/allen_mouse-annotation/3_0"
RAT_SPACE = "coordinate-spaces/whs_sd_rat-space/3_0"
RAT_TEMPLATE = "templates/whs_sd_rat-template/3_0"
RAT_TERMINOLOGY = "terminologies/whs_sd_rat-terminology/3_0"
RAT_ANNOTATION = "annotation-sets/whs_sd_rat-annotation/3_0"
LEVELS_UM = {"s0": 10, "s1": 25, "s2": 50, "s3": 100}
RAT_LEVELS_UM = {"s0": RAT_UM}
CUBES = dict.fromkeys(LEVELS_UM, (128, 128, 128))
# Array group: its place, dtype, chunks of each level, and maker of voxels.
ARRAYS = {
    "annotations_compressed": (
        f"{ANNOTATION}/annotations_compressed.ome.zarr", "uint32",
        {"s0": (83, 100, 143), "s1": (66, 40, 114), "s2": (66, 40, 57),
         "s3": (66, 40, 57)}, _labels),
    "hemispheres": (
        f"{ANNOTATION}/hemispheres.ome.zarr", "uint8", CUBES, _hemispheres),
    "template": (f"{TEMPLATE}/template.ome.zarr", "uint16", CUBES, _template),
    "rat_annotations_compressed": (
        f"{RAT_ANNOTATION}/annotations_compressed.ome.zarr", "uint32",
        {"s0": (128, 128, 128)}, _rat),
    "rat_hemispheres": (
        f"{RAT_ANNOTATION}/hemispheres.ome.zarr", "uint8",
        {"s0": (128, 128, 128)}, _hemispheres),
}  # fmt: skip


def _levels_um(kind):
    return RAT_LEVELS_UM if kind.startswith("rat_") else LEVELS_UM


def _new_array(store, shape, dtype, chunks, names):
    # Another part may have described it already.
    if isinstance(store, Path) and (store / "zarr.json").exists():
        return zarr.open_array(store, mode="r+")
    return zarr.create_array(
        store, shape=shape, dtype=dtype, chunks=chunks, dimension_names=names,
        compressors=ZstdCodec(level=0),
    )  # fmt: skip


def _create_array(store, kind, level, names=("z", "y", "x")):
    _, dtype, chunks, _ = ARRAYS[kind]
    shape = _shape(_levels_um(kind)[level])
    return _new_array(store, shape, dtype, chunks[level], names)


def _slabs(array, axis=0):
    """Slices of one chunk's planes each."""
    step = array.chunks[axis]
    return [slice(n, n + step) for n in range(0, array.shape[axis], step)]


def _write_table(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerows([header.split(","), *rows])


def _paths():
    """Structure id -> ids from the root to it; parents come first."""
    paths = {"": []}
    for row in read_structures():
        paths[row["id"]] = [*paths[row["parent_id"]], row["id"]]
    return paths


def _write_gin(folder, cache):
    paths = _paths()
    _write_table(
        folder / GIN / "structures.csv",
        "acronym,id,name,structure_id_path,parent_structure_id",
        [(row["acronym"], row["id"], row["name"],
          f"/{'/'.join(paths[row['id']])}/",
          row["parent_id"] and f"{row['parent_id']}.0")
         for row in sorted(read_structures(), key=lambda row: row["name"])],
    )  # fmt: skip
    members = {}
    store = zarr.storage.MemoryStore(members)
    array = _create_array(store, "annotations_compressed", "s1", None)
    voxels = _labels(cache, VOXEL_UM)
    for part in _slabs(array):
        array[part] = voxels(part)
    with zipfile.ZipFile(folder / GIN / "25um.zarr.zip", "w") as archive:
        for name in sorted(members):
            # ZipInfo has a fixed date: equal voxels give equal bytes.
            content = members[name].to_bytes()
            archive.writestr(zipfile.ZipInfo(name), content)


TERMINOLOGY_COLUMNS = (
    "identifier,parent_identifier,annotation_value,name,abbreviation,"
    "color_hex_triplet,root_identifier_path"
)


def _write_terminology(folder, cache):
    paths = _paths()
    _write_table(
        folder / ATLAS / TERMINOLOGY / "terminology.csv",
        TERMINOLOGY_COLUMNS,
        [(row["id"], row["parent_id"], row["id"], row["name"], row["acronym"],
          row["colour"], f"[{', '.join(paths[row['id']])}]")
         for row in read_structures()],
    )  # fmt: skip


def _write_rat_terminology(folder, cache):
    root, *others = read_rat()
    _write_table(
        folder / ATLAS / RAT_TERMINOLOGY / "terminology.csv",
        TERMINOLOGY_COLUMNS,
        [(row["id"], "" if row is root else root["id"], row["id"],
          row["name"], row["acronym"], row["colour"],
          f"[{', '.join(dict.fromkeys((root['id'], row['id'])))}]")
         for row in (root, *others)],
    )  # fmt: skip


def _component(place, **more):
    _, name, version = place.split("/")
    version = version.replace("_", ".")
    return {"name": name, "version": version, "location": f"/{place}", **more}


def _manifest(atlas, space, template, terms, annotation, **own):
    template, terms = _component(template), _component(terms)
    return {
        "name": atlas.rpartition("_")[0],
        "location": f"/atlases/{atlas}/3_0",
        "version": "3.0",
        "orientation": "asr",
        "additional_references": [],
        **own,
        "coordinate_space": _component(space, template=template),
        "terminology": terms,
        "annotation_set": _component(
            annotation, template=template, terminology=terms
        ),
        "template": template,
    }


def _manifests():
    """Atlas -> its manifest, for each resolution of the mouse and the rat."""
    manifests = {
        f"allen_mouse_{um}um": _manifest(
            f"allen_mouse_{um}um", SPACE, TEMPLATE, TERMINOLOGY, ANNOTATION,
            citation="Wang et al 2020, "
            "https://doi.org/10.1016/j.cell.2020.04.007",
            atlas_link="http://www.brain-map.org", species="Mus musculus",
            symmetric=True, resolution=[float(um)] * 3, shape=_shape(um),
        )
        for um in LEVELS_UM.values()
    }  # fmt: skip
    manifests["whs_sd_rat_39um"] = _manifest(
        "whs_sd_rat_39um", RAT_SPACE, RAT_TEMPLATE, RAT_TERMINOLOGY,
        RAT_ANNOTATION,
        citation="Kleven et al 2023, "
        "https://doi.org/10.1038/s41592-023-02034-3",
        atlas_link="https://www.nitrc.org/projects/whs-sd-atlas",
        species="Rattus norvegicus",
        symmetric=False, resolution=[39.0] * 3, shape=RAT_SHAPE,
    )  # fmt: skip
    return manifests


def _group(levels_um, channels=False):
    """OME-Zarr metadata, in mm; the finest level's first voxel is at 0."""
    first = min(levels_um.values())
    datasets = [
        {"path": level, "coordinateTransformations": [
            {"type": "scale",
             "scale": [1.0] * channels + [um / 1000] * 3},
            {"type": "translation",
             "translation": [0.0] * channels + [(um - first) / 2000] * 3}]}
        for level, um in levels_um.items()
    ]  # fmt: skip
    directions = {"z": "anterior-to-posterior", "y": "superior-to-inferior",
                  "x": "right-to-left"}  # fmt: skip
    axes = [
        {"name": name, "type": "space", "unit": "millimeter",
         "orientation": {"type": "anatomical", "value": value}}
        for name, value in directions.items()
    ]  # fmt: skip
    axes = [{"name": "c", "type": "channel"}] * channels + axes
    scales = [{"datasets": datasets, "name": "/", "axes": axes}]
    ome = {"version": "0.5", "multiscales": scales}
    return {"attributes": {"ome": ome}, "zarr_format": 3, "node_type": "group"}


def _metadata():
    """Object name -> text of everything that is neither array nor table."""
    contents = {
        f"{space}/manifest.json": _component(
            space, template=_component(template)
        )
        for space, template in ((SPACE, TEMPLATE), (RAT_SPACE, RAT_TEMPLATE))
    }
    for atlas, manifest in _manifests().items():
        contents[f"atlases/{atlas}/3_0/manifest.json"] = manifest
    for kind, (place, *_) in ARRAYS.items():
        contents[f"{place}/zarr.json"] = _group(_levels_um(kind))
    contents[f"{MASKS}/zarr.json"] = _group(LEVELS_UM, channels=True)
    contents |= atlas_standin_surface.infos(
        f"{ANNOTATION}/annotations.precomputed", MESH_UM,
        _shape(MESH_UM)[::-1], read_structures(),
    )  # fmt: skip
    texts = {name: json.dumps(c, indent=4) for name, c in contents.items()}
    versions = [f"{atlas} = 3.0\n" for atlas in _manifests()]
    texts["atlases/last_versions.conf"] = "".join(["[atlases]\n", *versions])
    return {f"{ATLAS}/{name}": text for name, text in texts.items()}


def _place(folder, kind, level):
    return folder / ATLAS / ARRAYS[kind][0] / level


def _write_metadata(folder, cache):
    for name, text in _metadata().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    for kind, level in EVERY_LEVEL:
        _create_array(_place(folder, kind, level), kind, level)
    for level in LEVELS_UM:
        _create_masks(folder, level)
    values = [int(row["id"]) for row in _post_order()]
    # The only array so small that its voxels come with its description.
    array = _new_array(folder / ATLAS / MASKS / "annotation_values",
                       len(values), "uint32", len(values), None)  # fmt: skip
    array[:] = values


def _write_slab(kind, level, n):
    def write(folder, cache):
        array = _create_array(_place(folder, kind, level), kind, level)
        part = _slabs(array)[n]
        array[part] = ARRAYS[kind][3](cache, _levels_um(kind)[level])(part)

    return write


# Masks: one for each structure, with what is below it; the deepest first.
MASKS = f"{ANNOTATION}/annotations.ome.zarr"
MASK_CHUNKS = 1, 256, 256, 256


@remember
def _post_order():
    """Rows of the table, each after all that are below it."""
    below = {}
    for row in read_structures():
        below.setdefault(row["parent_id"], []).append(row)

    def walk(parent):
        for row in below.get(parent, ()):
            yield from walk(row["id"])
            yield row

    return tuple(walk(""))


def _create_masks(folder, level):
    shape = len(_post_order()), *_shape(LEVELS_UM[level])
    place = folder / ATLAS / MASKS / level
    return _new_array(place, shape, "uint8", MASK_CHUNKS, list("czyx"))


def _mask(cache, structure_id, um):
    """Return a function like `_sampled`'s: 1 in a structure and its parts."""
    paths = _paths().values()
    inside = {int(path[-1]) for path in paths if str(structure_id) in path}
    half, _ = _painted(cache)
    is_inside = np.isin(_ids(), list(inside)).astype("uint8")
    return _sampled(is_inside[half], VOXEL_UM, um)


def _write_mask(n, level):
    def write(folder, cache):
        array = _create_masks(folder, level)
        mask = _mask(cache, _post_order()[n]["id"], LEVELS_UM[level])
        for part in _slabs(array, axis=1):
            array[n, part] = mask(part)

    return write


# Surfaces, from the masks of one level.
MESHES = f"{ATLAS}/{ANNOTATION}/annotations.precomputed/mesh"
MESH_UM = 50


def _write_mesh(structure_id):
    def write(folder, cache):
        mask = _mask(cache, structure_id, MESH_UM)(slice(None))
        if mask.any():
            atlas_standin_surface.write_mesh(
                folder / MESHES, structure_id, mask, MESH_UM
            )

    return write


EVERY_LEVEL = [(kind, level) for kind in ARRAYS for level in _levels_um(kind)]
# An array can be described without its voxels being made.
DESCRIPTIONS = [
    *(str(_place(Path(), *array) / "zarr.json") for array in EVERY_LEVEL),
    *(f"{ATLAS}/{MASKS}/{level}/zarr.json" for level in LEVELS_UM),
    f"{ATLAS}/{MASKS}/annotation_values/",
]


def _slab_parts():
    for kind, level in EVERY_LEVEL:
        planes = _shape(_levels_um(kind)[level])[0]
        for n in range(-(-planes // ARRAYS[kind][2][level][0])):
            prefix = f"{_place(Path(), kind, level)}/c/{n}/"
            yield f"{kind}/{level}/{n}", [prefix], _write_slab(kind, level, n)


def _mask_parts():
    for n, row in enumerate(_post_order()):
        for level in LEVELS_UM:
            prefix = f"{ATLAS}/{MASKS}/{level}/c/{n}/"
            yield f"mask/{n}/{level}", [prefix], _write_mask(n, level)
        mesh = f"{MESHES}/{row['id']}"
        held = [mesh, f"{mesh}.index"]
        yield f"mesh/{row['id']}", held, _write_mesh(row["id"])


# Part: the objects and the prefixes (ending in "/") that it has every key of,
# and what writes them. More parts are more entries. They are small: a part is
# made while a reader waits for it.
PARTS = {
    "gin": ([f"{GIN}/structures.csv", f"{GIN}/25um.zarr.zip"], _write_gin),
    "metadata": ([*_metadata(), *DESCRIPTIONS], _write_metadata),
    "terminology": (
        [f"{ATLAS}/{TERMINOLOGY}/terminology.csv"], _write_terminology),
    "rat_terminology": (
        [f"{ATLAS}/{RAT_TERMINOLOGY}/terminology.csv"],
        _write_rat_terminology),
    **{part: (held, write) for part, held, write in _slab_parts()},
    **{part: (held, write) for part, held, write in _mask_parts()},
}  # fmt: skip
_OWNERS = {own: part for part, (held, _) in PARTS.items() for own in held}


def part_of(name):
    """Return the part that owns an object, or None if the stand-in lacks it.

    An object's name is ``gin.g-node.org/<path>`` for an https address there
    and ``s3/<bucket>/<key>`` for s3://<bucket>/<key>. A chunk of background
    is owned by its array's part, which will not write it.
    """
    above = [f"{folder}/" for folder in PurePosixPath(name).parents]
    return next((_OWNERS[n] for n in (name, *above) if n in _OWNERS), None)


def write_part(part, folder, cache):
    """Write all files of a part below `folder`, each at its object's name.

    `cache` is a folder where the painted brain is kept from part to part; it
    may be empty. Return the prefixes (ending in "/") of which every key now
    exists: what is absent below them is truly absent.
    """
    held, write = PARTS[part]
    write(Path(folder), cache)
    return [own for own in held if own.endswith("/")]
