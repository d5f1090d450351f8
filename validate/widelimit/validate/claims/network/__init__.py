"""Networks as users build them, as falsifiable claims: a file a group.

walks     units of post-activation networks
widths    what the width adds to one draw
whole     whole networks, read from torch
"""

from widelimit.validate.claims.network import walks, whole, widths

CLAIMS = (*walks.CLAIMS, *widths.CLAIMS, *whole.CLAIMS)
GALLERY = walks.GALLERY
