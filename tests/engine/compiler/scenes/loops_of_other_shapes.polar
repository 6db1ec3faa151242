# Two rules that begin with a loop over the same facts, whose values must be equal in one.
actor User {}
resource Doc { permissions = ["read"]; }
declare e(User, Doc, Doc);
declare f(Doc, Doc);
declare g(Doc, Doc);
has_permission(u: User, "read", d: Doc) if e(u, v, w) and f(d, v) and f(w, d);
has_permission(u: User, "read", d: Doc) if e(u, w, w) and g(w, d) and f(w, w) and not f(d, w);
#+ e(User:u, Doc:a, Doc:b)
#+ e(User:v, Doc:b, Doc:b)
#+ f(Doc:a, Doc:a)
#+ f(Doc:b, Doc:b)
#+ g(Doc:a, Doc:c)
#+ g(Doc:b, Doc:c)
#+ g(Doc:b, Doc:d)
