"""Networks as users build them, as falsifiable claims: a file a group.

advised   whether advice helps
filters   zero padding and depthwise filters
steps     what the first step of training changes
transformers   whether exponents say what is learnt
walks     units of post-activation networks
widths    what the width adds to one draw
whole     whole networks, read from torch
"""

from widelimit.validate.claims.network import advised, filters, steps, transformers, walks, whole, widths

CLAIMS = (
    *advised.CLAIMS,
    *filters.CLAIMS,
    *steps.CLAIMS,
    *transformers.CLAIMS,
    *walks.CLAIMS,
    *widths.CLAIMS,
    *whole.CLAIMS,
)
GALLERY = walks.GALLERY
