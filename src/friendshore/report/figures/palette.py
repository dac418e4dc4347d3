"""Which colour does a country, a sign or a stage have? One answer for every figure and the page, safe for colour-blind eyes.

Nothing is told by colour alone: signs are printed, names stand on marks.
"""

from __future__ import annotations

import hashlib

INK, SOFT, RULE, PAPER = "#1b1b1b", "#595959", "#d0d0d0", "#ffffff"
LAND = "#d5d2cb"  # of what the world does not have
GAIN, LOSS = "#0b63a5", "#b34700"  # blue and burnt orange: apart for every common form of colour blindness, and in grey
BEFORE, AFTER = "#8c8c8c", "#1b1b1b"
MORE = ("#c9dcec", "#8db7da", "#3f84bd", "#0b4a80")  # a gain, small to large
LESS = ("#f8d9bf", "#f0a66f", "#d3692a", "#8f3500")  # a loss, likewise
STEPS_USD = (1e5, 1e6, 1e7, 1e8)  # where a change becomes the next colour
EVEN = "#fbf9f2"  # neither
BANDS = ("#fde0c5", "#facba6", "#f8b58b", "#f59e72", "#f2855d", "#c9473d", "#8b1e3f")  # a share, low to high

NAMED = {  # Tol's muted scheme, then mixtures of it
    "CHN": "#882255", "USA": "#332288", "JPN": "#cc6677", "AUS": "#b8a029", "EUN": "#2f8f83", "ITA": "#117733",
    "DEU": "#999933", "FRA": "#4477aa", "ESP": "#d08770", "EST": "#5b8c5a", "NLD": "#e08214", "POL": "#9e5a9e",
    "MEX": "#4fa3c7", "MYS": "#aa4499", "VNM": "#661100", "RUS": "#6b6b6b", "MMR": "#8c510a", "KOR": "#6699cc",
    "IND": "#bf812d", "CAN": "#c51b7d", "CHL": "#35978f", "COD": "#7a5c00", "IDN": "#5e4fa2", "TJK": "#a6761d",
    "GBR": "#225588", "ZAF": "#7fa038", "BRA": "#3b7d3b", "KAZ": "#7d7d2e", "THA": "#bb5566", "TWN": "#806d9e",
}  # fmt: skip
OTHERS = ("#7f8c8d", "#8e7f8d", "#8d8a7a", "#7a8d84", "#937d74", "#77889b")


def of_country(code: str) -> str:
    """The colour of a country, a customs union or a firm: the same in every figure, run and language.

    >>> of_country("CHN")
    '#882255'
    """
    if code in NAMED:
        return NAMED[code]
    return OTHERS[hashlib.sha256(code.encode()).digest()[0] % len(OTHERS)]


def of_sign(value: float) -> str:
    """The colour of a gain or a loss."""
    return GAIN if value >= 0 else LOSS


def of_share(share: float) -> str:
    """The colour of a share of one, in seven steps from light to dark."""
    return BANDS[min(len(BANDS) - 1, max(0, int(share * len(BANDS))))]


def of_change(usd: float) -> str:
    """The colour of a change of money: four steps each way, each ten times the one before.

    >>> of_change(2e6) == MORE[1], of_change(-3e9) == LESS[3], of_change(0.0) == EVEN
    (True, True, True)
    """
    passed = sum(abs(usd) >= step for step in STEPS_USD)
    return EVEN if passed == 0 else (MORE if usd > 0 else LESS)[passed - 1]
