"""Every code that an assessment gives, in words: why an amount is what it is, what to look at, what is missing and who has it.

The codes are written by the rule; pages, notices and tables only render them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["reason", "warning", "refusal"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A code in words. `fix` says what to do and `who` can do it; reasons need neither."""

    code: str
    kind: Kind
    text: str
    fix: str = ""
    who: str = ""


_ALL = (
    # why an amount is what it is
    Reason("D1", "reason", "the MFN duty of the line is charged"),
    Reason("D2", "reason", "a preference in force is lower and is proven"),
    Reason("D3", "reason", "the agreement's preference is lower and is proven"),
    Reason("D4", "reason", "a suspension is lower"),
    Reason("D5", "reason", "the agreement's quota is open: the rate within it is charged"),
    Reason("D6", "reason", "the agreement's quota ends within the line: both rates are charged"),
    Reason("D7", "reason", "the agreement's quota is used up: the rate beyond it is charged"),
    Reason("D8", "reason", "the agreement sets the duty in place of the schedule's"),
    Reason("D9", "reason", "the column 2 rate is charged for this origin"),
    Reason("A1", "reason", "an additional duty of section 301 is charged"),
    Reason("A2", "reason", "an additional duty of section 232 is charged"),
    Reason("A3", "reason", "an additional duty of section 122 is charged"),
    Reason("A4", "reason", "the agreement charges a duty on top"),
    Reason("L0", "reason", "no levy: no clause reaches the goods, the origin and the importer on the day"),
    Reason("L1", "reason", "a levy makes up the gap to the reference price"),
    Reason("L2", "reason", "no levy: the price is not below the reference price"),
    Reason("L3", "reason", "no levy: the goods originate in a party, and it is proven"),
    Reason("L4", "reason", "no levy to the treasury: under a minimum import price the seller keeps the gap"),
    Reason("L5", "reason", "no levy: the clause is suspended on the day by a decision under the agreement"),
    Reason("P1", "reason", "buyer and seller are related: the price is close to a test value and is taken"),
    Reason("P2", "reason", "buyer and seller are related and the price is far from every test value: the value of the next method is compared with the reference price; the customs value stays as declared"),
    Reason("P3", "reason", "the reference price is brought to the grade of the goods"),
    # what to look at
    Reason("W1", "warning", "the schedule that was used is of another date than the entry", "confirm the rate for the day", "customs"),
    Reason("W2", "warning", "buyer and seller are related", "show that the price is uninfluenced (test value, circumstances of sale)", "importer"),
    Reason("W3", "warning", "the proof of origin is older than a year or later than the entry and was not counted", "present a valid proof", "importer"),
    Reason("W4", "warning", "the declared price is below half of the reference price", "show contract and payment", "importer"),
    Reason("W5", "warning", "the price is below the minimum import price: the entry is not admissible at it", "show a price at or above it", "importer"),
    Reason("W6", "warning", "an ex-works price leaves out the way to the port", "state the costs to the port of export", "seller"),
    Reason("W7", "warning", "a duty known to be in force on the day is not in the tariff", "add it by hand", "customs"),
    Reason("W8", "warning", "the quota's earlier use is not known and was taken as none", "state the tonnes used before with --quota-used FILE", "customs"),
    Reason("W9", "warning", "a preference is to be had with a proof of origin that was not presented", "present the proof", "importer"),
    Reason("W10", "warning", "no assay is declared: the levy rests on the content that the clause sets for the line", "present an assay", "laboratory"),
    Reason("W11", "warning", "goods that are declared to originate in a party pay as goods from outside: no proof of origin that counts was presented", "present the proof of origin under the agreement", "importer"),
    Reason("W12", "warning", "a price delivered at place holds the way on from the port, which was not taken off", "state the price without it", "seller"),
    Reason("W13", "warning", "the clause takes a published reference price, and none for the day is at hand: its own was taken", "bring the publications with --reference DIR", "customs"),
    Reason("W14", "warning", "a proof under the agreement came with an origin that is no party to it, and was not counted", "correct the origin or the proof", "importer"),
    # what cannot be assessed, and who can mend it
    Reason("R01", "refusal", "the row cannot be read", "UTF-8, one value for each column", "declarant"),
    Reason("R02", "refusal", "the line has no id", "give each line an id of its own", "declarant"),
    Reason("R03", "refusal", "another line has the same id", "give each line an id of its own", "declarant"),
    Reason("R04", "refusal", "no such day", "a calendar day, such as 2027-03-14", "declarant"),
    Reason("R05", "refusal", "no country's code", "three letters of ISO 3166, such as JPN", "declarant"),
    Reason("R06", "refusal", "no tariff line", "six to ten digits, leading noughts kept, as text", "declarant"),
    Reason("R07", "refusal", "no mass", "kilograms above nought with at most three decimals, such as 2000.5", "declarant"),
    Reason("R08", "refusal", "no price", "an amount above nought with at most two decimals, such as 61000.00", "declarant"),
    Reason("R09", "refusal", "no currency", "three letters of ISO 4217, such as USD", "declarant"),
    Reason("R10", "refusal", "no term of delivery", "EXW, FCA, FAS, FOB, CFR, CPT, CIF, CIP, DAP or DPU", "declarant"),
    Reason("R11", "refusal", "no amount of freight", "an amount with at most two decimals; 0 is an amount", "carrier"),
    Reason("R12", "refusal", "no amount of insurance", "an amount with at most two decimals; 0 is an amount", "insurer"),
    Reason("R13", "refusal", "no assay", "a fraction above 0 and up to 1 with at most nine decimals, or per cent with the sign", "laboratory"),
    Reason("R14", "refusal", "no moisture", "a fraction from 0 to below 1, or per cent with the sign", "laboratory"),
    Reason("R15", "refusal", "neither yes nor no", "Y, N, nothing, or E where customs has examined the sale and found the price uninfluenced", "declarant"),
    Reason("R16", "refusal", "a formula where a text belongs", "a text that begins with a letter or a digit", "declarant"),
    Reason("R17", "refusal", "too long for its field", "at most 100 characters", "declarant"),
    Reason("R18", "refusal", "no kind of proof", "agreement, treaty, none, or nothing where it is not yet known", "importer"),
    Reason("R19", "refusal", "too large to be computed exactly", "split the line", "declarant"),
    Reason("T01", "refusal", "no month, or one that ends before it begins", "a month such as 2025-01, or from and to", "publisher of the table"),
    Reason("T02", "refusal", "neither import nor export", "import or export, as the reporter sees it", "publisher of the table"),
    Reason("T03", "refusal", "the same lane and month came twice", "one row, summed over ways of transport, procedures and second partners", "publisher of the table"),
    Reason("T04", "refusal", "a country's trade with itself", "another partner, or leave the row out", "publisher of the table"),
    Reason("N01", "refusal", "no tariff schedule is at hand for the importer", "bring it with --tariff FILE", "customs of the importer"),
    Reason("N02", "refusal", "the schedule has no such line", "the national line, eight to ten digits", "declarant"),
    Reason("N03", "refusal", "the rate of the line cannot be charged by itself", "assess by hand", "customs"),
    Reason("N04", "refusal", "the line holds goods that a clause reaches, and which it is was not declared", "declare the good, or other", "importer"),
    Reason("N05", "refusal", "the contained mass is not known", "an assay with its substance", "laboratory or importer"),
    Reason("N06", "refusal", "the freight is not known", "the freight to the port of import", "carrier"),
    Reason("N07", "refusal", "the insurance is not known", "the premium of the shipment", "insurer"),
    Reason("N08", "refusal", "no exchange rate holds on the day", "bring it with --rates FILE", "customs or central bank"),
    Reason("N09", "refusal", "the substance of the assay is not one that the good or the duty is measured by", "assay for the substance named", "laboratory"),
    Reason("N10", "refusal", "a price with duties paid cannot be taken apart", "the price without duties, delivered at place", "seller"),
    Reason("N11", "refusal", "no such good, or not one that trades under the line", "the good's id, or other", "importer"),
    Reason("N12", "refusal", "more freight and insurance than price", "the freight and insurance of this line", "carrier"),
    Reason("N13", "refusal", "the code is too short: the lines below it have different rates", "the national line, eight to ten digits", "declarant"),
    Reason("N14", "refusal", "two clauses ask for a reference price on the same goods", "assess by hand", "customs"),
    Reason("N16", "refusal", "origin in a party is declared and not proven", "present the proof, or declare that none will be (proof: none)", "importer or exporter"),
    Reason("N17", "refusal", "buyer and seller are related, and nothing is at hand to test the price by: no levy can be told", "a test value (article 1.2(b)) with --values FILE, or customs' finding on the circumstances of the sale (related: E)", "importer"),
    Reason("N18", "refusal", "the schedule has no rate for the day", "bring the measures of the day with --tariff FILE", "customs of the importer"),
    Reason("N15", "refusal", "the importer is the country of origin's own union: no border is crossed", "no entry is due", "declarant"),
)  # fmt: skip

REASONS: dict[str, Reason] = {each.code: each for each in _ALL}

# What is said of a fact that a line itself lacks; after N06 and N07 comes the term of delivery.
LACKING = {
    "R19": "above 90 thousand million USD", "N05": "no assay", "N06": "the price is ", "N07": "the price is ",
    "N10": "delivered duty paid", "N12": "the value that is left is not above nought",
}  # fmt: skip
