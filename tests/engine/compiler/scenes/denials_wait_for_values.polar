# What is denied is about values that come later in the text, and that other conditions bind.
actor User {}
resource Doc { permissions = ["read"]; }
declare k(User, Doc);
declare l(Doc, Doc);
declare m(Doc, Integer);
far(x: Doc, y: Doc) if l(x, z) and l(z, y);
has_permission(u: User, "read", d: Doc) if not l(x, y) and k(u, x) and l(y, d);
has_permission(u: User, "read", d: Doc) if not far(x, y) and not m(x, n) and k(u, x) and l(d, y) and m(y, n);
has_permission(u: User, "read", d: Doc) if k(u, d) and m(d, n) and m(d, k) and not n < k and not k <= n;
has_permission(u: User, "read", d: Doc) if k(u, d) and m(d, n) and not n < 2 and not n >= 4;
has_permission(u: User, "read", d: Doc) if k(u, d) and m(d, n) and not n > -7 and not n <= -9;
#+ k(User:u, Doc:a)
#+ k(User:v, Doc:b)
#+ k(User:w, Doc:c)
#+ k(User:x, Doc:d)
#+ l(Doc:a, Doc:b)
#+ l(Doc:b, Doc:c)
#+ l(Doc:c, Doc:d)
#+ l(Doc:b, Doc:a)
#+ m(Doc:a, 1)
#+ m(Doc:b, 2)
#+ m(Doc:c, 4)
#+ m(Doc:d, -8)
#+ m(Doc:d, -9)
