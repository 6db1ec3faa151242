# Branches that bind different variables, `or` inside of `not` inside of `or`, and denials of several rules.
actor User {}
resource Doc { permissions = ["read", "edit", "copy"]; }
declare a(User, Doc);
declare b(Doc, Doc);
declare c(Doc);
declare e(User, User);
off(d: Doc) if c(d);
off(d: Doc) if b(d, d);
off(d: Doc) if not b(_, d);
has_permission(u: User, "read", d: Doc) if (a(u, x) or (e(u, v) and a(v, x) and x != Doc{"b"})) and x matches Doc and (b(x, d) or x = d);
has_permission(u: User, "edit", d: Doc) if a(u, d) and not (b(d, z) and not (c(z) or (b(z, d) and not a(u, z))));
has_permission(u: User, "copy", d: Doc) if a(u, d) and not off(d);
has_permission(u: User, "copy", d: Doc) if (a(u, x) and x matches Doc or e(u, v) and v matches User) and (c(d) or (b(d, y) and y matches Doc and not a(u, y))) and not c(d);
has_permission(u: User, "copy", d: Doc) if not not (e(u, v) and a(v, d)) and not (not c(d) or not not off(d));
#+ a(User:u, Doc:a)
#+ a(User:u, Doc:b)
#+ a(User:v, Doc:b)
#+ a(User:v, Doc:c)
#+ a(User:w, Doc:d)
#+ b(Doc:a, Doc:b)
#+ b(Doc:b, Doc:a)
#+ b(Doc:b, Doc:c)
#+ b(Doc:d, Doc:d)
#+ b(Doc:a, Doc:e)
#+ c(Doc:b)
#+ c(Doc:e)
#+ e(User:w, User:v)
#+ e(User:u, User:u)
