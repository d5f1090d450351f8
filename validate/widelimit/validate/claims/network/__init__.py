"""Networks as users build them, as falsifiable claims: a file a group.

walks     units of post-activation networks
widths    what the width adds to one draw
"""

from widelimit.validate.claims.network import walks, widths

CLAIMS = (*walks.CLAIMS, *widths.CLAIMS)
GALLERY = walks.GALLERY
