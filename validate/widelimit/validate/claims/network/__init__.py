"""Networks as users build them, as falsifiable claims: a file a group.

advised   whether advice helps
filters   zero padding and depthwise filters
walks     units of post-activation networks
widths    what the width adds to one draw
whole     whole networks, read from torch
"""

from widelimit.validate.claims.network import advised, filters, walks, whole, widths

CLAIMS = (*advised.CLAIMS, *filters.CLAIMS, *walks.CLAIMS, *widths.CLAIMS, *whole.CLAIMS)
GALLERY = walks.GALLERY
