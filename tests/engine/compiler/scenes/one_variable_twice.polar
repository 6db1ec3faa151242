# The same variable twice in heads and conditions, where all, some or none of them are known.
actor User {}
resource Doc { permissions = ["read", "edit", "copy"]; }
declare e(User, Doc, Doc);
declare f(Doc, Doc);
declare g(Doc, Doc);
declare pair(User, User);
same(x: Doc, x);
loops(x: Doc, x) if f(x, x);
has_permission(u: User, "read", d: Doc) if e(u, w, w) and f(w, d);
has_permission(u: User, "read", d: Doc) if e(u, w, w) and g(w, d);
has_permission(u: User, "edit", d: Doc) if pair(u, u) and not e(u, w, w) and e(u, d, v) and same(d, v);
has_permission(u: User, "edit", d: Doc) if loops(d, v) and e(u, v, d);
has_permission(u: User, "copy", d: Doc) if e(u, d, d) and e(_, w, w) and not loops(w, d);
#+ e(User:u, Doc:a, Doc:b)
#+ e(User:u, Doc:b, Doc:b)
#+ e(User:v, Doc:a, Doc:b)
#+ e(User:v, Doc:c, Doc:d)
#+ e(User:w, Doc:c, Doc:c)
#+ pair(User:v, User:v)
#+ pair(User:w, User:v)
#+ f(Doc:a, Doc:c)
#+ f(Doc:b, Doc:d)
#+ f(Doc:c, Doc:c)
#+ g(Doc:b, Doc:c)
#+ g(Doc:a, Doc:d)
