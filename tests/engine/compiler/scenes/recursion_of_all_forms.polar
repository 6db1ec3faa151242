# Left, right, both and mutual recursion over a circle, a diamond and a chain.
actor User {}
resource Doc { permissions = ["left", "right", "both", "mutual", "none", "odd"]; }
declare e(Doc, Doc);
declare s(User, Doc);
left(x: Doc, y: Doc) if e(x, y);
left(x: Doc, y: Doc) if left(x, z) and e(z, y);
right(x: Doc, y: Doc) if e(x, y);
right(x: Doc, y: Doc) if e(x, z) and right(z, y);
both(x: Doc, y: Doc) if e(x, y);
both(x: Doc, y: Doc) if both(x, z) and both(z, y);
odd(x: Doc, y: Doc) if e(x, y);
odd(x: Doc, y: Doc) if e(x, z) and even(z, y);
even(x: Doc, y: Doc) if e(x, z) and odd(z, y);
vain(x: Doc, y: Doc) if e(x, z) and vain(z, y);
has_permission(u: User, "left", d: Doc) if s(u, x) and left(x, d);
has_permission(u: User, "right", d: Doc) if s(u, x) and right(x, d);
has_permission(u: User, "both", d: Doc) if s(u, x) and both(x, d);
has_permission(u: User, "mutual", d: Doc) if s(u, x) and even(x, d);
has_permission(u: User, "odd", d: Doc) if odd(d, x) and s(u, x) and not both(x, d);
has_permission(u: User, "none", d: Doc) if s(u, d) and not vain(d, _) and not (right(d, x) and left(x, d));
has_permission(u: User, "none", d: Doc) if vain(d, d) and s(u, d);
#+ e(Doc:a, Doc:b)
#+ e(Doc:b, Doc:a)
#+ e(Doc:b, Doc:c)
#+ e(Doc:c, Doc:d)
#+ e(Doc:c, Doc:f)
#+ e(Doc:d, Doc:g)
#+ e(Doc:f, Doc:g)
#+ s(User:u, Doc:a)
#+ s(User:v, Doc:c)
#+ s(User:v, Doc:g)
