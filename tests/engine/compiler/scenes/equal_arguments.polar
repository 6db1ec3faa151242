# Equations between arguments and literals, in chains and through open heads.
actor User {}
resource Doc { permissions = ["read", "edit", "copy"]; }
declare k(User, Doc);
declare l(Doc, Doc);
eq(x: Doc, y: Doc) if x = y;
eq3(x: Doc, y: Doc, z: Doc) if x = y and y = z;
is_a(x: Doc) if x = y and y = Doc{"a"};
tied(x: Doc, y: Doc) if l(x, z) and z = y and not y = x;
tied(x: Doc, y: Doc) if l(x, z) and eq(z, y) and tied(z, x);
has_permission(u: User, "read", d: Doc) if k(u, x) and eq(x, d) and not is_a(d);
has_permission(u: User, "edit", d: Doc) if k(u, x) and l(x, y) and eq3(x, y, d);
has_permission(u: User, "copy", d: Doc) if k(u, x) and tied(x, d);
has_permission(User{"root"}, "copy", d: Doc) if is_a(d) or (l(d, e) and is_a(e));
#+ k(User:u, Doc:a)
#+ k(User:u, Doc:b)
#+ k(User:v, Doc:c)
#+ l(Doc:b, Doc:b)
#+ l(Doc:a, Doc:b)
#+ l(Doc:b, Doc:a)
#+ l(Doc:c, Doc:a)
