# Two rules that begin with the same loop, whose values must be equal in both.
actor User {}
resource Doc { permissions = ["read"]; }
declare e(User, Doc, Doc);
declare f(Doc, Doc);
declare g(Doc, Doc);
has_permission(u: User, "read", d: Doc) if e(u, w, w) and f(w, d);
has_permission(u: User, "read", d: Doc) if e(u, w, w) and g(w, d);
#+ e(User:u, Doc:a, Doc:b)
#+ e(User:v, Doc:a, Doc:a)
#+ f(Doc:a, Doc:c)
#+ g(Doc:b, Doc:c)
#+ g(Doc:a, Doc:d)
