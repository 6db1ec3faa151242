# Recursion that only tables end, in which answers are there before somebody waits for them.
actor User {}
resource Doc { permissions = ["read", "edit"]; }
declare e(Doc, Doc);
declare s(User, Doc);
declare t(Doc, Doc);
declare shut(Doc);
both(x: Doc, y: Doc) if e(x, y);
both(x: Doc, y: Doc) if both(x, z) and both(z, y) and not shut(z);
has_permission(u: User, "read", d: Doc) if s(u, x) and both(x, y) and not t(y, d);
has_permission(u: User, "edit", d: Doc) if s(u, x) and both(x, d);
#+ e(Doc:a, Doc:b)
#+ e(Doc:b, Doc:c)
#+ e(Doc:c, Doc:d)
#+ s(User:u, Doc:a)
#+ s(User:v, Doc:c)
#+ t(Doc:b, Doc:a)
#+ t(Doc:d, Doc:b)
#+ t(Doc:d, Doc:a)
#+ t(Doc:b, Doc:c)
#+ t(Doc:c, Doc:c)
#+ t(Doc:d, Doc:c)
