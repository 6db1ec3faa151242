# Rules five deep that are asked again and again, with answers of lists inside of loops.
actor User {}
resource Doc { permissions = ["read"]; }
declare e(Doc, Doc);
declare s(User, Doc);
declare f(Doc, Doc);
p1(x: Doc, y: Doc) if e(x, y) or f(x, y);
p2(x: Doc, y: Doc) if p1(x, z) and p1(z, y);
p3(x: Doc, y: Doc) if p2(x, z) and (p1(z, y) or p2(y, z));
p4(x: Doc, y: Doc) if p3(x, z) and (p1(z, y) or not p2(z, y) and e(y, z));
p5(x: Doc, y: Doc) if p4(x, z) and (p3(z, y) or p2(z, y));
p6(x: Doc, y: Doc) if p5(x, z) and (p3(z, y) or p1(y, z));
has_permission(u: User, "read", d: Doc) if s(u, x) and p6(x, d) and not p6(d, d);
has_permission(u: User, "read", d: Doc) if s(u, x) and p5(d, x) and not (p4(x, y) and s(u, y));
#+ e(Doc:a, Doc:b)
#+ e(Doc:b, Doc:c)
#+ f(Doc:c, Doc:a)
#+ f(Doc:b, Doc:d)
#+ e(Doc:d, Doc:e)
#+ s(User:u, Doc:a)
#+ s(User:v, Doc:d)
