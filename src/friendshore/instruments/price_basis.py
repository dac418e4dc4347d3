"""What a reference price is quoted for besides substance and unit: its grade, and between whom.

Terms of a price floor. How a line is held against them is the border's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from friendshore.instruments.clause import NotNegative, Positive, Share
from friendshore.instruments.dates import Many, Term
from friendshore.instruments.names import Substance


class Grade(Term):
    """The grade that a reference price is quoted for, and what a point more or less of assay is worth."""

    assay: Annotated[Share, Field(gt=0)] = Field(description="Part of the dry mass that is the substance, 0.9965.")
    of: Substance = Field(description="The substance assayed, such as antimony.")
    usd_t_point: NotNegative = Field(
        description="USD per contained tonne for a percentage point of assay: taken off the reference for goods below the grade, "
        "added for goods above it."
    )
    article: str = Field("", description="Where the text sets it.")
    source: Many[str] = Field((), description="Ids of sources.")
    note: str = Field("", description="How it was found.")

    def per_point(self, content: Decimal) -> Decimal:
        """USD per contained tonne for a percentage point of the good's own unit, a tonne of the substance holding so much of it."""
        return self.usd_t_point / content


class RelatedParties(Term):
    """When a price between related buyer and seller is taken in the price test: close to a test value (Valuation Agreement, article 1.2)."""

    within: Annotated[Positive, Field(le=1)] = Field(
        description="How far from a test value the price may lie, 0.05 for five per cent."
    )
    article: str = Field("", description="Where the text sets it.")
    source: Many[str] = Field((), description="Ids of sources.")
