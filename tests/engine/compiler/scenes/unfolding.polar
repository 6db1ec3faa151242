# Variables of the same names in rules that are put into one another.
actor User {}
resource Doc { permissions = ["read", "edit", "copy"]; }
declare e(Doc, Doc);
declare own(User, Doc);
step(x: Doc, y: Doc) if e(x, z) and e(z, y);
back(y: Doc, x: Doc) if e(x, z) and e(z, y) and not e(y, z);
far(x: Doc, z: Doc) if step(x, y) and step(y, z);
out(x: Doc) if e(x, y) and not step(y, x);
no(u: User, d: Doc) if own(u, d);
no(u: User, d: Doc) if e(d, d) and own(u, _);
no(u: User, d: Doc) if not own(_, d) and own(u, _);
has_permission(u: User, "read", d: Doc) if own(u, z) and far(z, d);
has_permission(u: User, "edit", d: Doc) if own(u, z) and step(z, y) and back(y, d) and out(d);
has_permission(u: User, "copy", d: Doc) if own(u, z) and e(z, d) and not no(u, d);
#+ e(Doc:a, Doc:b)
#+ e(Doc:b, Doc:c)
#+ e(Doc:c, Doc:d)
#+ e(Doc:d, Doc:f)
#+ e(Doc:f, Doc:f)
#+ e(Doc:b, Doc:a)
#+ own(User:u, Doc:a)
#+ own(User:v, Doc:b)
#+ own(User:v, Doc:c)
#+ own(User:w, Doc:d)
