# What follows an `or` whose branches bind different variables belongs to each branch.
actor User {}
resource Doc { permissions = ["read"]; }
declare a(User, Doc);
declare b(Doc, Doc);
declare c(Doc);
declare e(User, User);
with(_: Doc, x: Doc) if c(x);
has_permission(u: User, "read", d: Doc) if (a(u, y) and b(y, x) or a(u, y) and e(u, u)) and with(y, x) and b(d, d);
#+ a(User:u, Doc:a)
#+ a(User:v, Doc:b)
#+ a(User:w, Doc:d)
#+ b(Doc:a, Doc:b)
#+ b(Doc:b, Doc:d)
#+ b(Doc:d, Doc:d)
#+ c(Doc:b)
#+ e(User:w, User:w)
